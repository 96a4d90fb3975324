//! Waiting cheaply: a timer and a drain signal that live as long as their
//! connection, so that a request served at once registers nothing anew.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::wire::drain::Told;
use crate::wire::site::Site;

/// A timer whose deadline may be put off any number of times at no cost: it
/// fires when the first deadline passes, and is then set to the current one.
#[derive(Debug, Default)]
pub struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// Ready when `deadline` has passed; never if there is none. Always to be
    /// polled from the same task.
    pub fn poll(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        ready!(sleep.as_mut().poll(cx));
        if Instant::now() >= deadline {
            return Poll::Ready(());
        }
        sleep.as_mut().reset(deadline);
        sleep.as_mut().poll(cx)
    }
}

/// A wait that began when this had been told, and wakes at every change.
type Changed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Waits for draining to reach a phase, or for another word to connections,
/// over and over in one task.
pub struct DrainSignal {
    site: Arc<Site>,
    waiting: Option<(Told, Changed)>,
}

impl DrainSignal {
    /// Waits on what the connections of `site` are told, from the first poll
    /// on.
    pub fn new(site: Arc<Site>) -> Self {
        DrainSignal { site, waiting: None }
    }

    /// Ready when what was told is `such`. Always to be polled from the same
    /// task.
    pub fn poll(&mut self, cx: &mut Context<'_>, such: impl Fn(Told) -> bool) -> Poll<()> {
        let now = self.site.drain.told();
        if such(now) {
            return Poll::Ready(());
        }
        // Registered before, and not woken since: it will wake this task.
        if self.waiting.as_ref().is_some_and(|(seen, _)| *seen == now) {
            return Poll::Pending;
        }
        let site = self.site.clone();
        // Unconstrained: out of budget, it would be pending without having
        // registered anything.
        let mut next: Changed =
            Box::pin(unconstrained(async move { site.drain.until(|told| told != now).await }));
        if next.as_mut().poll(cx).is_ready() {
            // It moved between the two looks; look again.
            cx.waker().wake_by_ref();
        }
        self.waiting = Some((now, next));
        Poll::Pending
    }
}
