//! Where the output of an app's guests goes: into the log under the names of
//! tenant and app, and no more of it than their limits allow. The last lines
//! are kept for whoever asks, and followers get them as they come. Streams and
//! lines are made in `guest::stdio`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;
use tokio::sync::broadcast;

use crate::config::Name;
use crate::guest::logging::Level;
use crate::guest::stdio::{LINE_BYTES_MAX, LogStream, Stream, printable};

/// Lines of an app that are kept.
const TAIL_LINES_MAX: usize = 200;

/// Bytes of an app's lines that are kept.
const TAIL_BYTES_MAX: usize = 256 * 1024;

/// Lines that a follower may be behind; then it misses some, and is told.
const FOLLOWED_LINES_MAX: usize = 1024;

/// Where the output of all instances of an app goes, of whatever version.
#[derive(Debug, Clone)]
pub struct GuestLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    tenant: Name,
    app: Name,
    quota: Arc<LogQuota>,
    /// The app's own; locked before the tenant's.
    own: Mutex<Own>,
    recent: Mutex<Recent>,
}

#[derive(Debug)]
struct Own {
    bucket: Bucket,
    /// Lines since the last that passed.
    dropped: u64,
}

/// One line of a guest, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestLine {
    /// When it was whole.
    pub at: SystemTime,
    /// Which line of its app it is, from 1; what was dropped is counted, too,
    /// so that a gap shows it.
    pub sequence: u64,
    /// Where it came from.
    pub stream: Stream,
    /// The exchange that its instance was at work on, if it was on one.
    pub exchange: Option<u64>,
    /// The line without its end, with control characters spelled out.
    pub text: String,
}

/// What the guests of a tenant may put into the log, all its apps together.
#[derive(Debug)]
pub struct LogQuota {
    bucket: Mutex<Bucket>,
}

/// A second's worth of bytes, refilled as time passes.
#[derive(Debug)]
struct Bucket {
    bytes_per_second: u64,
    left: u64,
    refilled: Instant,
}

/// The last lines, and those who wait for the next.
#[derive(Debug, Default)]
struct Recent {
    sequence: u64,
    lines: VecDeque<Arc<GuestLine>>,
    bytes: usize,
    /// Only while somebody follows: most apps are never followed.
    followers: Option<broadcast::Sender<Arc<GuestLine>>>,
}

impl GuestLog {
    /// The log of `app`, of at most `bytes_per_second`, and of no more than
    /// what all apps of `tenant` have together.
    pub fn new(tenant: &Name, app: &Name, quota: Arc<LogQuota>, bytes_per_second: u64) -> Self {
        let own = Own { bucket: Bucket::full(bytes_per_second), dropped: 0 };
        let (tenant, app) = (tenant.clone(), app.clone());
        let (own, recent) = (Mutex::new(own), Mutex::default());
        GuestLog { shared: Arc::new(Shared { tenant, app, quota, own, recent }) }
    }

    /// Changes what the app may put into the log.
    pub fn set_rate(&self, bytes_per_second: u64) {
        self.shared.own.lock().bucket.set(bytes_per_second);
    }

    /// One of the streams of an instance. `current` is the number of the
    /// exchange that the instance is at work on, 0 for none.
    pub fn stream(&self, stream: Stream, current: Arc<AtomicU64>) -> LogStream {
        LogStream::new(self.clone(), stream, current)
    }

    /// The last lines, at most so many, the oldest first.
    pub fn tail(&self, lines: usize) -> Vec<Arc<GuestLine>> {
        let recent = self.shared.recent.lock();
        recent.lines.iter().skip(recent.lines.len().saturating_sub(lines)).cloned().collect()
    }

    /// The lines from now on. Who is too slow for them misses some and is told
    /// how many. To have those before as well, follow first and ask for the
    /// tail then: what is in both has the same `sequence`.
    pub fn follow(&self) -> broadcast::Receiver<Arc<GuestLine>> {
        let mut recent = self.shared.recent.lock();
        recent.followers.get_or_insert_with(|| broadcast::Sender::new(FOLLOWED_LINES_MAX)).subscribe()
    }

    /// Takes a line of the host's own about what a guest asks of others, by the
    /// same rates: a guest cannot flood the log by what it is refused either.
    pub fn note(&self, exchange: u64, line: &str) {
        let Some(text) = self.noted(line) else { return };
        let (tenant, app) = (self.shared.tenant.as_str(), self.shared.app.as_str());
        tracing::warn!(target: "outbound", tenant, app, exchange, "{text}");
    }

    /// The same about what it does with buckets.
    pub fn note_key_values(&self, exchange: u64, line: &str) {
        let Some(text) = self.noted(line) else { return };
        let (tenant, app) = (self.shared.tenant.as_str(), self.shared.app.as_str());
        tracing::warn!(target: "keyvalue", tenant, app, exchange, "{text}");
    }

    /// The text of a line of the host's own, if it may pass.
    fn noted(&self, line: &str) -> Option<String> {
        let dropped = self.shared.take(line.len() as u64 + 1)?;
        self.shared.tell_dropped(dropped);
        Some(printable(line.as_bytes()))
    }

