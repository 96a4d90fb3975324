use super::*;

const BACKOFF: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(3);

const CLOSED: BreakerState = BreakerState::Closed { crashes: 0 };

fn breaker() -> (Arc<Breaker>, Instant) {
    (Arc::new(Breaker::new(Some(2), BACKOFF, BACKOFF_MAX)), Instant::now())
}

fn crash(breaker: &Arc<Breaker>, now: Instant) -> Option<Trip> {
    breaker.enter(now).unwrap().crashed(now)
}

fn tripped() -> (Arc<Breaker>, Instant) {
    let (breaker, now) = breaker();
    assert_eq!(crash(&breaker, now), None);
    assert_eq!(crash(&breaker, now), Some(Trip { failures: 2, retry_in: BACKOFF }));
    (breaker, now)
}

#[test]
fn crashes_in_a_row_trip_it() {
    let (breaker, now) = tripped();
    assert_eq!(breaker.state(now), BreakerState::Open { failures: 2, retry_in: BACKOFF });
    let (later, left) = (now + Duration::from_millis(400), Duration::from_millis(600));
    assert_eq!(breaker.enter(later).unwrap_err(), Tripped { retry_after: left });
    assert_eq!(breaker.state(later), BreakerState::Open { failures: 2, retry_in: left });
}

#[test]
fn an_answer_in_between_starts_the_count_again() {
    let (breaker, now) = breaker();
    for _ in 0..5 {
        // It came before the crash and is answered after it.
        let other = breaker.enter(now).unwrap();
        assert_eq!(crash(&breaker, now), None);
        assert_eq!(breaker.state(now), BreakerState::Closed { crashes: 1 });
        assert!(!other.answered());
        assert_eq!(breaker.state(now), CLOSED);
    }
}

#[test]
fn one_that_went_away_counts_as_nothing() {
    let (breaker, now) = breaker();
    assert_eq!(crash(&breaker, now), None);
    drop(breaker.enter(now).unwrap());
    assert_eq!(breaker.state(now), BreakerState::Closed { crashes: 1 });
}

#[test]
fn one_probe_at_a_time() {
    let (breaker, now) = tripped();
    let now = now + BACKOFF;
    assert_eq!(breaker.state(now), BreakerState::HalfOpen { failures: 2 });
    let probe = breaker.enter(now).unwrap();
    assert_eq!(breaker.enter(now).unwrap_err(), Tripped { retry_after: BACKOFF });
    // Its client goes away: the next one probes.
    drop(probe);
    let probe = breaker.enter(now).unwrap();
    assert!(breaker.enter(now).is_err());
    assert!(probe.answered());
    assert_eq!(breaker.state(now), CLOSED);
    assert!(!breaker.enter(now).unwrap().answered());
    assert_eq!(crash(&breaker, now), None);
}

#[test]
fn a_probe_that_crashes_doubles_the_wait() {
    let (breaker, mut now) = tripped();
    let mut wait = BACKOFF;
    for (failures, next) in [(3, 2), (4, 3), (5, 3)] {
        now += wait;
        wait = Duration::from_secs(next);
        assert_eq!(crash(&breaker, now), Some(Trip { failures, retry_in: wait }));
        assert_eq!(breaker.enter(now).unwrap_err(), Tripped { retry_after: wait });
    }
    now += wait;
    assert!(breaker.enter(now).unwrap().answered());
    // From the beginning again.
    assert_eq!(crash(&breaker, now), None);
    assert_eq!(crash(&breaker, now), Some(Trip { failures: 2, retry_in: BACKOFF }));
}

#[test]
fn the_wait_begins_with_the_crash() {
    let (breaker, now) = breaker();
    assert_eq!(crash(&breaker, now), None);
    let slow = breaker.enter(now).unwrap();
    let now = now + BACKOFF * 5;
    assert!(slow.crashed(now).is_some());
    assert_eq!(breaker.enter(now).unwrap_err(), Tripped { retry_after: BACKOFF });
}

#[test]
fn those_that_began_before_have_no_say() {
    let (breaker, now) = breaker();
    let [late_crash, late_answer, later] = [(); 3].map(|()| breaker.enter(now).unwrap());
    assert_eq!(crash(&breaker, now), None);
    assert!(crash(&breaker, now).is_some());
    let open = breaker.state(now);
    assert_eq!(late_crash.crashed(now + BACKOFF / 2), None);
    assert!(!late_answer.answered());
    assert_eq!(breaker.state(now), open);
    let probe = breaker.enter(now + BACKOFF).unwrap();
    drop(later);
    assert!(breaker.enter(now + BACKOFF).is_err(), "the place is the probe's");
    assert!(probe.answered());
}

#[test]
fn without_a_maximum_nothing_trips_it() {
    let breaker = Arc::new(Breaker::new(None, BACKOFF, BACKOFF_MAX));
    let now = Instant::now();
    for _ in 0..100 {
        assert_eq!(crash(&breaker, now), None);
    }
    assert_eq!(breaker.state(now), CLOSED);
}

#[test]
fn the_first_wait_is_not_above_the_longest() {
    let breaker = Arc::new(Breaker::new(Some(1), BACKOFF_MAX * 2, BACKOFF_MAX));
    let trip = crash(&breaker, Instant::now());
    assert_eq!(trip, Some(Trip { failures: 1, retry_in: BACKOFF_MAX }));
}

#[test]
fn many_threads_get_one_probe() {
    let (breaker, now) = tripped();
    let now = now + BACKOFF;
    let probes = std::thread::scope(|scope| {
        let threads = [(); 8].map(|()| scope.spawn(|| breaker.enter(now).ok()));
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(probes.iter().flatten().count(), 1);
}
