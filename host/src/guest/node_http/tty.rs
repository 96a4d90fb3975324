//! `tty`: there is no terminal. A program's `process` opens its standard
//! streams as if there were one when it is first looked at, so that has to
//! succeed: nothing is read, and what is written goes to the app's log.

use bytes::Bytes;
use wasmtime::Result;
use wasmtime_wasi::cli::StdoutStream as _;

use crate::guest::instance::HostState;
use crate::guest::node_http::ERROR;
use crate::guest::node_http::bindings::jco::node::tty::{Direction, EnvVars, Error, Host, TerminalSize};
use crate::guest::stdio::Stream;

/// Bytes that the log takes in one call.
const WRITE_BYTES: usize = 64 * 1024;

type Told<T> = Result<Result<T, Error>>;

impl Host for HostState {
    fn is_tty(&mut self, _fd: u32) -> Told<bool> {
        Ok(Ok(false))
    }

    fn open(&mut self, _fd: u32, _direction: Direction) -> Told<()> {
        Ok(Ok(()))
    }

    fn close(&mut self, _fd: u32, _direction: Direction) -> Told<()> {
        Ok(Ok(()))
    }

    fn window_size(&mut self, _fd: u32) -> Told<TerminalSize> {
        Ok(Err(no_terminal()))
    }

    fn set_raw_mode(&mut self, _fd: u32, _enabled: bool) -> Told<()> {
        Ok(Err(no_terminal()))
    }

    fn read(&mut self, _fd: u32, _max_bytes: u32) -> Told<Vec<u8>> {
        // The end of the input.
        Ok(Ok(Vec::new()))
    }

    fn write(&mut self, fd: u32, data: Vec<u8>) -> Told<()> {
        let stream = match fd {
            1 => Stream::Stdout,
            2 => Stream::Stderr,
            _ => return Ok(Err(no_terminal())),
        };
        // Whole lines, or what there is of one: the next call begins anew.
        let mut lines = self.log_stream(stream).p2_stream();
        for piece in data.chunks(WRITE_BYTES) {
            lines.write(Bytes::copy_from_slice(piece))?;
        }
        Ok(Ok(()))
    }

    fn environment(&mut self) -> Told<EnvVars> {
        // It is asked for colours only.
        Ok(Ok(Vec::new()))
    }
}

fn no_terminal() -> Error {
    Error {
        name: ERROR.to_owned(),
        message: "there is no terminal on this host".to_owned(),
        code: Some("ENOTTY".to_owned()),
        errno: None,
        syscall: None,
        info: None,
    }
}
