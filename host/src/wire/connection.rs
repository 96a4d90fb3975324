//! One connection: waits for a request, hands the exchange over, and decides
//! afterwards whether the connection goes on, lingers or ends. One task drives
//! it from the accept to the close; an idle one holds no buffer.
//!
//! Dropping the future closes the socket at once.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout};

use crate::wire::drain::{Phase, Told};
use crate::wire::error::ClientFault;
use crate::wire::exchange::{Exchange, ExchangeParts};
use crate::wire::http1::fields::FieldLimits;
use crate::wire::http1::head::{HeadScanner, RequestHead, skip_empty_lines};
use crate::wire::http1::response::Response;
use crate::wire::http1::response_head::ResponseContext;
use crate::wire::http1::status::sentence;
use crate::wire::patience::{DrainSignal, Timer};
use crate::wire::refusal::Refusal;
use crate::wire::roster::Presence;
use crate::wire::site::Site;
use crate::wire::socket::Socket;

/// Bytes discarded at a time.
const SCRAP_BYTES: usize = 8 * 1024;

/// Time for the next request of an idle connection once draining has begun. A
/// client that makes one request after the other learns from the answer that
/// the connection closes; a close in between could meet a request on its way.
const PARTING: Duration = Duration::from_millis(250);

/// What answers exchanges, and hears of what the connection answers by itself.
pub trait Answer: Send + Sync + 'static {
    /// Answers `exchange`, and comes back when its last byte is sent or the
    /// response has failed. If the future is dropped, the exchange is left as
    /// it is, and its connection closes.
    fn answer(&self, exchange: Exchange) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Hears of bytes that were no good request, and words the answer to them
    /// unless the host is to do so. The connection closes after it. If the
    /// future is dropped, there is no answer.
    fn refuse(
        &self,
        socket: Arc<Socket>,
        refusal: Refusal,
    ) -> Pin<Box<dyn Future<Output = Option<Vec<u8>>> + Send>>;
}

/// What a connection is made with.
#[derive(Clone)]
pub struct Shared {
    /// What all connections know of their server.
    pub site: Arc<Site>,
    /// What answers.
    pub answer: Arc<dyn Answer>,
}

/// One connection.
pub struct Connection {
    socket: Arc<Socket>,
    presence: Arc<Presence>,
    shared: Shared,
    buffer: BytesMut,
    exchanges: u64,
    timer: Timer,
    drain: DrainSignal,
    /// What connections had been told when this one became idle.
    told: Told,
}

/// What the wait for a request ended in.
enum Next {
    Request(Exchange),
    Fault(ClientFault),
    Close,
}

/// What a wait for bytes ended in.
enum Event {
    Read(io::Result<BytesMut>),
    Drain,
    Idle,
    Late,
}

impl Connection {
    /// A connection that was just accepted.
    pub fn new(socket: Socket, shared: Shared) -> Self {
        let socket = Arc::new(socket);
        Connection {
            presence: shared.site.roster.enter(socket.clone()),
            socket,
            drain: DrainSignal::new(shared.site.clone()),
            told: shared.site.drain.told(),
            shared,
            buffer: BytesMut::new(),
            exchanges: 0,
            timer: Timer::default(),
        }
    }

    /// Serves the connection until it closes.
    pub async fn run(mut self) {
        loop {
            match self.next_request().await {
                Next::Request(exchange) => {
                    if !self.serve(exchange).await {
                        return;
                    }
                    if !self.buffer.is_empty() {
                        // Pipelined requests are there at once; others on
                        // this thread come in between.
                        yield_now().await;
                    }
                }
                // Boxed, because it is rare and would make every connection's
                // task as large as itself.
                Next::Fault(fault) => return Box::pin(self.refuse(fault)).await,
                Next::Close => return,
            }
        }
    }

