//! A guest's standard output and error, as WASI has them: cut into lines, which
//! go where `guest::log` sends them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::guest::log::GuestLog;
use crate::guest::logging::Level;

/// Bytes after which a line is broken, so that one without an end does not
/// grow for ever.
pub(super) const LINE_BYTES_MAX: usize = 8 * 1024;

/// Bytes a guest may write in one call.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output: logged as information.
    Stdout,
    /// Standard error: logged as a warning.
    Stderr,
    /// `wasi:logging`, at this level.
    Log(Level),
}

impl Stream {
    /// What it is called where lines are told: a stream, or a level.
    pub fn name(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
            Stream::Log(level) => level.name(),
        }
    }
}

/// One stream of one instance.
#[derive(Debug)]
pub struct LogStream {
    log: GuestLog,
    stream: Stream,
    /// The exchange that the instance is at work on, 0 for none.
    current: Arc<AtomicU64>,
}

/// What a guest writes to: lines are kept until they are whole.
struct LineWriter {
    log: GuestLog,
    stream: Stream,
    current: Arc<AtomicU64>,
    line: Vec<u8>,
}

impl LineWriter {
    fn append(&mut self, bytes: &[u8]) {
        for mut piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            while let Some((part, rest)) = piece.split_at_checked(LINE_BYTES_MAX - self.line.len()) {
                self.line.extend_from_slice(part);
                self.put_line();
                piece = rest;
            }
            self.line.extend_from_slice(piece);
            if self.line.last() == Some(&b'\n') {
                self.line.pop();
                self.put_line();
            }
        }
    }

    fn put_line(&mut self) {
        let current = self.current.load(Ordering::Relaxed);
        self.log.put(self.stream, (current != 0).then_some(current), &self.line);
        self.line.clear();
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.put_line();
        }
    }
}

/// A line as it can stand in a log: what would move the cursor or forge a line
/// is spelled out.
pub(super) fn printable(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    if text.chars().all(|char| char == '\t' || !char.is_control()) {
        return text.into_owned();
    }
    text.chars().fold(String::new(), |mut safe, char| {
        if char == '\t' || !char.is_control() {
            safe.push(char);
        } else {
            safe.extend(char.escape_default());
        }
        safe
    })
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.writer())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.writer())
    }
}

impl LogStream {
    pub(super) fn new(log: GuestLog, stream: Stream, current: Arc<AtomicU64>) -> Self {
        LogStream { log, stream, current }
    }

    fn writer(&self) -> LineWriter {
        let (log, current) = (self.log.clone(), self.current.clone());
        LineWriter { log, stream: self.stream, current, line: Vec::new() }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LineWriter {
    async fn ready(&mut self) {}
}

#[wasmtime_wasi::async_trait]
impl OutputStream for LineWriter {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        // What `check_write` told is for the stream itself to enforce.
        if bytes.len() > WRITE_BYTES_MAX {
            return Err(StreamError::trap("write of more bytes than check-write permitted"));
        }
        self.append(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl AsyncWrite for LineWriter {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.get_mut().append(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::log::tests::unlimited;

    fn writer(log: &GuestLog) -> LineWriter {
        log.stream(Stream::Stdout, Arc::default()).writer()
    }

    #[test]
    fn a_write_is_no_larger_than_permitted() {
        let mut writer = writer(&unlimited());
        assert!(writer.write(Bytes::from(vec![b'x'; WRITE_BYTES_MAX])).is_ok());
        assert!(writer.write(Bytes::from(vec![b'x'; WRITE_BYTES_MAX + 1])).is_err());
    }

    #[test]
    fn a_line_without_end_is_broken() {
        let mut writer = writer(&unlimited());
        writer.append(&vec![b'x'; 2 * LINE_BYTES_MAX + 7]);
        assert_eq!(writer.line.len(), 7);
    }

    #[test]
    fn a_line_cannot_forge_another() {
        assert_eq!(printable(b"a\tb\r\x1b[2Jc"), "a\tb\\r\\u{1b}[2Jc");
    }
    #[test]
    fn a_line_is_of_the_exchange_in_which_it_became_whole() {
        let (log, current) = (unlimited(), Arc::new(AtomicU64::new(0)));
        let mut writer = log.stream(Stream::Stderr, current.clone()).writer();
        writer.append(b"start\nhalf ");
        current.store(5, Ordering::Relaxed);
        writer.append(b"whole\nlast");
        drop(writer);
        let lines: Vec<_> = log.tail(10).iter().map(|line| (line.exchange, line.text.clone())).collect();
        let line = |exchange, text: &str| (exchange, text.to_owned());
        assert_eq!(lines, [line(None, "start"), line(Some(5), "half whole"), line(Some(5), "last")]);
    }
}
