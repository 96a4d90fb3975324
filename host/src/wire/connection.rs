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
use tokio::time::{Instant, sleep_until, timeout};

use crate::config::Limits;
use crate::error::sentence;
use crate::telemetry::access;
use crate::wire::drain::{Drain, Phase};
use crate::wire::error::ClientFault;
use crate::wire::exchange::{Exchange, ExchangeParts};
use crate::wire::http1::body::BodyFraming;
use crate::wire::http1::fields::FieldLimits;
use crate::wire::http1::head::{Expectation, HeadLimits, HeadScanner, RequestHead};
use crate::wire::http1::response::{Response, ResponseContext};
use crate::wire::socket::Socket;

/// Room for a head; most fit in a quarter of it.
const HEAD_BUFFER_BYTES: usize = 8 * 1024;

/// What answers an exchange, and comes back when its last byte is sent or the
/// response has failed.
pub trait Answer: Send + Sync + 'static {
    /// Answers `exchange`. If the future is dropped, the exchange is left as
    /// it is, and its connection closes.
    fn answer(&self, exchange: Exchange) -> Pin<Box<dyn Future<Output = ()> + Send>>;
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
}

/// What the wait for a request ended in.
enum Next {
    Request { head: Box<RequestHead>, began: Instant },
    Fault(ClientFault),
    Close,
}

impl Connection {
    /// A connection that was just accepted.
    pub fn new(socket: Socket, shared: Shared) -> Self {
        Connection { socket: Arc::new(socket), shared, buffer: BytesMut::new(), exchanges: 0 }
    }

    /// Serves the connection until it closes.
    pub async fn run(mut self) {
        loop {
            match self.next_request().await {
                Next::Request { head, began } => {
                    let exchange = self.begin(*head, began);
                    if !self.serve(exchange).await {
                        return;
                    }
                }
                Next::Fault(fault) => return self.refuse(fault).await,
                Next::Close => return,
            }
        }
    }

    async fn next_request(&mut self) -> Next {
        let limits = self.shared.limits.clone();
        let first = self.exchanges == 0;
        let idle_from = if first { self.socket.opened() } else { Instant::now() };
        if self.buffer.is_empty() {
            let patience = if first {
                limits.head_timeout
            } else {
                limits.keep_alive_timeout.map(|timeout| timeout + limits.keep_alive_timeout_buffer)
            };
            tokio::select! {
                read = read_first(&self.socket) => match read {
                    Ok(buffer) if !buffer.is_empty() => self.buffer = buffer,
                    _ => return Next::Close,
                },
                () = self.shared.drain.reached(Phase::Draining) => return Next::Close,
                () = passed(limits.idle_timeout.map(|timeout| idle_from + timeout)) => return Next::Close,
                () = passed(patience.map(|timeout| idle_from + timeout)) => {
                    return if first { Next::Fault(ClientFault::HeadTimeout) } else { Next::Close };
                }
            }
        } else if self.shared.drain.is_draining() {
            return Next::Close;
        }
        let began = if first { idle_from } else { Instant::now() };
        self.read_head(began).await
    }

    async fn read_head(&mut self, began: Instant) -> Next {
        let limits = &self.shared.limits;
        let head_limits = HeadLimits { bytes_max: limits.head_bytes_max, count_max: limits.header_count_max };
        let patience = limits.head_timeout.into_iter().chain(limits.request_timeout).min();
        let mut scanner = HeadScanner::default();
        loop {
            match scanner.advance(&mut self.buffer, head_limits) {
                Ok(Some(head)) => return Next::Request { head: Box::new(head), began },
                Ok(None) => {}
                Err(fault) => return Next::Fault(fault),
            }
            self.buffer.reserve(HEAD_BUFFER_BYTES);
            let idle_deadline = limits.idle_timeout.map(|timeout| self.socket.moved() + timeout);
            let buffer = &mut self.buffer;
            tokio::select! {
                read = poll_fn(|cx| self.socket.poll_read(cx, buffer, HEAD_BUFFER_BYTES)) => match read {
                    Ok(0) if self.buffer.is_empty() => return Next::Close,
                    Ok(0) => return Next::Fault(ClientFault::Malformed("end of the connection inside the head")),
                    Ok(_) => {}
                    Err(_) => return Next::Close,
                },
                () = self.shared.drain.reached(Phase::Cut) => return Next::Close,
                () = passed(patience.map(|timeout| began + timeout)) => {
                    return Next::Fault(ClientFault::HeadTimeout);
                }
                () = passed(idle_deadline) => return Next::Close,
            }
        }
    }

