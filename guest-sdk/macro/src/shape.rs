//! Whether a function can be what its attribute says, and if not, why.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, FnArg, Item, ItemFn, Path, Result, ReturnType, Safety, Signature, Token, Type};

use crate::exports::Export;

/// The types of a signature that fits: those of the arguments, and what is
/// returned.
pub struct Shape<'a> {
    pub arguments: Vec<&'a Type>,
    pub outcome: &'a Type,
}

impl<'a> Shape<'a> {
    pub fn of(export: &Export, sig: &'a Signature) -> Result<Self> {
        let what = export.what;
        refuse(sig.asyncness.as_ref(), what, "is not async: its calls suspend it as they are")?;
        refuse(sig.constness.as_ref(), what, "is not const")?;
        if let Safety::Unsafe(token) = &sig.safety {
            refuse(Some(token), what, "is not unsafe")?;
        }
        refuse(sig.abi.as_ref(), what, "is a plain Rust function")?;
        let generics = &sig.generics;
        refuse(generics.params.first(), what, "has no generic parameters")?;
        refuse(generics.where_clause.as_ref(), what, "has no generic parameters")?;
        refuse(sig.receiver(), what, "is a free function, not a method with `self`")?;
        let arguments = argument_types(export, sig)?;
        let ReturnType::Type(_, outcome) = &sig.output else {
            let returns = export.returns.type_name().replace("Result", "innkeeper_guest::Result");
            return Err(Error::new(sig.ident.span(), format!("`{}` must return `{returns}`", sig.ident)));
        };
        Ok(Self { arguments, outcome })
    }
}

/// The function below the attribute.
pub fn function(export: &Export, item: TokenStream) -> Result<ItemFn> {
    match syn::parse2(item.clone()) {
        Ok(Item::Fn(function)) => Ok(function),
        Ok(_) => Err(Error::new_spanned(
            item,
            format!(
                "`#[{}]` belongs on a function: `fn handle({}) -> {}`",
                export.attribute,
                export.argument_list(),
                export.returns.type_name()
            ),
        )),
        Err(error) => Err(error),
    }
}

/// What stands in the attribute: the path in `should_upgrade = path`, if that
/// is one of its arguments and was given.
pub fn attribute_arguments(export: &Export, arguments: TokenStream) -> Result<Option<Path>> {
    if arguments.is_empty() {
        return Ok(None);
    }
    let attribute = export.attribute;
    if !export.should_upgrade {
        return Err(Error::new_spanned(arguments, format!("`#[{attribute}]` takes no arguments")));
    }
    let one = |input: syn::parse::ParseStream<'_>| {
        let name: syn::Ident = input.parse()?;
        if name != "should_upgrade" {
            return Err(Error::new_spanned(name, "unknown"));
        }
        input.parse::<Token![=]>()?;
        input.parse::<Path>()
    };
    match one.parse2(arguments.clone()) {
        Ok(path) => Ok(Some(path)),
        Err(_) => Err(Error::new_spanned(
            arguments,
            format!(
                "`#[{attribute}]` takes one argument or none: \
                 `should_upgrade = path`, of a `fn(&IncomingMessage) -> bool`"
            ),
        )),
    }
}

fn refuse(part: Option<impl ToTokens>, what: &str, message: &str) -> Result<()> {
    match part {
        Some(part) => Err(Error::new_spanned(part, format!("{what} {message}"))),
        None => Ok(()),
    }
}

fn argument_types<'a>(export: &Export, sig: &'a Signature) -> Result<Vec<&'a Type>> {
    let types = sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(input) => Some(&*input.ty),
        FnArg::Receiver(_) => None,
    });
    let types: Vec<_> = types.collect();
    if types.len() == export.arguments.len() && sig.variadic.is_none() {
        return Ok(types);
    }
    Err(Error::new(
        span_of_inputs(&sig.inputs, sig.ident.span()),
        format!(
            "{} takes {}, `{}`; this one takes {}",
            export.what,
            export.argument_count(),
            export.argument_list(),
            sig.inputs.len()
        ),
    ))
}

fn span_of_inputs(inputs: &Punctuated<FnArg, Token![,]>, otherwise: Span) -> Span {
    if inputs.is_empty() { otherwise } else { inputs.span() }
}
