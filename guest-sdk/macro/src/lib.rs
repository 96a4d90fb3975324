//! The attributes of `innkeeper-guest`, which re-exports them with their
//! documentation. Each makes a function one of the component's exports.
//!
//! `exports` is the table of them; `shape` checks the function, so that a
//! mistake is told in the author's words; `expansion` is what comes of it.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Result};

use exports::Export;
use shape::Shape;

mod expansion;
mod exports;
mod shape;

/// Exports a function as the component's handler; documented where
/// `innkeeper-guest` re-exports it.
#[proc_macro_attribute]
pub fn handler(arguments: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand(&exports::HANDLER, arguments.into(), item.into()).into()
}

/// Exports a function as the component's upgrade handler; documented where
/// `innkeeper-guest` re-exports it.
#[proc_macro_attribute]
pub fn upgrade_handler(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand(&exports::UPGRADE_HANDLER, arguments.into(), item.into()).into()
}

/// Exports a function as the component's connect handler; documented where
/// `innkeeper-guest` re-exports it.
#[proc_macro_attribute]
pub fn connect_handler(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand(&exports::CONNECT_HANDLER, arguments.into(), item.into()).into()
}

/// Exports a function as the component's check-continue handler; documented
/// where `innkeeper-guest` re-exports it.
#[proc_macro_attribute]
pub fn check_continue_handler(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand(&exports::CHECK_CONTINUE_HANDLER, arguments.into(), item.into()).into()
}

/// Exports a function as the component's check-expectation handler; documented
/// where `innkeeper-guest` re-exports it.
#[proc_macro_attribute]
pub fn check_expectation_handler(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand(&exports::CHECK_EXPECTATION_HANDLER, arguments.into(), item.into()).into()
}

/// Exports a function as the component's client-error handler; documented
/// where `innkeeper-guest` re-exports it.
#[proc_macro_attribute]
pub fn client_error_handler(
    arguments: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand(&exports::CLIENT_ERROR_HANDLER, arguments.into(), item.into()).into()
}

fn expand(export: &Export, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = try_expand(export, arguments, item.clone());
    let expanded = expanded.unwrap_or_else(Error::into_compile_error);
    // The function stays even where it is refused: the author gets one error
    // and not a second one for each use of it.
    quote!(#item #expanded)
}

fn try_expand(export: &Export, arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let should_upgrade = shape::attribute_arguments(export, arguments)?;
    let function = shape::function(export, item)?;
    let shape = Shape::of(export, &function.sig)?;
    Ok(expansion::of(export, &function.sig.ident, &shape, should_upgrade.as_ref()))
}
