//! `server-response`: the answer as a guest writes it (Node:
//! `http.ServerResponse`).

use std::future::poll_fn;
use std::time::Duration;

use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::DynPollable;

use crate::guest::api::bindings::innkeeper::http::types::{ErrorCode, HostServerResponse};
use crate::guest::api::{Of, ServerResponse};
use crate::guest::instance::HostState;
use crate::wire::error::MessageError;
use crate::wire::exchange::Exchange;
use crate::wire::http1::fields::Line;
use crate::wire::http1::response::Response;

type Answer = Resource<ServerResponse>;
type Done = Result<Result<(), ErrorCode>>;

impl HostState {
    /// What `look` sees of the response, or the default of one that is over.
    fn see<T: Default>(&self, answer: &Answer, look: impl FnOnce(&mut Response) -> T) -> Result<T> {
        Ok(self.table.get(answer)?.0.look(|exchange| exchange.with_response(look)))
    }

    /// Does `work` on the exchange.
    fn work<T>(
        &self,
        answer: &Answer,
        work: impl FnOnce(&Exchange) -> Result<T, MessageError>,
    ) -> Result<Result<T, ErrorCode>> {
        let exchange = self.table.get(answer)?.0.get();
        Ok(exchange.and_then(|exchange| work(exchange).map_err(ErrorCode::from)))
    }

    /// Does `work` on the response and sends what it puts out.
    fn send(&self, answer: &Answer, work: impl FnOnce(&mut Response) -> Result<(), MessageError>) -> Done {
        self.work(answer, |exchange| {
            exchange.with_response(work)?;
            exchange.flush_now();
            Ok(())
        })
    }
}

impl HostServerResponse for HostState {
    fn status_code(&mut self, answer: Answer) -> Result<u16> {
        self.see(&answer, |response| response.status)
    }

    fn set_status_code(&mut self, answer: Answer, code: u16) -> Result<()> {
        self.see(&answer, |response| {
            if !response.is_fixed() {
                response.status = code;
            }
        })
    }

    fn status_message(&mut self, answer: Answer) -> Result<Option<String>> {
        self.see(&answer, |response| response.reason.clone())
    }

    fn set_status_message(&mut self, answer: Answer, message: Option<String>) -> Result<()> {
        self.see(&answer, |response| {
            if !response.is_fixed() {
                response.reason = message;
            }
        })
    }

    fn set_header(&mut self, answer: Answer, name: String, values: Vec<Vec<u8>>) -> Done {
        self.work(&answer, |exchange| {
            exchange.with_response(|response| {
                let (fields, limits) = response.open_fields()?;
                fields.set(&name, values, limits)
            })
        })
    }

    fn append_header(&mut self, answer: Answer, name: String, values: Vec<Vec<u8>>) -> Done {
        self.work(&answer, |exchange| {
            exchange.with_response(|response| {
                let (fields, limits) = response.open_fields()?;
                fields.append(&name, values, limits)
            })
        })
    }

    fn get_header(&mut self, answer: Answer, name: String) -> Result<Option<Vec<Vec<u8>>>> {
        self.see(&answer, |response| response.fields.get(&name).map(<[_]>::to_vec))
    }

    fn has_header(&mut self, answer: Answer, name: String) -> Result<bool> {
        self.see(&answer, |response| response.fields.has(&name))
    }

    fn header_names(&mut self, answer: Answer) -> Result<Vec<String>> {
        self.see(&answer, |response| response.fields.names())
    }

    fn remove_header(&mut self, answer: Answer, name: String) -> Done {
        self.work(&answer, |exchange| {
            exchange.with_response(|response| {
                response.open_fields()?.0.remove(&name);
                Ok(())
            })
        })
    }

    fn write_head(
        &mut self,
        answer: Answer,
        status: u16,
        reason: Option<String>,
        headers: Vec<Line>,
    ) -> Done {
        self.work(&answer, |exchange| {
            exchange.with_response(|response| response.write_head(status, reason, headers))
        })
    }

    fn flush_headers(&mut self, answer: Answer) -> Done {
        self.send(&answer, Response::flush_headers)
    }

    async fn write(&mut self, answer: Answer, chunk: Vec<u8>) -> Done {
        let exchange = match self.table.get(&answer)?.0.get() {
            Ok(exchange) => exchange,
            Err(error) => return Ok(Err(error)),
        };
        if let Err(error) = exchange.write(chunk, false) {
            return Ok(Err(error.into()));
        }
        Ok(poll_fn(|cx| exchange.poll_room(cx)).await.map_err(ErrorCode::from))
    }

    fn try_write(&mut self, answer: Answer, chunk: Vec<u8>) -> Result<Result<bool, ErrorCode>> {
        self.work(&answer, |exchange| {
            exchange.write(chunk, true)?;
            Ok(exchange.flush_if_full())
        })
    }

