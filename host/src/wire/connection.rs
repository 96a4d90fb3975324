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

use crate::config::Limits;
use crate::wire::drain::{Drain, Phase};
use crate::wire::error::{ClientFault, MessageError};
use crate::wire::exchange::{Exchange, ExchangeParts};
use crate::wire::http1::fields::FieldLimits;
use crate::wire::http1::head::{
    BodyFraming, Expectation, HeadLimits, HeadScanner, RequestHead, skip_empty_lines,
};
use crate::wire::http1::response::Response;
use crate::wire::http1::response_head::ResponseContext;
use crate::wire::http1::status::sentence;
use crate::wire::patience::{DrainSignal, Timer};
use crate::wire::socket::Socket;
use crate::wire::watch::flushed;

/// Bytes discarded at a time.
const SCRAP_BYTES: usize = 8 * 1024;

/// What answers exchanges, and hears of what the connection answers by itself.
pub trait Answer: Send + Sync + 'static {
    /// Answers `exchange`, and comes back when its last byte is sent or the
    /// response has failed. If the future is dropped, the exchange is left as
    /// it is, and its connection closes.
    fn answer(&self, exchange: Exchange) -> Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Hears of a good request that the connection has answered.
    fn judged(&self, exchange: &Exchange);

    /// Hears of bytes that were no good request.
    fn refused(&self, socket: &Socket, fault: ClientFault);
}

/// What all connections of a server share.
#[derive(Clone)]
pub struct Shared {
    /// The limits of the host.
    pub limits: Arc<Limits>,
    /// Whether the server is closing.
    pub drain: Drain,
    /// What answers.
    pub answer: Arc<dyn Answer>,
}

