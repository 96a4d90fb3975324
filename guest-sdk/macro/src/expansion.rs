//! What an attribute adds beside its function: an implementation of the
//! binding's trait that calls it, and the export.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Path};

use crate::exports::{Argument, Export, Returns};
use crate::shape::Shape;

/// The component's export: an anonymous constant, so that no name is taken.
pub fn of(export: &Export, name: &Ident, shape: &Shape, should_upgrade: Option<&Path>) -> TokenStream {
    let bindings = bindings(export);
    let interface = format_ident!("{}", export.attribute);
    let guest = quote!(#bindings::exports::innkeeper::http::#interface::Guest);
    let names: Vec<_> = export.arguments.iter().map(|argument| format_ident!("{}", argument.name)).collect();
    let wires: Vec<_> = export.arguments.iter().map(wire).collect();
    let returns = match export.returns {
        Returns::Outcome => None,
        Returns::Verdict => Some(quote!(-> ::innkeeper_guest::glue::wire::Verdict)),
        Returns::Reply => Some(quote!(-> ::innkeeper_guest::glue::wire::Reply)),
    };
    let call = call(export, name, shape);
    let should_upgrade = export.should_upgrade.then(|| decision(should_upgrade));
    quote! {
        const _: () = {
            struct Handler;

            impl #guest for Handler {
                #should_upgrade

                fn handle(#(#names: #wires),*) #returns {
                    #call
                }
            }

            // Elsewhere there is nothing to export to, but the function counts
            // as used.
            #[cfg(not(target_family = "wasm"))]
            const _: fn(#(#wires),*) #returns = <Handler as #guest>::handle;

            #[cfg(target_family = "wasm")]
            #bindings::export!(Handler with_types_in #bindings);
        };
    }
}

/// Calls the author's function, and hands on what it returns.
fn call(export: &Export, name: &Ident, shape: &Shape) -> TokenStream {
    let mut called = name.clone();
    called.set_span(at(name));
    let arguments = export.arguments.iter().zip(&shape.arguments).map(|(argument, ty)| {
        let name = format_ident!("{}", argument.name);
        let at_type = at(ty);
        let convert = format_ident!("{}", argument.convert, span = at_type);
        quote_spanned!(at_type=> ::innkeeper_guest::glue::#convert(#name))
    });
    let at_outcome = at(shape.outcome);
    let conclude = format_ident!("{}", export.returns.conclude(), span = at_outcome);
    let conclude = quote_spanned!(at_outcome=> ::innkeeper_guest::glue::#conclude(outcome));
    quote! {
        let outcome = #called(#(#arguments),*);
        #conclude
    }
}

/// Whether a connection is taken over: always, or as the author's function
/// says.
fn decision(should_upgrade: Option<&Path>) -> TokenStream {
    let decide = match should_upgrade {
        None => quote!(true),
        Some(path) => {
            let at_path = at(path);
            quote_spanned! {at_path=>
                let should_upgrade: fn(&::innkeeper_guest::IncomingMessage) -> bool = #path;
                should_upgrade(::innkeeper_guest::glue::borrowed_message(req))
            }
        }
    };
    quote! {
        fn should_upgrade(req: &::innkeeper_guest::glue::wire::IncomingMessage) -> bool {
            let _ = req;
            #decide
        }
    }
}

fn bindings(export: &Export) -> TokenStream {
    let world = export.world.map(|world| format_ident!("{world}"));
    let world = world.map(|world| quote!(::#world));
    quote!(::innkeeper_guest::bindings #world)
}

fn wire(argument: &Argument) -> TokenStream {
    let wire = format_ident!("{}", argument.wire);
    quote!(::innkeeper_guest::glue::wire::#wire)
}

/// Where a wrong type is reported: at the type that the author wrote, and as
/// this macro's doing, so that the compiler suggests no change to the glue.
fn at(part: &impl Spanned) -> Span {
    Span::call_site().located_at(part.span())
}
