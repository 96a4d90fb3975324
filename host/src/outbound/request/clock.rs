//! The times of a request: how long the operator lets it wait for what, and
//! after how much silence its guest wants to be told.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::wire::patience::Timer;

/// What a guest wants to be the longest; the operator's limits hold beside it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    /// For a connection to be made.
    pub connect: Option<Duration>,
    /// From there to the head of the response.
    pub first_byte: Option<Duration>,
    /// Between two pieces of its body, while somebody waits for one.
    pub between_bytes: Option<Duration>,
}

/// The times of one request.
#[derive(Debug)]
pub(super) struct Clock {
    timer: Timer,
    /// When a byte last came or went.
    moved: Instant,
    /// The guest's own, and whether it was told since `moved`.
    silence: Option<Duration>,
    told: bool,
}

/// Whose time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    /// The guest wants to be told, and goes on.
    Guest,
    /// It ends the request.
    Host(&'static str),
}

impl Clock {
    pub(super) fn new() -> Self {
        Clock { timer: Timer::default(), moved: Instant::now(), silence: None, told: false }
    }

    /// Says after how much silence the guest is told.
    pub(super) fn set_silence(&mut self, silence: Option<Duration>) {
        self.silence = silence;
        self.told = false;
    }

    /// Says that a byte came or went.
    pub(super) fn note_move(&mut self) {
        self.moved = Instant::now();
        self.told = false;
    }

    /// When a byte last came or went.
    pub(super) fn moved(&self) -> Instant {
        self.moved
    }

    /// Says that the guest was told.
    pub(super) fn note_told(&mut self) {
        self.told = true;
    }

    /// Ready when the guest is to be told, or the `host`'s time is over. Always
    /// to be polled from the same task.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        host: Option<(Instant, &'static str)>,
    ) -> Poll<Expired> {
        let guest = self.silence.filter(|_| !self.told).and_then(|silence| self.moved.checked_add(silence));
        let next = [guest, host.map(|(at, _)| at)].into_iter().flatten().min();
        if self.timer.poll(cx, next).is_pending() {
            return Poll::Pending;
        }
        match host {
            Some((at, which)) if at <= Instant::now() => Poll::Ready(Expired::Host(which)),
            _ => Poll::Ready(Expired::Guest),
        }
    }

    /// Ready when the `host`'s time is over. Always to be polled from the same
    /// task.
    pub(super) fn poll_host(
        &mut self,
        cx: &mut Context<'_>,
        host: Option<(Instant, &'static str)>,
    ) -> Poll<Expired> {
        let Some((at, which)) = host else { return Poll::Pending };
        self.timer.poll(cx, Some(at)).map(|()| Expired::Host(which))
    }
}