    fn begin(&mut self, head: RequestHead, began: Instant) -> Exchange {
        static IDS: AtomicU64 = AtomicU64::new(1);
        self.exchanges += 1;
        Exchange::new(ExchangeParts {
            id: IDS.fetch_add(1, Ordering::Relaxed),
            number: self.exchanges,
            head,
            socket: self.socket.clone(),
            buffer: std::mem::take(&mut self.buffer),
            request_deadline: self.shared.limits.request_timeout.map(|timeout| began + timeout),
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
                access::log(&exchange, None);
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
        let unread = !exchange.is_complete() || !self.buffer.is_empty();
        let grace = exchange.grace();
        drop(exchange);
        if self.buffer.is_empty() {
            // Gives the memory back: the connection may be idle for long.
            self.buffer = BytesMut::new();
        }
        if !goes_on {
            self.close(unread, grace).await;
        }
        goes_on
    }

    /// Reads on what the guest left of the body, within bounds; returns
    /// whether that was all of it.
    async fn discard_body(&self, exchange: &Exchange) -> bool {
        if exchange.is_complete() {
            return true;
        }
        let limits = &self.shared.limits;
        let mut scrap = Vec::new();
        let mut discarded = 0;
        let discard = async {
            while discarded <= limits.unread_body_bytes_max {
                scrap.clear();
                match poll_fn(|cx| exchange.poll_read(cx, &mut scrap, HEAD_BUFFER_BYTES)).await {
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
        access::log_refused(&self.socket, fault);
        let stall = limits.write_stall_timeout.map(|timeout| Instant::now() + timeout);
        tokio::select! {
            sent = poll_fn(|cx| response.out().poll_flush(cx, &self.socket)) => {
                if sent.is_err() {
                    return;
                }
            }
            () = passed(stall) => return,
            () = self.shared.drain.reached(Phase::Cut) => return,
        }
        self.close(true, None).await;
    }

    /// Sends a FIN. If the client may still be sending, reads on and discards
    /// until it closes too: a reset would take the answer away from it before
    /// it was read (RFC 9112 9.6).
    async fn close(&mut self, unread: bool, grace: Option<Duration>) {
        self.socket.shutdown_write();
        let mut scrap = BytesMut::with_capacity(HEAD_BUFFER_BYTES);
        let pending = !matches!(self.socket.try_read(&mut scrap, 1),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        if !unread && !pending && grace.is_none() {
            return;
        }
        let limits = &self.shared.limits;
        let mut discarded = 0;
        let linger = async {
            while discarded < limits.linger_bytes_max {
                scrap.clear();
                match poll_fn(|cx| self.socket.poll_read(cx, &mut scrap, HEAD_BUFFER_BYTES)).await {
                    Ok(0) | Err(_) => return,
                    Ok(count) => discarded += count as u64,
                }
            }
        };
        tokio::select! {
            _ = timeout(grace.unwrap_or(limits.linger_timeout), linger) => {}
            () = self.shared.drain.reached(Phase::Cut) => {}
        }
    }
}

/// Waits for the first bytes of a request, and only then takes a buffer; an
/// empty one is the client's FIN.
async fn read_first(socket: &Socket) -> io::Result<BytesMut> {
    poll_fn(|cx| {
        loop {
            ready!(socket.poll_readable(cx))?;
            let mut buffer = BytesMut::with_capacity(HEAD_BUFFER_BYTES);
            match socket.try_read(&mut buffer, HEAD_BUFFER_BYTES) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result.map(|_| buffer)),
            }
        }
    })
    .await
}

/// Waits for a point in time; for ever if there is none.
async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
