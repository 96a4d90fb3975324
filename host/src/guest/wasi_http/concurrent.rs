//! One call of `wasi:http/handler`, WASI 0.3, in an instance that has no other
//! call: the guest runs, and its response goes on beside it, until there is
//! nothing left of either.

use std::future::{Future as _, pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use futures_channel::oneshot;
use wasmtime::{AsContextMut as _, Store};
use wasmtime_wasi_http::handler::{Prepared, Proxy};
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::{Error, WasiHttpView as _};

use crate::guest::instance::HostState;
use crate::guest::wasi_http::reply::{Answered, Outcome, Reply, Slot};
use crate::guest::wasi_http::request::request_of;
use crate::wire::exchange::Exchange;

/// Has a guest answer `exchange`, to the last byte of its response and the end
/// of its last task.
///
/// # Errors
/// The guest trapped. A request that cannot be told to it is answered for it.
pub async fn answer(
    store: &mut Store<HostState>,
    proxy: &Proxy,
    exchange: &Exchange,
) -> wasmtime::Result<Outcome> {
    let request = match request_of(exchange) {
        Ok(request) => request,
        Err(fault) => return Ok(Outcome::Refused(fault)),
    };
    let slot = Slot::default();
    let mut reply = Reply::new(exchange.clone(), slot.clone());
    let (answers, answered) = oneshot::channel();
    store
        .run_concurrent(async |accessor| {
            let prepared = accessor.with(|mut store| {
                Prepared::new(store.as_context_mut(), proxy, request, HostState::http, answers)
            })?;
            // How long it may take is the exchange's to know.
            let mut call = pin!(prepared.run(accessor, pending()));
            let mut answered = pin!(answered);
            let (mut called, mut given) = (false, false);
            poll_fn(|cx| {
                if !called && let Poll::Ready(ran) = call.as_mut().poll(cx) {
                    called = true;
                    if let Err(error) = ran {
                        return Poll::Ready(Err(error));
                    }
                }
                if !given && let Poll::Ready(Ok(answer)) = answered.as_mut().poll(cx) {
                    given = true;
                    slot.put(answer_of(answer)?);
                }
                let replied = reply.poll(cx);
                if called && accessor.poll_no_interesting_tasks(cx).is_ready() {
                    return replied.map(Ok);
                }
                Poll::Pending
            })
            .await
        })
        .await?
}

/// A response, or the error code that a guest gave in its place.
///
/// # Errors
/// What is neither.
pub fn answer_of(
    answer: wasmtime::Result<http::Response<wasmtime_wasi_http::WasiBody>>,
) -> wasmtime::Result<Answered> {
    match answer {
        Ok(response) => Ok(Ok(response)),
        Err(error) => match error.downcast::<ErrorCode>() {
            Ok(code) => Ok(Err(Error::from(code))),
            Err(error) => Err(error),
        },
    }
}
