use std::time::Duration;

use super::*;

/// A log without a limit of its own or of its tenant.
pub(in crate::guest) fn unlimited() -> GuestLog {
    limited(u64::MAX, u64::MAX)
}

fn limited(app: u64, tenant: u64) -> GuestLog {
    of("shop", app, &Arc::new(LogQuota::new(tenant)))
}

fn of(app: &str, bytes_per_second: u64, quota: &Arc<LogQuota>) -> GuestLog {
    GuestLog::new(&"acme".parse().unwrap(), &app.parse().unwrap(), quota.clone(), bytes_per_second)
}

fn texts(log: &GuestLog) -> Vec<String> {
    log.tail(usize::MAX).iter().map(|line| line.text.clone()).collect()
}

#[test]
fn a_bucket_refills_with_time() {
    let mut bucket = Bucket::full(10);
    let now = bucket.refilled;
    assert!(bucket.has_room(8, now));
    bucket.take(8);
    assert!(!bucket.has_room(8, now));
    assert!(!bucket.has_room(8, now + Duration::from_millis(500)));
    assert!(bucket.has_room(8, now + Duration::from_millis(1100)));
}

#[test]
fn a_longer_line_than_the_rate_passes_a_full_bucket() {
    let mut bucket = Bucket::full(10);
    let now = bucket.refilled;
    assert!(bucket.has_room(100, now));
    bucket.take(100);
    assert!(!bucket.has_room(1, now));
    assert!(!Bucket::full(0).has_room(1, now));
}

#[test]
fn what_is_dropped_is_told_once_and_leaves_a_gap() {
    // Nothing refills at a byte in a thousand seconds.
    let log = limited(10, u64::MAX);
    log.shared.own.lock().bucket.refilled += Duration::from_secs(3600);
    (0..3).for_each(|_| log.put(Stream::Stdout, None, b"1234567"));
    assert_eq!(log.shared.own.lock().dropped, 2);
    log.set_rate(1000);
    log.shared.own.lock().bucket.left = 1000;
    assert_eq!(log.shared.take(8), Some(2));
    assert_eq!(log.shared.take(8), Some(0));
    log.put(Stream::Stdout, None, b"after");
    let sequences: Vec<_> = log.tail(10).iter().map(|line| line.sequence).collect();
    assert_eq!(sequences, [1, 4]);
}

#[test]
fn apps_of_a_tenant_share_its_quota() {
    let quota = Arc::new(LogQuota::new(20));
    quota.bucket.lock().refilled += Duration::from_secs(3600);
    let (first, second) = (of("first", u64::MAX, &quota), of("second", u64::MAX, &quota));
    first.put(Stream::Stdout, None, b"0123456789");
    second.put(Stream::Stdout, None, b"0123456789");
    assert_eq!((texts(&first).len(), texts(&second).len()), (1, 0));
    second.put(Stream::Stdout, None, b"short");
    assert_eq!(texts(&second), ["short"]);
}

#[test]
fn a_line_that_the_tenant_has_no_room_for_costs_the_app_nothing() {
    let log = limited(100, 10);
    log.shared.quota.bucket.lock().refilled += Duration::from_secs(3600);
    log.shared.own.lock().bucket.refilled += Duration::from_secs(3600);
    (0..3).for_each(|_| log.put(Stream::Stdout, None, b"123456789"));
    assert_eq!((texts(&log).len(), log.shared.own.lock().bucket.left), (1, 90));
}

#[test]
fn a_quota_can_be_changed() {
    let quota = LogQuota::new(10);
    quota.set(100);
    assert_eq!(quota.bucket.lock().left, 100);
    quota.bucket.lock().left = 50;
    quota.set(20);
    assert_eq!(quota.bucket.lock().left, 20);
}

#[test]
fn the_tail_is_bounded_in_lines_and_bytes() {
    let log = unlimited();
    (0..TAIL_LINES_MAX + 50)
        .for_each(|number| log.put(Stream::Stderr, Some(7), number.to_string().as_bytes()));
    let tail = log.tail(usize::MAX);
    assert_eq!((tail.len(), tail[0].text.as_str(), tail[0].sequence), (TAIL_LINES_MAX, "50", 51));
    assert_eq!((tail[0].stream, tail[0].exchange), (Stream::Stderr, Some(7)));
    let last: Vec<_> = log.tail(2).iter().map(|line| line.text.clone()).collect();
    assert_eq!(last, ["248", "249"]);
    (0..100).for_each(|_| log.put(Stream::Stdout, None, &[b'x'; 8 * 1024]));
    assert_eq!(texts(&log).len(), TAIL_BYTES_MAX / (8 * 1024));
    assert!(log.shared.recent.lock().bytes <= TAIL_BYTES_MAX);
}

#[test]
fn followers_get_lines_until_they_go() {
    let log = unlimited();
    log.put(Stream::Stdout, None, b"before");
    let (mut first, second) = (log.follow(), log.follow());
    log.put(Stream::Stdout, Some(3), b"a\x1b[2J");
    assert_eq!(first.try_recv().unwrap().text, "a\\u{1b}[2J");
    assert!(first.try_recv().is_err());
    drop((first, second));
    log.put(Stream::Stdout, None, b"after");
    assert!(log.shared.recent.lock().followers.is_none());
}
