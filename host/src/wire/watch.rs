//! What can end an exchange while its guest computes or waits: the client
//! goes, a timeout passes, the server is cut short. Polled by whoever drives
//! the guest, after the guest; costs nothing for a guest that never waits.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use crate::wire::error::WRITE_STALL;
use crate::wire::exchange::Exchange;
use crate::wire::exchange::deadlines::Expired;
use crate::wire::patience::Timer;

/// Time for a guest to return, once it was told that its client takes nothing.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why an exchange is over before its guest is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// The client reset the connection, or closed it and half-open is off.
    ClientGone,
    /// A guest destroyed the connection, or all of the server's.
    Destroyed,
    /// `write_stall_timeout`.
    WriteStall,
    /// `idle_timeout`, or the guest's own.
    Idle,
    /// `request_timeout`.
    RequestTimeout,
    /// The server drains no longer.
    Cut,
    /// The deadline that the caller gave.
    Deadline,
}

type Events = Pin<Box<dyn Future<Output = Interruption> + Send>>;

/// Watches one exchange. Dropping it is free.
pub struct Watch {
    exchange: Exchange,
    /// What may happen, and whether it was a tunnel's when that was made up.
    events: Option<(bool, Events)>,
    timer: Timer,
    /// By when a guest that was told of a stall must have returned.
    stalled: Option<Instant>,
}

impl Watch {
    /// Watches `exchange` from the first poll on.
    pub fn new(exchange: Exchange) -> Self {
        Watch { exchange, events: None, timer: Timer::default(), stalled: None }
    }

    /// Ready when the exchange is over, or `deadline` has passed.
    pub fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<Interruption> {
        if self.exchange.is_dropped() {
            return Poll::Ready(Interruption::Destroyed);
        }
        let tunnel = self.exchange.is_tunnel();
        let made = self.events.take().filter(|(was_tunnel, _)| *was_tunnel == tunnel);
        let made = made.unwrap_or_else(|| (tunnel, Box::pin(events(self.exchange.clone(), tunnel))));
        let (_, events) = self.events.insert(made);
        if let Poll::Ready(interruption) = events.as_mut().poll(cx) {
            return Poll::Ready(interruption);
        }
        self.poll_deadlines(cx, deadline)
    }

    fn poll_deadlines(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<Interruption> {
        loop {
            let next = self.exchange.deadline().into_iter().chain(deadline).chain(self.stalled).min();
            ready!(self.timer.poll(cx, next));
            let now = Instant::now();
            if self.stalled.is_some_and(|at| at <= now) {
                return Poll::Ready(Interruption::WriteStall);
            }
            match self.exchange.expired(now) {
                Some(Expired::WriteStall) => {
                    // What waits for it is told why, and polled once more.
                    self.exchange.abandon(WRITE_STALL);
                    self.stalled = Some(now + LAST_WORDS);
                    cx.waker().wake_by_ref();
                }
                Some(Expired::Request) => return Poll::Ready(Interruption::RequestTimeout),
                Some(Expired::Idle) => return Poll::Ready(Interruption::Idle),
                None if deadline.is_some_and(|at| at <= now) => return Poll::Ready(Interruption::Deadline),
                // It was put off as it fired.
                None => {}
            }
        }
    }
}

/// Waits for what ends an exchange of which nothing is awaited. Can be dropped
/// at any time.
pub async fn interrupted(exchange: &Exchange) -> Interruption {
    let mut watch = Watch::new(exchange.clone());
    poll_fn(|cx| watch.poll(cx, None)).await
}

/// Sends what an exchange has left unsent, as long as nothing ends it.
///
/// # Errors
/// What ended it first. Dropping it leaves the rest unsent.
pub async fn flushed(exchange: &Exchange) -> Result<(), Interruption> {
    let mut watch = Watch::new(exchange.clone());
    poll_fn(|cx| match exchange.poll_flush(cx) {
        Poll::Ready(sent) => Poll::Ready(sent.map_err(|error| match error {
            WRITE_STALL => Interruption::WriteStall,
            _ => Interruption::ClientGone,
        })),
        Poll::Pending => watch.poll(cx, None).map(Err),
    })
    .await
}

async fn events(exchange: Exchange, tunnel: bool) -> Interruption {
    tokio::select! {
        () = exchange.socket().reset_by_peer() => Interruption::ClientGone,
        () = exchange.socket().closed_by_peer(), if !(exchange.limits().half_open || tunnel) => {
            Interruption::ClientGone
        }
        () = exchange.socket().was_cut() => Interruption::Destroyed,
        interruption = exchange.told_to_close() => interruption,
    }
}