    fn end(&mut self, answer: Answer, chunk: Option<Vec<u8>>) -> Done {
        self.work(&answer, |exchange| exchange.end(chunk))
    }

    async fn finished(&mut self, answer: Answer) -> Done {
        let exchange = match self.table.get(&answer)?.0.get() {
            Ok(exchange) => exchange,
            Err(error) => return Ok(Err(error)),
        };
        let (ended, failed) =
            exchange.with_response(|response| (response.is_ended(), response.failure().is_some()));
        if !ended && !failed {
            return Ok(Err(ErrorCode::InvalidArg("finished before end; call end first".to_owned())));
        }
        Ok(poll_fn(|cx| exchange.poll_flush(cx)).await.map_err(ErrorCode::from))
    }

    fn add_trailers(&mut self, answer: Answer, trailers: Vec<Line>) -> Done {
        self.work(&answer, |exchange| exchange.with_response(|response| response.add_trailers(trailers)))
    }

    fn cork(&mut self, answer: Answer) -> Result<()> {
        self.see(&answer, Response::cork)
    }

    fn uncork(&mut self, answer: Answer) -> Result<()> {
        self.see(&answer, Response::uncork)
    }

    fn headers_sent(&mut self, answer: Answer) -> Result<bool> {
        self.see(&answer, |response| response.is_fixed())
    }

    fn writable_ended(&mut self, answer: Answer) -> Result<bool> {
        self.see(&answer, |response| response.is_ended())
    }

    fn writable_finished(&mut self, answer: Answer) -> Result<bool> {
        self.see(&answer, |response| response.is_ended() && response.buffered() == 0)
    }

    fn writable_length(&mut self, answer: Answer) -> Result<u64> {
        self.see(&answer, |response| response.buffered() as u64)
    }

    fn send_date(&mut self, answer: Answer) -> Result<bool> {
        self.see(&answer, |response| response.send_date)
    }

    fn set_send_date(&mut self, answer: Answer, send: bool) -> Result<()> {
        self.see(&answer, |response| response.send_date = send)
    }

    fn should_keep_alive(&mut self, answer: Answer) -> Result<bool> {
        self.see(&answer, |response| response.keep_alive)
    }

    fn set_should_keep_alive(&mut self, answer: Answer, keep: bool) -> Result<()> {
        self.see(&answer, |response| {
            if !response.is_fixed() {
                response.keep_alive = keep;
            }
        })
    }

    fn set_timeout(&mut self, answer: Answer, milliseconds: u32) -> Result<()> {
        let timeout = Duration::from_millis(milliseconds.into());
        self.table.get(&answer)?.0.look(|exchange| exchange.set_idle_timeout(timeout));
        Ok(())
    }

    fn write_information(&mut self, answer: Answer, status: u16, headers: Vec<Line>) -> Done {
        self.send(&answer, |response| response.write_information(status, &headers))
    }

    fn write_continue(&mut self, answer: Answer) -> Done {
        self.send(&answer, |response| response.write_information(100, &[]))
    }

    fn write_processing(&mut self, answer: Answer) -> Done {
        self.send(&answer, |response| response.write_information(102, &[]))
    }

    fn write_early_hints(&mut self, answer: Answer, links: Vec<String>, headers: Vec<Line>) -> Done {
        if let Some(bad) = links.iter().find(|link| !is_link(link)) {
            return Ok(Err(ErrorCode::InvalidArg(format!(
                "{bad:?} is no link; write it as <uri>; rel=preload"
            ))));
        }
        if links.is_empty() {
            return self.work(&answer, |_| Ok(()));
        }
        let mut lines = vec![("Link".to_owned(), links.join(", ").into_bytes())];
        lines.extend(headers);
        self.send(&answer, |response| response.write_information(103, &lines))
    }

    fn destroy(&mut self, answer: Answer) -> Result<()> {
        self.table.get(&answer)?.0.look(Exchange::destroy);
        Ok(())
    }

    fn subscribe(&mut self, answer: Answer) -> Result<Resource<DynPollable>> {
        let held = self.table.get(&answer)?.0.clone();
        HostState::subscribe(self, held, Of::Response)
    }

    fn drop(&mut self, answer: Answer) -> Result<()> {
        self.table.delete(answer)?;
        Ok(())
    }
}

/// `<uri>`, then parameters (RFC 8288 3), as Node checks it.
fn is_link(link: &str) -> bool {
    let Some((_, params)) = link.strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
        return false;
    };
    let mut params = params.split(';').map(str::trim);
    params.next() == Some("")
        && params.all(|param| {
            let name = param.split_once('=').map_or(param, |(name, _)| name);
            !name.is_empty() && !name.contains(char::is_whitespace)
        })
}
