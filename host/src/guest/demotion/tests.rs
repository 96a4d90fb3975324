use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::task::{JoinHandle, consume_budget, yield_now};
use tokio::time::{sleep, timeout};

use super::*;
use crate::guest::cpu::{Cpu, Preemption};

const DEADLINE: Duration = Duration::from_secs(30);

fn unlimited() -> Arc<Budget> {
    Arc::new(Budget::new(None, Duration::ZERO))
}

/// In debt for so long that no test sees the end of it.
fn broke() -> Arc<Budget> {
    let budget = Arc::new(Budget::new(Some(Duration::from_nanos(1)), Duration::ZERO));
    budget.spend(Duration::from_secs(1));
    budget
}

/// A call that computes in slices, as a guest does, until it is told to stop.
fn spinning(share: &Share, slices: Arc<AtomicUsize>, stop: Arc<AtomicBool>) -> Running<()> {
    let cpu = Cpu::new(None, share.budget().clone());
    Box::pin(poll_fn(move |cx| {
        cpu.slice(|| {
            if stop.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(()));
            }
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(1) || cpu.preempt() == Preemption::Go {}
            slices.fetch_add(1, Ordering::Relaxed);
            cx.waker().wake_by_ref();
            Poll::Pending
        })
    }))
}

/// A call that goes to the threads at once, and is `then` there.
fn demoted<T>(share: &Share, then: impl Future<Output = Result<T, Stopped>> + Send + 'static) -> Running<T> {
    let cpu = Cpu::new(None, share.budget().clone());
    Box::pin(async move {
        let mut yielded = false;
        poll_fn(|cx| {
            cpu.slice(|| {
                if yielded {
                    return Poll::Ready(());
                }
                while cpu.preempt() == Preemption::Go {}
                yielded = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            })
        })
        .await;
        then.await
    })
}

fn on_demoted_thread() -> bool {
    thread::current().name() == Some("demoted")
}

fn start<T: Send + 'static>(share: &Share, call: Running<T>) -> JoinHandle<Result<T, Stopped>> {
    let share = share.clone();
    tokio::spawn(async move { share.as_needed(call).await })
}

