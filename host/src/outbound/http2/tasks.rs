//! The tasks of a connection of HTTP/2: hyper's own, and the one that sees to
//! their end. A server that reads nothing could keep them for ever, with the
//! socket, while nobody is left who waits.

use std::time::Duration;

use hyper::rt::Executor;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of one connection. Clones are the same ones.
#[derive(Debug, Clone)]
pub(super) struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    closing_max: Duration,
}

impl<F> Executor<F> for Tasks
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        self.tracker.spawn(self.stop.clone().run_until_cancelled_owned(task));
    }
}

impl Tasks {
    /// None yet. When nobody has the connection any more, they may go on for so
    /// long.
    pub(super) fn new(closing_max: Duration) -> Self {
        Tasks { tracker: TaskTracker::new(), stop: CancellationToken::new(), closing_max }
    }

    /// Drives a connection until it is closed, or `held` is cancelled: nobody
    /// has it any more.
    pub(super) fn drive(
        self,
        connection: impl Future<Output = hyper::Result<()>> + Send + 'static,
        held: CancellationToken,
    ) {
        tokio::spawn(async move {
            // How it ended, the requests hear.
            let _ = connection.await;
            self.tracker.close();
            tokio::select! {
                () = self.tracker.wait() => return,
                () = held.cancelled() => {}
            }
            if timeout(self.closing_max, self.tracker.wait()).await.is_err() {
                self.stop.cancel();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn tasks_that_do_not_end_are_ended() {
        let (tasks, held) = (Tasks::new(Duration::from_millis(1)), CancellationToken::new());
        let (alive, mut ended) = oneshot::channel::<()>();
        tasks.execute(async move {
            let _alive = alive;
            pending::<()>().await;
        });
        tasks.clone().drive(ready(Ok(())), held.clone());
        // The requests that are under way go on without hyper's dispatcher.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(ended.try_recv(), Err(oneshot::error::TryRecvError::Empty));
        held.cancel();
        let ended = timeout(Duration::from_secs(20), ended).await;
        assert!(matches!(ended, Ok(Err(_))), "its task was dropped");
    }
}
