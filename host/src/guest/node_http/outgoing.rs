//! `request`: what a program asks of others with `http.request`. It goes the
//! way of all requests of guests, under the operator's policy and limits; the
//! interface has it whole, and its response whole.

use std::future::poll_fn;
use std::time::Duration;

use wasmtime::Result;

use crate::guest::instance::HostState;
use crate::guest::node_http::bindings::jco::node::http::{Error, Header, Host, RequestOptions, Response};
use crate::guest::node_http::{ACCESS_DENIED, node_error};
use crate::outbound::connect::Alpn;
use crate::outbound::draft::Opening;
use crate::outbound::error::OutboundError;
use crate::outbound::origin::Origin;
use crate::outbound::request::{self, ClientRequest, Times, Via};
use crate::wire::error::MessageError;
use crate::wire::http1::fields::Line;
use crate::wire::ledger::Charge;

/// Bytes of the response's body asked for at a time.
const READ_BYTES: usize = 64 * 1024;

impl Host for HostState {
    async fn request(&mut self, options: RequestOptions) -> Result<Result<Response, Error>> {
        if options.tls.is_some() {
            let message = "requests by node:https are not linked; use fetch, which speaks TLS";
            return Ok(Err(node_error("ERR_METHOD_NOT_IMPLEMENTED", message)));
        }
        Ok(self.ask(options).await.map_err(|error| error_of(&error)))
    }
}

impl HostState {
    async fn ask(&mut self, options: RequestOptions) -> Result<Response, OutboundError> {
        let RequestOptions { method, scheme, authority, path_with_query, headers, body, .. } = options;
        let client = self.outbound().clone();
        let cause = self.outgoing().admit(&client)?;
        let after = |milliseconds: Option<u32>| {
            milliseconds.filter(|some| *some > 0).map(|some| Duration::from_millis(some.into()))
        };
        let options = request::RequestOptions {
            opening: Opening {
                method,
                origin: Origin::parse(&scheme, &authority)?,
                path: path_with_query,
                headers: headers.into_iter().map(|header| (header.name, header.value)).collect(),
                auth: None,
            },
            timeout: None,
            times: Times {
                connect: after(options.connect_timeout_ms),
                first_byte: after(options.first_byte_timeout_ms),
                between_bytes: after(options.between_bytes_timeout_ms),
            },
            head_bytes_max: None,
            alpn: Alpn::Http1,
            cause,
        };
        let request = ClientRequest::new(&client, options, Via::Global)?;
        self.remember(&request);
        let (charge, bytes_max) = (self.charge(), self.limits().memory_bytes_max);
        let answered = exchanged(&request, body, charge, bytes_max).await;
        if answered.is_err() {
            request.destroy();
        }
        answered
    }
}

/// Sends the whole request and collects the whole response, which may come to
/// so many bytes; until the program has it, the host holds it, too.
async fn exchanged(
    request: &ClientRequest,
    body: Vec<u8>,
    mut charge: Charge,
    bytes_max: usize,
) -> Result<Response, OutboundError> {
    request.end((!body.is_empty()).then_some(body))?;
    poll_fn(|cx| request.poll_response(cx)).await?;
    let mut body = Vec::new();
    while poll_fn(|cx| request.poll_read(cx, &mut body, READ_BYTES)).await? > 0 {
        if body.len() > bytes_max {
            return Err(OutboundError::Limit("memory_bytes_max"));
        }
        if !charge.set(body.capacity() as u64) {
            return Err(OutboundError::Limit("memory_bytes_max of the tenant"));
        }
    }
    let head = request.head().ok_or(OutboundError::HangUp)?;
    let header = |(name, value): &Line| Header { name: name.clone(), value: value.clone() };
    Ok(Response {
        status_code: head.status,
        status_message: head.reason.clone(),
        http_version: head.version.to_owned(),
        headers: head.lines.iter().map(header).collect(),
        body,
    })
}

/// The error with Node's code for it.
fn error_of(error: &OutboundError) -> Error {
    let code = match error {
        OutboundError::Denied(_) => ACCESS_DENIED,
        OutboundError::Dns(_) => "ENOTFOUND",
        OutboundError::Connect(_) => "ECONNREFUSED",
        OutboundError::Timeout(_) => "ETIMEDOUT",
        OutboundError::HangUp | OutboundError::Message(MessageError::ConnectionReset) => "ECONNRESET",
        OutboundError::Aborted => "ABORT_ERR",
        OutboundError::UnescapedPath(_) => "ERR_UNESCAPED_CHARACTERS",
        OutboundError::InvalidProtocol(_) => "ERR_INVALID_PROTOCOL",
        OutboundError::Parse(_) => "HPE_INVALID_CONSTANT",
        OutboundError::Tls(_) | OutboundError::Certificate(_) => "EPROTO",
        OutboundError::Limit(_) => "ERR_OUT_OF_RANGE",
        OutboundError::Message(_) => "ERR_HTTP_INVALID_MESSAGE",
    };
    node_error(code, error.to_string())
}
