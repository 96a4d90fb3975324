//! Happy Eyeballs (RFC 8305): attempts at several addresses, one after the
//! other and yet not waiting for each other. Knows nothing of sockets.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

/// The addresses in the order in which to try them: one family after the other
/// in turns, IPv6 first (RFC 8305, section 4).
pub(super) fn interleaved(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let count = addresses.len();
    let (six, four): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv6);
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    let mut all = Vec::with_capacity(count);
    while all.len() < count {
        all.extend(six.next());
        all.extend(four.next());
    }
    all
}

/// Begins an attempt for each candidate in turn: the next one `delay` after
/// the last, or as soon as one fails. The first to succeed wins and the others
/// are dropped, as they are if this is.
///
/// # Errors
/// All failures, in order of their coming, if none succeeds.
pub(super) async fn race<A, T, E, F>(
    candidates: impl IntoIterator<Item = A>,
    delay: Duration,
    mut attempt: impl FnMut(A) -> F,
) -> Result<T, Vec<E>>
where
    F: Future<Output = Result<T, E>>,
{
    let mut candidates = candidates.into_iter().peekable();
    let (mut running, mut failures) = (Vec::new(), Vec::new());
    loop {
        if let Some(candidate) = candidates.next() {
            running.push(Box::pin(attempt(candidate)));
        } else if running.is_empty() {
            return Err(failures);
        }
        let ended = first_of(&mut running);
        let ended = match candidates.peek() {
            Some(_) => timeout(delay, ended).await.ok(),
            None => Some(ended.await),
        };
        match ended {
            Some(Ok(won)) => return Ok(won),
            Some(Err(failure)) => failures.push(failure),
            // It has been alone for long enough.
            None => {}
        }
    }
}

/// Waits for the first of them that is ready, and takes it out. Dropping it
/// leaves them as they are.
async fn first_of<F: Future>(running: &mut Vec<Pin<Box<F>>>) -> F::Output {
    poll_fn(|cx| {
        for (at, future) in running.iter_mut().enumerate() {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                drop(running.remove(at));
                return Poll::Ready(output);
            }
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Mutex;

    use tokio::time::{Instant, sleep};

    use super::*;

    const DELAY: Duration = Duration::from_millis(250);

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Runs attempts that end after so long, well or not, or never; returns
    /// who won or how many failed, when, and when each was begun.
    async fn run(
        attempts: &[(Option<u64>, bool)],
    ) -> (Result<usize, Vec<usize>>, Duration, Vec<(usize, Duration)>) {
        let start = Instant::now();
        let begun = Mutex::new(Vec::new());
        let ended = race(0..attempts.len(), DELAY, |at| {
            let (after, succeeds) = attempts[at];
            begun.lock().unwrap().push((at, start.elapsed()));
            async move {
                match after {
                    Some(after) => sleep(ms(after)).await,
                    None => pending().await,
                }
                if succeeds { Ok(at) } else { Err(at) }
            }
        })
        .await;
        (ended, start.elapsed(), begun.into_inner().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_address_has_time_to_itself() {
        let (ended, after, begun) = run(&[(Some(249), true), (Some(0), true)]).await;
        assert_eq!((ended, after, begun), (Ok(0), ms(249), vec![(0, ms(0))]));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_answer_holds_nobody_up() {
        let (ended, after, begun) = run(&[(None, false), (None, false), (Some(30), true)]).await;
        assert_eq!((ended, after), (Ok(2), ms(530)));
        assert_eq!(begun, [(0, ms(0)), (1, ms(250)), (2, ms(500))]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_the_next_begins_at_once() {
        let (ended, after, begun) = run(&[(Some(10), false), (Some(5), false), (Some(20), true)]).await;
        assert_eq!((ended, after), (Ok(2), ms(35)));
        assert_eq!(begun, [(0, ms(0)), (1, ms(10)), (2, ms(15))]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_early_attempt_may_still_win() {
        let (ended, after, _) = run(&[(Some(300), true), (Some(100), true), (None, true)]).await;
        assert_eq!((ended, after), (Ok(0), ms(300)));
        let (ended, after, begun) = run(&[(Some(300), true), (Some(60), false), (None, true)]).await;
        assert_eq!((ended, after), (Ok(0), ms(300)));
        // Its delay begins with it.
        assert_eq!(begun.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn if_all_fail_all_are_told() {
        let (ended, after, _) = run(&[(Some(400), false), (Some(10), false), (Some(20), false)]).await;
        assert_eq!((ended, after), (Err(vec![1, 2, 0]), ms(400)));
        let (ended, after, _) = run(&[]).await;
        assert_eq!((ended, after), (Err(vec![]), ms(0)));
    }

    #[test]
    fn families_take_turns() {
        let addresses =
            |text: &str| text.split(' ').map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        for (given, tried) in [
            ("1.1.1.1 2.2.2.2 ::a ::b", "::a 1.1.1.1 ::b 2.2.2.2"),
            ("1.1.1.1 2.2.2.2 3.3.3.3 ::a", "::a 1.1.1.1 2.2.2.2 3.3.3.3"),
            ("::b ::a ::c 1.1.1.1", "::b 1.1.1.1 ::a ::c"),
            ("::1", "::1"),
        ] {
            assert_eq!(interleaved(addresses(given)), addresses(tried));
        }
        assert_eq!(interleaved(Vec::new()), Vec::<IpAddr>::new());
    }
}
