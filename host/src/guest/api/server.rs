//! `server`: the app's own listening side (Node: `http.Server`), as far as the
//! operator lets it be controlled.

use std::time::Duration;

use wasmtime::Result;

use crate::guest::api::bindings::innkeeper::http::server::Host;
use crate::guest::api::bindings::innkeeper::http::types::ErrorCode;
use crate::guest::instance::HostState;
use crate::wire::error::MessageError;
use crate::wire::site::Control;
use crate::wire::timeouts::{Timeout, Timeouts};

type Told<T> = Result<Result<T, ErrorCode>>;

impl HostState {
    fn control<T>(&self, work: impl FnOnce(&Control) -> Result<T, MessageError>) -> Told<T> {
        Ok(match self.granted_control() {
            Some(control) => work(control).map_err(ErrorCode::from),
            None => Err(ErrorCode::Denied("server-control; the operator grants it with --allow".to_owned())),
        })
    }

    fn read_timeout(&self, which: impl FnOnce(&Timeouts) -> &Timeout) -> Told<u32> {
        self.control(|control| {
            let timeout = which(control.timeouts()).get();
            Ok(timeout.map_or(0, |timeout| u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX)))
        })
    }

    fn change_timeout(&self, which: impl FnOnce(&Timeouts) -> &Timeout, milliseconds: u32) -> Told<()> {
        let timeout = (milliseconds > 0).then(|| Duration::from_millis(milliseconds.into()));
        self.control(|control| which(control.timeouts()).set(timeout))
    }
}

impl Host for HostState {
    fn listening(&mut self) -> Told<bool> {
        self.control(|control| Ok(control.is_open()))
    }

    fn get_connections(&mut self) -> Told<u64> {
        self.control(|control| Ok(control.connections() as u64))
    }

    fn close(&mut self) -> Told<()> {
        self.control(|control| if control.close() { Ok(()) } else { Err(MessageError::ServerNotRunning) })
    }

    fn close_idle_connections(&mut self) -> Told<()> {
        self.control(|control| {
            control.close_idle();
            Ok(())
        })
    }

    fn close_all_connections(&mut self) -> Told<()> {
        self.control(|control| {
            control.close_all();
            Ok(())
        })
    }

    fn keep_alive_timeout(&mut self) -> Told<u32> {
        self.read_timeout(|timeouts| &timeouts.keep_alive)
    }

    fn set_keep_alive_timeout(&mut self, milliseconds: u32) -> Told<()> {
        self.change_timeout(|timeouts| &timeouts.keep_alive, milliseconds)
    }

    fn headers_timeout(&mut self) -> Told<u32> {
        self.read_timeout(|timeouts| &timeouts.head)
    }

    fn set_headers_timeout(&mut self, milliseconds: u32) -> Told<()> {
        self.change_timeout(|timeouts| &timeouts.head, milliseconds)
    }

    fn request_timeout(&mut self) -> Told<u32> {
        self.read_timeout(|timeouts| &timeouts.request)
    }

    fn set_request_timeout(&mut self, milliseconds: u32) -> Told<()> {
        self.change_timeout(|timeouts| &timeouts.request, milliseconds)
    }

    fn timeout(&mut self) -> Told<u32> {
        self.read_timeout(|timeouts| &timeouts.idle)
    }

    fn set_timeout(&mut self, milliseconds: u32) -> Told<()> {
        self.change_timeout(|timeouts| &timeouts.idle, milliseconds)
    }
}