async fn until(mut condition: impl FnMut() -> bool) {
    timeout(DEADLINE, async {
        while !condition() {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .expect("it did not come to that");
}

/// Sets its flag when it is dropped.
struct Flag(Arc<AtomicBool>);

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn tenants_share_equally_whatever_they_have_in_flight() {
    let demotion = Demotion::new().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    // As many calls as there are threads, and eight for each of these.
    let threads = thread::available_parallelism().unwrap().get().max(THREADS_MIN);
    let slices: Vec<_> = [threads, 8 * threads]
        .into_iter()
        .map(|calls| {
            let share = demotion.share("tenant", unlimited());
            let slices = Arc::new(AtomicUsize::new(0));
            for _ in 0..calls {
                start(&share, spinning(&share, slices.clone(), stop.clone()));
            }
            slices
        })
        .collect();
    let counts = || [slices[0].load(Ordering::Relaxed), slices[1].load(Ordering::Relaxed)];
    until(|| counts().iter().sum::<usize>() >= 600).await;
    stop.store(true, Ordering::Relaxed);
    let [few, many] = counts();
    // By calls alone it would be one to eight.
    assert!(few * 2 > many && many * 2 > few, "{few} slices of few calls, {many} of many");
}

#[tokio::test]
async fn a_tenant_that_was_away_saved_nothing_up() {
    let demotion = Demotion::new().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let (early, late) = (demotion.share("early", unlimited()), demotion.share("late", unlimited()));
    let (of_early, of_late) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for _ in 0..16 {
        start(&early, spinning(&early, of_early.clone(), stop.clone()));
    }
    until(|| of_early.load(Ordering::Relaxed) >= 400).await;
    for _ in 0..16 {
        start(&late, spinning(&late, of_late.clone(), stop.clone()));
    }
    until(|| of_late.load(Ordering::Relaxed) >= 32).await;
    let before = of_early.load(Ordering::Relaxed);
    until(|| of_late.load(Ordering::Relaxed) >= 232).await;
    let meanwhile = of_early.load(Ordering::Relaxed) - before;
    stop.store(true, Ordering::Relaxed);
    assert!(meanwhile > 60, "{meanwhile} slices of the other tenant in 200 of this one");
}

#[tokio::test]
async fn a_short_call_stays_where_it_is() {
    let share = Demotion::new().unwrap().share("tenant", unlimited());
    let cpu = Cpu::new(None, share.budget().clone());
    let call = async move {
        poll_fn(|_| cpu.slice(|| Poll::Ready(()))).await;
        sleep(Duration::from_millis(1)).await;
        Ok(on_demoted_thread())
    };
    assert!(!share.as_needed(Box::pin(call)).await.unwrap());
}

#[tokio::test]
async fn a_demoted_call_has_timers_and_wakes_from_anywhere() {
    let demotion = Demotion::new().unwrap();
    let share = demotion.share("tenant", unlimited());
    let (sender, wakers) = mpsc::channel::<Waker>();
    let woken = Arc::new(AtomicBool::new(false));
    let seen = woken.clone();
    let call = demoted(&share, async move {
        sleep(Duration::from_millis(1)).await;
        poll_fn(|cx| {
            if seen.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
            sender.send(cx.waker().clone()).unwrap();
            Poll::Pending
        })
        .await;
        Ok(on_demoted_thread())
    });
    let called = start(&share, call);
    let waking = thread::spawn(move || {
        let waker = wakers.recv().unwrap();
        woken.store(true, Ordering::Release);
        waker.wake();
    });
    assert!(timeout(DEADLINE, called).await.unwrap().unwrap().unwrap());
    waking.join().unwrap();
    until(|| demotion.running() == 0 && demotion.waiting() == 0).await;
}

#[tokio::test]
async fn dropping_it_drops_the_call() {
    let demotion = Demotion::new().unwrap();
    let share = demotion.share("tenant", unlimited());
    let (dropped, waits) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (flag, waiting) = (Flag(dropped.clone()), waits.clone());
    let called = start::<()>(
        &share,
        demoted(&share, async move {
            let _flag = flag;
            waiting.store(true, Ordering::Relaxed);
            pending().await
        }),
    );
    until(|| waits.load(Ordering::Relaxed)).await;
    assert!(!dropped.load(Ordering::Relaxed));
    called.abort();
    until(|| dropped.load(Ordering::Relaxed)).await;
}

#[tokio::test]
async fn panics_go_no_further() {
    /// Panics when it is dropped.
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic!("a bomb went off");
            }
        }
    }
    let demotion = Demotion::new().unwrap();
    let share = demotion.share("tenant", unlimited());
    for _ in 0..8 {
        let stopped = share.as_needed::<()>(demoted(&share, async { panic!("{} broke", "it") })).await;
        assert!(
            matches!(&stopped, Err(Stopped::Trapped(cause)) if cause.ends_with("panicked: it broke")),
            "{stopped:?}"
        );
        let bomb = Bomb;
        let called = start::<()>(
            &share,
            demoted(&share, async move {
                let _bomb = bomb;
                pending().await
            }),
        );
        until(|| demotion.running() == 0 && demotion.waiting() == 0).await;
        called.abort();
    }
    let alive = share.as_needed(demoted(&share, async { Ok(on_demoted_thread()) }));
    assert!(timeout(DEADLINE, alive).await.unwrap().unwrap());
}