/// One connection.
pub struct Connection {
    socket: Arc<Socket>,
    shared: Shared,
    buffer: BytesMut,
    exchanges: u64,
    timer: Timer,
    drain: DrainSignal,
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
        if shared.limits.idle_timeout.is_some() {
            socket.watch_moves();
        }
        Connection {
            socket: Arc::new(socket),
            drain: DrainSignal::new(shared.drain.clone()),
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
                Next::Fault(fault) => return self.refuse(fault).await,
                Next::Close => return,
            }
        }
    }

    async fn next_request(&mut self) -> Next {
        let first = self.exchanges == 0;
        let mut now = if first { self.socket.opened() } else { Instant::now() };
        let began = now;
        // Empty lines between requests are not the beginning of one.
        skip_empty_lines(&mut self.buffer);
        if !self.buffer.is_empty() && self.shared.drain.is_draining() {
            return Next::Close;
        }
        while self.buffer.is_empty() {
            let limits = &self.shared.limits;
            let patience = if first {
                limits.head_timeout
            } else {
                limits
                    .keep_alive_timeout
                    .map(|timeout| timeout.saturating_add(limits.keep_alive_timeout_buffer))
            };
            let late = patience.and_then(|timeout| began.checked_add(timeout));
            match self.wait(late, Phase::Draining).await {
                Event::Read(Ok(bytes)) if !bytes.is_empty() => self.buffer = bytes,
                Event::Late if first => return Next::Fault(ClientFault::HeadTimeout),
                Event::Read(_) | Event::Drain | Event::Idle | Event::Late => return Next::Close,
            }
            skip_empty_lines(&mut self.buffer);
            now = Instant::now();
        }
        // The time for the first head runs from the accept, for later ones
        // from their first byte.
        self.read_head(if first { began } else { now }, now).await
    }

    async fn read_head(&mut self, began: Instant, mut now: Instant) -> Next {
        let limits = self.shared.limits.clone();
        let head_limits = HeadLimits { bytes_max: limits.head_bytes_max, count_max: limits.header_count_max };
        let patience = limits.head_timeout.into_iter().chain(limits.request_timeout).min();
        let late = patience.and_then(|timeout| began.checked_add(timeout));
        let mut scanner = HeadScanner::default();
        loop {
            match scanner.advance(&mut self.buffer, head_limits) {
                Ok(Some(head)) => return Next::Request(self.begin(head, began, now)),
                Ok(None) => {}
                Err(fault) => return Next::Fault(fault),
            }
            match self.wait(late, Phase::Cut).await {
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
    /// until closing has come as far as `phase`.
    async fn wait(&mut self, late: Option<Instant>, phase: Phase) -> Event {
        let Connection { socket, shared, timer, drain, .. } = self;
        poll_fn(|cx| {
            if let Poll::Ready(read) = socket.poll_read_few(cx) {
                return Poll::Ready(Event::Read(read));
            }
            if drain.poll(cx, phase).is_ready() {
                return Poll::Ready(Event::Drain);
            }
            let idle = shared.limits.idle_timeout.and_then(|timeout| socket.moved().checked_add(timeout));
            ready!(timer.poll(cx, idle.into_iter().chain(late).min()));
            let now = Instant::now();
            Poll::Ready(if idle.is_some_and(|at| at <= now) { Event::Idle } else { Event::Late })
        })
        .await
    }

    fn begin(&mut self, head: RequestHead, began: Instant, received: Instant) -> Exchange {
        static IDS: AtomicU64 = AtomicU64::new(1);
        self.exchanges += 1;
        Exchange::new(ExchangeParts {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            number: self.exchanges,
            received,
            head,
            socket: self.socket.clone(),
            buffer: std::mem::take(&mut self.buffer),
            request_deadline: self
                .shared
                .limits
                .request_timeout
                .and_then(|timeout| began.checked_add(timeout)),
            limits: self.shared.limits.clone(),
            drain: self.shared.drain.clone(),
        })
    }

    /// Has the exchange answered; returns whether the connection goes on.
    async fn serve(&mut self, exchange: Exchange) -> bool {
        if exchange.head().method() == "CONNECT" {
            // Nobody takes tunnels: closed without a word, as in Node.
            return false;
        }
        match self.judge(&exchange) {
            Some(fault) => {
                let close = fault != ClientFault::Expectation;
                exchange.answer(fault.status(), &sentence(fault.status()), None, close);
                if flushed(&exchange).await.is_err() {
                    exchange.abandon(MessageError::ConnectionReset);
                }
                self.shared.answer.judged(&exchange);
            }
            None => {
                if exchange.head().expectation == Expectation::Continue {
                    // Before the handler runs, whether or not it reads (Node).
                    let _ = exchange.with_response(|response| response.write_information(100, &[]));
                    exchange.flush_now();
                }
                self.shared.answer.answer(exchange.clone()).await;
            }
        }
        self.shared.drain.count(exchange.is_sent());
        self.conclude(exchange).await
    }

    /// What the host answers by itself although the head is good.
    fn judge(&self, exchange: &Exchange) -> Option<ClientFault> {
        match (exchange.head().expectation, exchange.head().framing) {
            (_, BodyFraming::Length(length)) if length > self.shared.limits.request_body_bytes_max => {
                Some(ClientFault::BodyTooLarge)
            }
            (Expectation::Other, _) => Some(ClientFault::Expectation),
            _ => None,
        }
    }

    async fn conclude(&mut self, exchange: Exchange) -> bool {
        if exchange.needs_reset() {
            self.socket.reset_on_close();
            return false;
        }
        if !exchange.is_sent() || self.socket.is_destroyed() {
            return false;
        }
        let goes_on = exchange.keeps_alive() && self.discard_body(&exchange).await;
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
        let limits = &self.shared.limits;
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
            () = self.shared.drain.reached(Phase::Cut) => false,
        }
    }

    /// Answers a request that is none, and closes.
    async fn refuse(&mut self, fault: ClientFault) {
        let limits = &self.shared.limits;
        let mut response = Response::new(ResponseContext {
            version_1_1: true,
            head_request: false,
            keep_alive: false,
            keep_alive_timeout: None,
            requests_max: None,
            reject_body_not_allowed: false,
            buffer_bytes_max: usize::MAX,
            field_limits: FieldLimits { bytes_max: usize::MAX, lines_max: usize::MAX },
        });
        response.replace(fault.status(), &sentence(fault.status()), None, true);
        self.shared.answer.refused(&self.socket, fault);
        let stall = limits.write_stall_timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        tokio::select! {
            sent = poll_fn(|cx| response.out().poll_flush(cx, &self.socket)) => {
                if sent.is_err() {
                    return;
                }
            }
            () = passed(stall) => return,
            () = self.shared.drain.reached(Phase::Cut) => return,
        }
        self.close(None).await;
    }

    /// Sends a FIN, then reads on and discards until the client closes too:
    /// bytes that came after a full close would be answered with a reset, and
    /// that would take the answer away from the client before it was read
    /// (RFC 9112 9.6).
    async fn close(&mut self, grace: Option<Duration>) {
        self.socket.shutdown_write();
        let mut scrap = BytesMut::new();
        let limits = &self.shared.limits;
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
            () = self.shared.drain.reached(Phase::Cut) => {}
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