    async fn next_request(&mut self) -> Next {
        let first = self.exchanges == 0;
        let mut now = if first { self.socket.opened() } else { Instant::now() };
        let began = now;
        let before = self.told;
        // Empty lines between requests are not the beginning of one.
        skip_empty_lines(&mut self.buffer);
        if !self.buffer.is_empty() && self.shared.site.drain.is_draining() {
            return Next::Close;
        }
        let mut parting = None;
        while self.buffer.is_empty() {
            let Site { timeouts, limits, .. } = &*self.shared.site;
            let patience = if first {
                timeouts.head.get()
            } else {
                let timeout = timeouts.keep_alive.get();
                timeout.map(|timeout| timeout.saturating_add(limits.keep_alive_timeout_buffer))
            };
            let late = patience.and_then(|timeout| began.checked_add(timeout));
            let late = late.into_iter().chain(parting).min();
            let phase = if parting.is_some() { Phase::Cut } else { Phase::Draining };
            let over = |told: Told| told.phase >= phase || told.closes_idle_since(before);
            match self.wait(late, over).await {
                Event::Read(Ok(bytes)) if !bytes.is_empty() => self.buffer = bytes,
                Event::Drain if parting.is_none() && self.parts_from(before) => {
                    parting = Instant::now().checked_add(PARTING);
                }
                Event::Late if first && parting.is_none() => return Next::Fault(ClientFault::HeadTimeout),
                Event::Read(_) | Event::Drain | Event::Idle | Event::Late => return Next::Close,
            }
            skip_empty_lines(&mut self.buffer);
            now = Instant::now();
        }
        // The time for the first head runs from the accept, for later ones
        // from their first byte.
        self.read_head(if first { began } else { now }, now).await
    }

    /// Whether draining, and nothing more, has been told since `before`.
    fn parts_from(&self, before: Told) -> bool {
        let told = self.shared.site.drain.told();
        told.phase == Phase::Draining && !told.closes_idle_since(before)
    }

    async fn read_head(&mut self, began: Instant, mut now: Instant) -> Next {
        let site = self.shared.site.clone();
        let head_limits = site.head_limits();
        let patience = site.timeouts.head.get().into_iter().chain(site.timeouts.request.get()).min();
        let before = self.told;
        let over = |told: Told| told.drops_since(before);
        let late = patience.and_then(|timeout| began.checked_add(timeout));
        let mut scanner = HeadScanner::default();
        loop {
            match scanner.advance(&mut self.buffer, head_limits) {
                Ok(Some(head)) => return Next::Request(self.begin(head, began, now)),
                Ok(None) => {}
                Err(fault) => return Next::Fault(fault),
            }
            match self.wait(late, over).await {
                Event::Read(Ok(bytes)) if !bytes.is_empty() => self.buffer.extend_from_slice(&bytes),
                Event::Read(Ok(_)) if !self.buffer.is_empty() => {
                    return Next::Fault(ClientFault::Malformed("end of the connection inside the head"));
                }
                Event::Late => return Next::Fault(ClientFault::HeadTimeout),
                Event::Read(_) | Event::Drain | Event::Idle => return Next::Close,
            }
            now = Instant::now();
        }
    }

    /// Waits for bytes, until `late`, until nothing has moved for too long, or
    /// until the connection is told that it is `over`.
    async fn wait(&mut self, late: Option<Instant>, over: impl Fn(Told) -> bool) -> Event {
        let Connection { socket, shared, timer, drain, .. } = self;
        let idle_timeout = shared.site.timeouts.idle.get();
        if idle_timeout.is_some() {
            socket.watch_moves();
        }
        poll_fn(|cx| {
            if let Poll::Ready(read) = socket.poll_read_few(cx) {
                return Poll::Ready(Event::Read(read));
            }
            if drain.poll(cx, &over).is_ready() {
                return Poll::Ready(Event::Drain);
            }
            let idle = idle_timeout.and_then(|timeout| socket.moved().checked_add(timeout));
            ready!(timer.poll(cx, idle.into_iter().chain(late).min()));
            let now = Instant::now();
            Poll::Ready(if idle.is_some_and(|at| at <= now) { Event::Idle } else { Event::Late })
        })
        .await
    }

    fn begin(&mut self, head: RequestHead, began: Instant, received: Instant) -> Exchange {
        static IDS: AtomicU64 = AtomicU64::new(1);
        self.exchanges += 1;
        let site = &self.shared.site;
        Exchange::new(ExchangeParts {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            number: self.exchanges,
            received,
            head,
            socket: self.socket.clone(),
            buffer: std::mem::take(&mut self.buffer),
            request_deadline: site.timeouts.request.get().and_then(|timeout| began.checked_add(timeout)),
            site: site.clone(),
            told: self.told,
        })
    }

    /// Has the exchange answered; returns whether the connection goes on.
    async fn serve(&mut self, exchange: Exchange) -> bool {
        self.presence.set_exchange(Some(exchange.clone()));
        self.shared.answer.answer(exchange.clone()).await;
        self.presence.set_exchange(None);
        self.shared.site.drain.count(exchange.is_sent());
        self.conclude(exchange).await
    }