    /// Takes what a guest logs by `wasi:logging`. The log filter of the host
    /// has it as it has its own lines; who asks for the app's gets all.
    pub(super) fn log(&self, level: Level, exchange: Option<u64>, context: &str, message: &str) {
        let (tenant, app) = (self.shared.tenant.as_str(), self.shared.app.as_str());
        let (context, text) = (bounded(context), bounded(message));
        let Some(dropped) = self.shared.take((context.len() + text.len()) as u64 + 1) else {
            self.shared.recent.lock().sequence += 1;
            return;
        };
        self.shared.tell_dropped(dropped);
        macro_rules! tell {
            ($level:ident) => {
                tracing::$level!(target: "guest", tenant, app, stream = "log", severity = level.name(), context, exchange, "{text}")
            };
        }
        match level {
            Level::Trace => tell!(trace),
            Level::Debug => tell!(debug),
            Level::Info => tell!(info),
            Level::Warn => tell!(warn),
            Level::Error | Level::Critical => tell!(error),
        }
        let text = if context.is_empty() { text } else { format!("{context}: {text}") };
        self.shared.recent.lock().put(Stream::Log(level), exchange, text);
    }

    /// Takes a line without its end.
    pub(super) fn put(&self, stream: Stream, exchange: Option<u64>, line: &[u8]) {
        let (tenant, app) = (self.shared.tenant.as_str(), self.shared.app.as_str());
        let Some(dropped) = self.shared.take(line.len() as u64 + 1) else {
            self.shared.recent.lock().sequence += 1;
            return;
        };
        self.shared.tell_dropped(dropped);
        let text = printable(line);
        match stream {
            Stream::Stderr => {
                tracing::warn!(target: "guest", tenant, app, stream = "stderr", exchange, "{text}")
            }
            _ => tracing::info!(target: "guest", tenant, app, stream = stream.name(), exchange, "{text}"),
        }
        self.shared.recent.lock().put(stream, exchange, text);
    }
}

impl Shared {
    /// Whether a line of so many bytes may pass: then, how many were dropped
    /// before it.
    fn take(&self, bytes: u64) -> Option<u64> {
        let now = Instant::now();
        let mut own = self.own.lock();
        let mut tenants = self.quota.bucket.lock();
        if !own.bucket.has_room(bytes, now) || !tenants.has_room(bytes, now) {
            own.dropped += 1;
            return None;
        }
        own.bucket.take(bytes);
        tenants.take(bytes);
        Some(std::mem::take(&mut own.dropped))
    }

    /// Says how many lines were dropped before the one that passes now.
    fn tell_dropped(&self, dropped: u64) {
        if dropped == 0 {
            return;
        }
        let limit = self.own.lock().bucket.bytes_per_second;
        let tenant_limit = self.quota.bucket.lock().bytes_per_second;
        tracing::warn!(
            target: "guest",
            tenant = self.tenant.as_str(),
            app = self.app.as_str(),
            log_bytes_per_second = limit,
            tenant_log_bytes_per_second = tenant_limit,
            "{dropped} lines of the guest were dropped"
        );
    }
}

impl LogQuota {
    /// At most so many bytes per second.
    pub fn new(bytes_per_second: u64) -> Self {
        LogQuota { bucket: Mutex::new(Bucket::full(bytes_per_second)) }
    }

    /// Changes that.
    pub fn set(&self, bytes_per_second: u64) {
        self.bucket.lock().set(bytes_per_second);
    }
}

impl Bucket {
    fn full(bytes_per_second: u64) -> Self {
        Bucket { bytes_per_second, left: bytes_per_second, refilled: Instant::now() }
    }

    fn set(&mut self, bytes_per_second: u64) {
        // One that was full stays so: a higher rate is there at once.
        let was_full = self.left == self.bytes_per_second;
        self.bytes_per_second = bytes_per_second;
        self.left = if was_full { bytes_per_second } else { self.left.min(bytes_per_second) };
    }

    fn has_room(&mut self, bytes: u64, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.refilled).as_millis();
        let refill = u64::try_from(passed).unwrap_or(u64::MAX).saturating_mul(self.bytes_per_second) / 1000;
        if refill > 0 {
            self.left = self.left.saturating_add(refill).min(self.bytes_per_second);
            self.refilled = now;
        }
        // A full bucket lets any line pass, or one longer than it never would.
        bytes <= self.left || (self.left == self.bytes_per_second && self.left > 0)
    }

    fn take(&mut self, bytes: u64) {
        self.left = self.left.saturating_sub(bytes);
    }
}

impl Recent {
    fn put(&mut self, stream: Stream, exchange: Option<u64>, text: String) {
        self.sequence += 1;
        self.bytes += text.len();
        let at = SystemTime::now();
        let line = Arc::new(GuestLine { at, sequence: self.sequence, stream, exchange, text });
        // It fails if nobody follows any more.
        if self.followers.as_ref().is_some_and(|followers| followers.send(line.clone()).is_err()) {
            self.followers = None;
        }
        self.lines.push_back(line);
        while self.lines.len() > TAIL_LINES_MAX || self.bytes > TAIL_BYTES_MAX {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.text.len();
        }
    }
}

/// A text that a guest logs, printable and no longer than a line may be.
fn bounded(text: &str) -> String {
    let (kept, rest) = text.split_at(text.floor_char_boundary(LINE_BYTES_MAX));
    let mut safe = printable(kept.as_bytes());
    if !rest.is_empty() {
        safe.push_str(&format!(" ({} bytes more)", rest.len()));
    }
    safe
}

#[cfg(test)]
pub(super) mod tests;
