//! `server-response`.

use std::sync::{Arc, Mutex};

use super::{Done, ErrorCode, handles, lines};
use crate::ErrorCode as Refused;
use crate::native::connection::Connection;
use crate::native::lock;
use crate::native::poll::Pollable;
use crate::native::response::Response;
use crate::native::world;

/// `server-response`.
#[derive(Debug)]
pub struct ServerResponse {
    pub(crate) response: Arc<Mutex<Response>>,
    pub(crate) connection: Arc<Connection>,
}

fn owned(values: &[&[u8]]) -> Vec<Vec<u8>> {
    values.iter().map(|value| value.to_vec()).collect()
}

impl ServerResponse {
    fn with<T>(&self, work: impl FnOnce(&mut Response) -> T) -> T {
        let mut response = lock(&self.response);
        if self.connection.is_destroyed() {
            response.fail(Refused::Destroyed);
        }
        work(&mut response)
    }

    /// Does `work`, and sends what it puts out.
    fn send(&self, work: impl FnOnce(&mut Response) -> Result<(), Refused>) -> Done {
        self.with(|response| {
            work(response)?;
            response.flush();
            Ok(())
        })
    }

    pub fn status_code(&self) -> u16 {
        self.with(|response| response.status)
    }

    pub fn set_status_code(&self, code: u16) {
        self.with(|response| {
            if !response.is_fixed() {
                response.status = code;
            }
        });
    }

    pub fn status_message(&self) -> Option<String> {
        self.with(|response| response.reason.clone())
    }

    pub fn set_status_message(&self, message: Option<&str>) {
        self.with(|response| {
            if !response.is_fixed() {
                response.reason = message.map(str::to_owned);
            }
        });
    }

    pub fn set_header(&self, name: &str, values: &[&[u8]]) -> Done {
        Ok(self.with(|response| response.open_fields()?.set(name, owned(values)))?)
    }

    pub fn append_header(&self, name: &str, values: &[&[u8]]) -> Done {
        Ok(self.with(|response| response.open_fields()?.append(name, owned(values)))?)
    }

    pub fn get_header(&self, name: &str) -> Option<Vec<Vec<u8>>> {
        self.with(|response| response.fields.get(name).map(<[_]>::to_vec))
    }

    pub fn has_header(&self, name: &str) -> bool {
        self.with(|response| response.fields.has(name))
    }

    pub fn header_names(&self) -> Vec<String> {
        self.with(|response| response.fields.names())
    }

    pub fn remove_header(&self, name: &str) -> Done {
        self.with(|response| {
            response.open_fields()?.remove(name);
            Ok(())
        })
    }

    pub fn write_head(&self, status: u16, reason: Option<&str>, headers: &[(&str, &[u8])]) -> Done {
        Ok(self.with(|response| response.write_head(status, reason.map(str::to_owned), lines(headers)))?)
    }

    pub fn flush_headers(&self) -> Done {
        self.send(Response::flush_headers)
    }

    pub fn write(&self, chunk: &[u8]) -> Done {
        Ok(self.with(|response| response.write(chunk))?)
    }

    pub fn try_write(&self, chunk: &[u8]) -> Done<bool> {
        self.write(chunk)?;
        // The client takes everything at once.
        Ok(false)
    }

    pub fn end(&self, chunk: Option<&[u8]>) -> Done {
        self.send(|response| response.end(chunk))
    }

    pub fn finished(&self) -> Done {
        world::wait();
        self.with(|response| match response.failure() {
            Some(error) => Err(error.clone().into()),
            None if response.is_ended() => Ok(()),
            None => Err(ErrorCode::InvalidArg("finished before end; call end first".to_owned())),
        })
    }

    pub fn add_trailers(&self, trailers: &[(&str, &[u8])]) -> Done {
        Ok(self.with(|response| response.add_trailers(lines(trailers)))?)
    }

    pub fn cork(&self) {
        self.with(Response::cork);
    }

    pub fn uncork(&self) {
        self.with(Response::uncork);
    }

    pub fn headers_sent(&self) -> bool {
        self.with(|response| response.is_fixed())
    }

    pub fn writable_ended(&self) -> bool {
        self.with(|response| response.is_ended())
    }

    pub fn writable_finished(&self) -> bool {
        self.with(|response| response.is_ended() && response.buffered() == 0)
    }

    pub fn writable_length(&self) -> u64 {
        self.with(|response| response.buffered() as u64)
    }

    pub fn send_date(&self) -> bool {
        self.with(|response| response.send_date)
    }

    pub fn set_send_date(&self, send: bool) {
        self.with(|response| response.send_date = send);
    }

    pub fn should_keep_alive(&self) -> bool {
        self.with(|response| response.keep_alive)
    }

    pub fn set_should_keep_alive(&self, keep: bool) {
        self.with(|response| {
            if !response.is_fixed() {
                response.keep_alive = keep;
            }
        });
    }

    pub fn set_timeout(&self, _milliseconds: u32) {}

    pub fn write_information(&self, status: u16, headers: &[(&str, &[u8])]) -> Done {
        self.send(|response| response.write_information(status, lines(headers)))
    }

    pub fn write_continue(&self) -> Done {
        self.write_information(100, &[])
    }

    pub fn write_processing(&self) -> Done {
        self.write_information(102, &[])
    }

    pub fn write_early_hints(&self, links: &[&str], headers: &[(&str, &[u8])]) -> Done {
        if let Some(bad) = links.iter().find(|link| !is_link(link)) {
            return Err(ErrorCode::InvalidArg(format!("{bad:?} is no link; write it as <uri>; rel=preload")));
        }
        if links.is_empty() {
            return Ok(());
        }
        let link = links.join(", ");
        let mut all = vec![("Link", link.as_bytes())];
        all.extend(headers);
        self.write_information(103, &all)
    }

    pub fn destroy(&self) {
        self.connection.destroy();
    }

    pub fn subscribe(&self) -> Pollable {
        Pollable::ready()
    }

    handles!();
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
