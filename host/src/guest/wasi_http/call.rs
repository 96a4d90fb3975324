//! One call of `wasi:http/incoming-handler`: the guest runs, and whenever it
//! waits, its response goes on.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use wasmtime::Store;
use wasmtime_wasi_http::WasiHttpView as _;
use wasmtime_wasi_http::p2::bindings::Proxy;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;

use crate::guest::cpu::has_yielded;
use crate::guest::instance::HostState;
use crate::guest::wasi_http::reply::{Outcome, Reply, Slot};
use crate::guest::wasi_http::request::request_of;
use crate::wire::exchange::Exchange;

/// Has a guest answer `exchange`, to the last byte that it has written.
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
    let answers = slot.clone();
    let mut http = store.data_mut().http();
    let request = http.new_incoming_request(Scheme::Http, request)?;
    let out = http.new_response_outparam_from_callback(move |answer| {
        answers.put(answer.map_err(Into::into));
    })?;
    let mut reply = Reply::new(exchange.clone(), slot);
    {
        let mut guest = pin!(proxy.wasi_http_incoming_handler().call_handle(&mut *store, request, out));
        poll_fn(|cx| {
            let polled = guest.as_mut().poll(cx);
            if polled.is_pending() && !has_yielded() {
                // How it ends is asked once the guest has returned.
                let _: Poll<Outcome> = reply.poll(cx);
            }
            polled
        })
        .await?;
    }
    Ok(reply.rest().await)
}