#[tokio::test]
async fn debt_delays_a_call_and_does_not_end_it() {
    let demotion = Demotion::new().unwrap();
    let (poor, rich) = (demotion.share("poor", broke()), demotion.share("rich", unlimited()));
    let (slices, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let calls: Vec<_> = (0..4).map(|_| start(&poor, spinning(&poor, slices.clone(), stop.clone()))).collect();
    // Others are not kept from running by it.
    for _ in 0..50 {
        share_once(&rich).await;
    }
    assert_eq!(slices.load(Ordering::Relaxed), 0, "there is no time for it");
    poor.budget().set(None, Duration::ZERO);
    until(|| slices.load(Ordering::Relaxed) >= 100).await;
    stop.store(true, Ordering::Relaxed);
    for call in calls {
        timeout(DEADLINE, call).await.unwrap().unwrap().unwrap();
    }
}

async fn share_once(share: &Share) {
    let call = share.as_needed(demoted(share, async { Ok(()) }));
    timeout(DEADLINE, call).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_tenant_gets_no_more_than_its_quota() {
    let demotion = Demotion::new().unwrap();
    // A fiftieth of a processor.
    let budget = Arc::new(Budget::new(Some(Duration::from_millis(20)), Duration::ZERO));
    let share = demotion.share("tenant", budget.clone());
    let (slices, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let begin = Instant::now();
    for _ in 0..8 {
        start(&share, spinning(&share, slices.clone(), stop.clone()));
    }
    until(|| slices.load(Ordering::Relaxed) >= 20).await;
    let earned = begin.elapsed() / 50;
    stop.store(true, Ordering::Relaxed);
    // Beyond it go the slices under way on each thread, once.
    let threads = thread::available_parallelism().unwrap().get().max(THREADS_MIN) as u32;
    let most = earned + Duration::from_millis(4) * threads;
    assert!(budget.used() <= most, "{:?} of {earned:?}", budget.used());
}

#[tokio::test]
async fn what_watches_over_a_call_in_debt_is_awake() {
    let demotion = Demotion::new().unwrap();
    let share = demotion.share("tenant", broke());
    let cpu = Cpu::new(None, share.budget().clone());
    // As `guest::call` drives a guest: its slice, then what may end it.
    let mut deadline = None;
    let call = poll_fn(move |cx| {
        let polled = cpu.slice(|| Poll::Ready(Ok("the guest ran")));
        if polled.is_ready() {
            return polled;
        }
        let deadline = deadline.get_or_insert_with(|| Box::pin(sleep(Duration::from_millis(20))));
        deadline.as_mut().poll(cx).map(|()| Err(Stopped::WallTime))
    });
    let called = timeout(DEADLINE, share.as_needed(Box::pin(call))).await.unwrap();
    assert!(matches!(called, Err(Stopped::WallTime)), "{called:?}");
}

#[tokio::test]
async fn a_cancelled_call_in_debt_is_released_soon() {
    let demotion = Demotion::new().unwrap();
    let share = demotion.share("tenant", broke());
    let slices = Arc::new(AtomicUsize::new(0));
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let dropped = Arc::new(AtomicBool::new(false));
            let (spinning, flag) = (spinning(&share, slices.clone(), Arc::default()), Flag(dropped.clone()));
            let call = start(
                &share,
                Box::pin(async move {
                    let _flag = flag;
                    spinning.await
                }),
            );
            (call, dropped)
        })
        .collect();
    until(|| share.seat.threads.queue.held() == 8).await;
    for (call, dropped) in calls {
        call.abort();
        until(|| dropped.load(Ordering::Relaxed)).await;
    }
    until(|| share.seat.threads.queue.held() == 0).await;
    assert_eq!(slices.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_host_loop_that_never_waits_lets_others_run() {
    let demotion = Demotion::new().unwrap();
    let share = demotion.share("tenant", unlimited());
    let threads = thread::available_parallelism().unwrap().get().max(THREADS_MIN);
    // What a socket does that always has more to read.
    let loops: Vec<_> = (0..threads)
        .map(|_| {
            start::<()>(
                &share,
                demoted(&share, async {
                    loop {
                        consume_budget().await;
                    }
                }),
            )
        })
        .collect();
    for _ in 0..10 {
        share_once(&share).await;
    }
    loops.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn the_threads_end_with_the_last_share() {
    let demotion = Demotion::new().unwrap();
    let queue = Arc::downgrade(&demotion.threads.queue);
    let share = demotion.share("tenant", unlimited());
    drop(demotion);
    share_once(&share).await;
    assert!(queue.upgrade().is_some());
    let call = start::<()>(&share, demoted(&share, pending()));
    drop(share);
    yield_now().await;
    call.abort();
    // Each thread holds it.
    until(|| queue.upgrade().is_none()).await;
}

#[test]
fn it_needs_a_runtime() {
    assert!(Demotion::new().is_err());
}
