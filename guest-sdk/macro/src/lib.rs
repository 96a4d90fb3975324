//! The `#[handler]` attribute of `innkeeper-guest`, which re-exports it with
//! its documentation. It checks the function's shape, so that a mistake is
//! told in the author's words, and adds the component's export beside it.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, FnArg, Item, ItemFn, Result, ReturnType, Safety, Signature, Type};

/// Exports a function as the component's handler; documented where
/// `innkeeper-guest` re-exports it.
#[proc_macro_attribute]
pub fn handler(arguments: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let item = TokenStream::from(item);
    let export = check_arguments(arguments.into()).and_then(|()| export(item.clone()));
    let export = export.unwrap_or_else(Error::into_compile_error);
    // The function stays even where it is refused: the author gets one error
    // and not a second one for each use of it.
    quote!(#item #export).into()
}

fn check_arguments(arguments: TokenStream) -> Result<()> {
    if arguments.is_empty() {
        return Ok(());
    }
    Err(Error::new_spanned(arguments, "`#[handler]` takes no arguments"))
}

/// The component's export: an anonymous constant, so that no name is taken.
fn export(item: TokenStream) -> Result<TokenStream> {
    let function = parse(item)?;
    let shape = Shape::of(&function.sig)?;
    let mut name = function.sig.ident.clone();
    name.set_span(at(&name));
    let (at_request, at_response, at_outcome) = (at(shape.request), at(shape.response), at(shape.outcome));
    let req = quote_spanned!(at_request=> ::innkeeper_guest::glue::incoming_message(req));
    let res = quote_spanned!(at_response=> ::innkeeper_guest::glue::server_response(res));
    let conclude = quote_spanned!(at_outcome=> ::innkeeper_guest::glue::conclude(outcome));
    Ok(quote! {
        const _: () = {
            struct Handler;

            impl ::innkeeper_guest::glue::Guest for Handler {
                fn handle(
                    req: ::innkeeper_guest::bindings::innkeeper::http::types::IncomingMessage,
                    res: ::innkeeper_guest::bindings::innkeeper::http::types::ServerResponse,
                ) {
                    let outcome = #name(#req, #res);
                    #conclude
                }
            }

            // Elsewhere there is nothing to export to, but the function counts
            // as used.
            #[cfg(not(target_family = "wasm"))]
            const _: fn(
                ::innkeeper_guest::bindings::innkeeper::http::types::IncomingMessage,
                ::innkeeper_guest::bindings::innkeeper::http::types::ServerResponse,
            ) = <Handler as ::innkeeper_guest::glue::Guest>::handle;

            #[cfg(target_family = "wasm")]
            ::innkeeper_guest::bindings::export!(
                Handler with_types_in ::innkeeper_guest::bindings
            );
        };
    })
}

/// Where a wrong type is reported: at the type that the author wrote, and as
/// this macro's doing, so that the compiler suggests no change to the glue.
fn at(part: &impl Spanned) -> Span {
    Span::call_site().located_at(part.span())
}

fn parse(item: TokenStream) -> Result<ItemFn> {
    match syn::parse2(item.clone()) {
        Ok(Item::Fn(function)) => Ok(function),
        Ok(_) => Err(Error::new_spanned(
            item,
            "`#[handler]` belongs on a function: \
             `fn handle(req: IncomingMessage, res: ServerResponse) -> Result<()>`",
        )),
        Err(error) => Err(error),
    }
}

/// The three types of a signature that can be a handler's.
struct Shape<'a> {
    request: &'a Type,
    response: &'a Type,
    outcome: &'a Type,
}

impl<'a> Shape<'a> {
    fn of(sig: &'a Signature) -> Result<Self> {
        refuse(sig.asyncness.as_ref(), "a handler is not async: its calls suspend it as they are")?;
        refuse(sig.constness.as_ref(), "a handler is not const")?;
        if let Safety::Unsafe(token) = &sig.safety {
            refuse(Some(token), "a handler is not unsafe")?;
        }
        refuse(sig.abi.as_ref(), "a handler is a plain Rust function")?;
        let generics = &sig.generics;
        refuse(generics.params.first(), "a handler has no generic parameters")?;
        refuse(generics.where_clause.as_ref(), "a handler has no generic parameters")?;
        refuse(sig.receiver(), "a handler is a free function, not a method with `self`")?;
        let (request, response) = two_types(sig)?;
        let ReturnType::Type(_, outcome) = &sig.output else {
            return Err(Error::new(
                sig.ident.span(),
                format!("`{}` must return `innkeeper_guest::Result<()>`", sig.ident),
            ));
        };
        Ok(Self { request, response, outcome })
    }
}

fn refuse(part: Option<impl ToTokens>, message: &str) -> Result<()> {
    match part {
        Some(part) => Err(Error::new_spanned(part, message)),
        None => Ok(()),
    }
}

fn two_types(sig: &Signature) -> Result<(&Type, &Type)> {
    let mut types = sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(input) => Some(&*input.ty),
        FnArg::Receiver(_) => None,
    });
    match (types.next(), types.next(), types.next(), &sig.variadic) {
        (Some(request), Some(response), None, None) => Ok((request, response)),
        _ => Err(Error::new(
            span_of_inputs(&sig.inputs, sig.ident.span()),
            format!(
                "a handler takes two arguments, `req: IncomingMessage, res: ServerResponse`; \
                 this one takes {}",
                sig.inputs.len()
            ),
        )),
    }
}

fn span_of_inputs(inputs: &Punctuated<FnArg, syn::Token![,]>, otherwise: Span) -> Span {
    if inputs.is_empty() { otherwise } else { inputs.span() }
}