    async fn conclude(&mut self, exchange: Exchange) -> bool {
        if exchange.needs_reset() {
            self.socket.reset_on_close();
            return false;
        }
        if !exchange.is_sent() || exchange.is_dropped() {
            return false;
        }
        let goes_on = exchange.keeps_alive() && self.discard_body(&exchange).await;
        self.told = exchange.told_when_sent().unwrap_or(self.told);
        self.buffer = exchange.take_buffer();
        let grace = exchange.grace();
        drop(exchange);
        if self.buffer.is_empty() {
            // Gives the memory back: the connection may be idle for long.
            self.buffer = BytesMut::new();
        }
        if !goes_on {
            self.close(grace).await;
        }
        goes_on
    }

    /// Reads on what the guest left of the body, within bounds; returns
    /// whether that was all of it.
    async fn discard_body(&mut self, exchange: &Exchange) -> bool {
        if exchange.is_complete() {
            return true;
        }
        let limits = &self.shared.site.limits;
        let mut scrap = Vec::new();
        let mut discarded = 0;
        let discard = async {
            while discarded <= limits.unread_body_bytes_max {
                scrap.clear();
                match poll_fn(|cx| exchange.poll_read(cx, &mut scrap, SCRAP_BYTES)).await {
                    Ok(0) => return true,
                    Ok(count) => discarded += count as u64,
                    Err(_) => return false,
                }
            }
            false
        };
        tokio::select! {
            all = timeout(limits.linger_timeout, discard) => all.unwrap_or(false),
            () = self.shared.site.drain.reached(Phase::Cut) => false,
        }
    }

    /// Answers a request that is none, and closes.
    async fn refuse(&mut self, fault: ClientFault) {
        let site = self.shared.site.clone();
        let refusal = Refusal::of_head(fault, &self.buffer);
        let before = self.told;
        let over = |told: Told| told.drops_since(before);
        tokio::select! {
            sent = self.send_refusal(refusal) => {
                if sent {
                    self.close(None).await;
                }
            }
            () = site.drain.until(over) => {}
        }
    }

    /// Returns whether the answer was taken.
    async fn send_refusal(&mut self, refusal: Refusal) -> bool {
        let fault = refusal.fault;
        let limits = &self.shared.site.limits;
        let mut response = Response::new(ResponseContext {
            version_1_1: true,
            head_request: false,
            keep_alive: false,
            awaits_continue: false,
            keep_alive_timeout: None,
            requests_max: None,
            request_id: None,
            reject_body_not_allowed: false,
            buffer_bytes_max: usize::MAX,
            field_limits: FieldLimits { bytes_max: usize::MAX, lines_max: usize::MAX },
        });
        match self.shared.answer.refuse(self.socket.clone(), refusal).await {
            Some(bytes) => response.replace_raw(bytes),
            None => response.replace(fault.status(), &sentence(fault.status()), None, true),
        }
        let stall = limits.write_stall_timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        tokio::select! {
            sent = poll_fn(|cx| response.out().poll_flush(cx, &self.socket)) => sent.is_ok(),
            () = passed(stall) => false,
        }
    }

    /// Sends a FIN, then reads on and discards until the client closes too:
    /// bytes that came after a full close would be answered with a reset, and
    /// that would take the answer away from the client before it was read
    /// (RFC 9112 9.6).
    async fn close(&mut self, grace: Option<Duration>) {
        self.socket.shutdown_write();
        let mut scrap = BytesMut::new();
        let limits = &self.shared.site.limits;
        let patience = grace.map_or(limits.linger_timeout, |grace| grace.min(limits.linger_timeout));
        let mut discarded = 0;
        let linger = async {
            while discarded < limits.linger_bytes_max {
                scrap.clear();
                scrap.reserve(SCRAP_BYTES);
                match poll_fn(|cx| self.socket.poll_read(cx, &mut scrap, SCRAP_BYTES)).await {
                    Ok(0) | Err(_) => return,
                    Ok(count) => discarded += count as u64,
                }
            }
        };
        tokio::select! {
            _ = timeout(patience, linger) => {}
            () = self.shared.site.drain.reached(Phase::Cut) => {}
        }
    }
}

/// Waits for a point in time; for ever if there is none.
async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
