//! A guest's standard output and error: they go into the log, line by line,
//! under the app's name, and no more of them than the limit allows.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

/// Bytes after which a line is broken, so that one without an end does not
/// grow for ever.
const LINE_BYTES_MAX: usize = 8 * 1024;

/// Bytes a guest may write in one call.
const WRITE_BYTES_MAX: usize = 64 * 1024;

/// Which of the two streams a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output: logged as information.
    Stdout,
    /// Standard error: logged as a warning.
    Stderr,
}

/// Where the output of all instances of an app goes.
#[derive(Debug, Clone)]
pub struct GuestLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    app: String,
    bytes_per_second: u64,
    bucket: Mutex<Bucket>,
}

/// A second's worth of bytes, refilled as time passes.
#[derive(Debug)]
struct Bucket {
    left: u64,
    refilled: Instant,
    dropped: u64,
}

/// One stream of one instance.
#[derive(Debug)]
pub struct LogStream {
    log: GuestLog,
    stream: Stream,
}

/// What a guest writes to: lines are kept until they are whole.
struct LineWriter {
    log: GuestLog,
    stream: Stream,
    line: Vec<u8>,
}

impl GuestLog {
    /// A log for `app`, of at most `bytes_per_second`.
    pub fn new(app: &str, bytes_per_second: u64) -> Self {
        let bucket = Bucket { left: bytes_per_second, refilled: Instant::now(), dropped: 0 };
        let shared = Shared { app: app.to_owned(), bytes_per_second, bucket: Mutex::new(bucket) };
        GuestLog { shared: Arc::new(shared) }
    }

    /// One of its streams, for one instance.
    pub fn stream(&self, stream: Stream) -> LogStream {
        LogStream { log: self.clone(), stream }
    }

    fn put(&self, stream: Stream, line: &[u8]) {
        let app = self.shared.app.as_str();
        let (granted, dropped) =
            self.shared.bucket.lock().take(line.len() as u64 + 1, self.shared.bytes_per_second);
        if dropped > 0 {
            let limit = self.shared.bytes_per_second;
            tracing::warn!(target: "guest", app, log_bytes_per_second = limit, "{dropped} lines of the guest were dropped");
        }
        if !granted {
            return;
        }
        let line = printable(line);
        match stream {
            Stream::Stdout => tracing::info!(target: "guest", app, stream = "stdout", "{line}"),
            Stream::Stderr => tracing::warn!(target: "guest", app, stream = "stderr", "{line}"),
        }
    }
}

impl Bucket {
    /// Whether a line of so many bytes may pass, and how many were dropped
    /// before it, if it is the first to pass again.
    fn take(&mut self, bytes: u64, bytes_per_second: u64) -> (bool, u64) {
        let now = Instant::now();
        let passed = now.duration_since(self.refilled).as_millis();
        let refill = u64::try_from(passed).unwrap_or(u64::MAX).saturating_mul(bytes_per_second) / 1000;
        if refill > 0 {
            self.left = self.left.saturating_add(refill).min(bytes_per_second);
            self.refilled = now;
        }
        // A full bucket lets any line pass, or one longer than it never would.
        if bytes > self.left && self.left < bytes_per_second {
            self.dropped += 1;
            return (false, 0);
        }
        self.left = self.left.saturating_sub(bytes);
        (true, std::mem::take(&mut self.dropped))
    }
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
}

impl LineWriter {
    fn put_line(&mut self) {
        self.log.put(self.stream, &self.line);
        self.line.clear();
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.log.put(self.stream, &self.line);
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
    fn writer(&self) -> LineWriter {
        LineWriter { log: self.log.clone(), stream: self.stream, line: Vec::new() }
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
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_refills_and_tells_what_it_dropped() {
        let mut bucket = Bucket { left: 10, refilled: Instant::now() + Duration::from_secs(60), dropped: 0 };
        assert_eq!(bucket.take(8, 10), (true, 0));
        assert_eq!(bucket.take(8, 10), (false, 0));
        assert_eq!(bucket.take(8, 10), (false, 0));
        bucket.left = 10;
        assert_eq!(bucket.take(8, 10), (true, 2));
    }

    #[test]
    fn a_longer_line_than_the_rate_passes_a_full_bucket() {
        let mut bucket = Bucket { left: 10, refilled: Instant::now() + Duration::from_secs(60), dropped: 0 };
        assert_eq!(bucket.take(100, 10), (true, 0));
        assert_eq!(bucket.take(1, 10), (false, 0));
    }

    #[test]
    fn a_write_is_no_larger_than_permitted() {
        let mut writer = GuestLog::new("app", 0).stream(Stream::Stdout).writer();
        assert!(writer.write(Bytes::from(vec![b'x'; WRITE_BYTES_MAX])).is_ok());
        assert!(writer.write(Bytes::from(vec![b'x'; WRITE_BYTES_MAX + 1])).is_err());
    }

    #[test]
    fn a_line_without_end_is_broken() {
        let mut writer = GuestLog::new("app", 0).stream(Stream::Stdout).writer();
        writer.append(&vec![b'x'; 2 * LINE_BYTES_MAX + 7]);
        assert_eq!(writer.line.len(), 7);
    }

    #[test]
    fn a_line_cannot_forge_another() {
        assert_eq!(printable(b"a\tb\r\x1b[2Jc"), "a\tb\\r\\u{1b}[2Jc");
    }
}
