//! `http-error-code` of `wasi:http` 0.2: why a stream of a body has failed.
//! That of `wasmtime-wasi-http` 48 finds no code in what its own bodies fail
//! with.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::IoError;
use wasmtime_wasi_http::Error;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;

use crate::guest::instance::HostState;

/// Puts ours in its place.
///
/// # Errors
/// None but wasmtime's own.
pub fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    linker.instance("wasi:http/types@0.2.12")?.func_wrap(
        "http-error-code",
        |store: StoreContextMut<'_, HostState>, (error,): (Resource<IoError>,)| {
            Ok((code_of(store.data().table.get(&error)?),))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

fn code_of(error: &IoError) -> Option<ErrorCode> {
    let said = error.downcast_ref::<ErrorCode>().cloned();
    said.or_else(|| error.downcast_ref().and_then(code_of_body))
}

/// What the bodies of the host fail with, in a request or a response.
fn code_of_body(error: &Error) -> Option<ErrorCode> {
    Some(match error {
        Error::ConnectionTerminated => ErrorCode::ConnectionTerminated,
        Error::ConnectionReadTimeout => ErrorCode::ConnectionReadTimeout,
        Error::ConnectionWriteTimeout => ErrorCode::ConnectionWriteTimeout,
        Error::TlsProtocolError => ErrorCode::TlsProtocolError,
        Error::TlsCertificateError => ErrorCode::TlsCertificateError,
        Error::HttpRequestBodySize(size) => ErrorCode::HttpRequestBodySize(*size),
        Error::HttpResponseIncomplete => ErrorCode::HttpResponseIncomplete,
        Error::HttpResponseBodySize(size) => ErrorCode::HttpResponseBodySize(*size),
        Error::HttpResponseTrailerSectionSize(size) => ErrorCode::HttpResponseTrailerSectionSize(*size),
        Error::HttpProtocolError => ErrorCode::HttpProtocolError,
        Error::InternalError(what) => ErrorCode::InternalError(what.clone()),
        _ => return None,
    })
}
