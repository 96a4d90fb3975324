//! What an app may open, and what it may put there.

use super::*;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Buckets in memory of an app with these grants.
fn buckets(host: &KeyValue, tenant: &str, app: &str, granted: &[&str], limits: Limits) -> Buckets {
    let granted: Vec<_> = granted.iter().map(|text| text.parse().unwrap()).collect();
    let bytes_max = Arc::new(AtomicU64::new(u64::MAX));
    host.buckets(&name(tenant), &name(app), &granted, &Arc::new(limits), &bytes_max).unwrap()
}

fn host() -> KeyValue {
    KeyValue::new(&KeyValueBackend::Memory, None).unwrap()
}

async fn get(bucket: &Bucket, key: &str) -> Option<Vec<u8>> {
    bucket.get(vec![key.to_owned()]).await.unwrap().remove(0).map(|(_, value)| value)
}

async fn set(bucket: &Bucket, key: &str, value: &[u8]) -> Result<(), KeyValueError> {
    bucket.set(vec![(key.to_owned(), Some(value.to_vec()))]).await
}

#[tokio::test]
async fn what_is_not_granted_does_not_open() {
    let buckets = buckets(&host(), "t", "a", &["default", "b"], Limits::default());
    assert!(buckets.open("").is_ok() && buckets.open("default").is_ok() && buckets.open("b").is_ok());
    assert!(matches!(buckets.open("c"), Err(KeyValueError::Denied)));
    assert!(Buckets::default().open("").is_err());
}

#[tokio::test]
async fn a_bucket_is_the_apps_or_the_tenants() {
    let host = host();
    let open = |tenant, app, grant: &str| {
        let bucket = grant.split(':').next().unwrap();
        buckets(&host, tenant, app, &[grant], Limits::default()).open(bucket).unwrap()
    };
    set(&open("t", "a", "b"), "k", b"own").await.unwrap();
    set(&open("t", "a", "b:shared"), "k", b"shared").await.unwrap();
    assert_eq!(get(&open("t", "a", "b"), "k").await.as_deref(), Some(&b"own"[..]));
    assert_eq!(get(&open("t", "c", "b:shared"), "k").await.as_deref(), Some(&b"shared"[..]));
    assert_eq!(get(&open("t", "c", "b"), "k").await, None);
    assert_eq!(get(&open("u", "a", "b:shared"), "k").await, None);
}

#[tokio::test]
async fn keys_values_and_batches_have_their_limits() {
    let limits = Limits {
        keyvalue_key_bytes_max: 3,
        keyvalue_value_bytes_max: 4,
        keyvalue_keys_max: 2,
        ..Limits::default()
    };
    let bucket = buckets(&host(), "t", "a", &["b"], limits).open("b").unwrap();
    set(&bucket, "key", b"four").await.unwrap();
    let error = set(&bucket, "keys", b"").await.unwrap_err().to_string();
    assert_eq!(error, "a key of 4 bytes is longer than keyvalue_key_bytes_max, 3");
    let error = set(&bucket, "key", b"fives").await.unwrap_err().to_string();
    assert_eq!(error, "a value of 5 bytes is longer than keyvalue_value_bytes_max, 4");
    let keys = ["a", "b", "c"].map(str::to_owned).to_vec();
    let error = bucket.get(keys).await.unwrap_err().to_string();
    assert_eq!(error, "3 keys are more than keyvalue_keys_max, 2");
}

#[tokio::test]
async fn a_list_comes_in_pages() {
    let limits = Limits { keyvalue_keys_max: 3, ..Limits::default() };
    let bucket = buckets(&host(), "t", "a", &["b"], limits).open("b").unwrap();
    for key in 0..6 {
        set(&bucket, &key.to_string(), b"").await.unwrap();
    }
    let first = bucket.list(None).await.unwrap();
    let second = bucket.list(first.cursor).await.unwrap();
    assert_eq!((first.keys.len(), second.keys.len(), second.cursor), (3, 3, None));
    let mut keys = [first.keys, second.keys].concat();
    keys.sort_unstable();
    assert_eq!(keys, ["0", "1", "2", "3", "4", "5"]);
}

#[test]
fn keys_that_share_a_place_stay_together() {
    let found = |places: &[u64]| places.iter().map(|place| (*place, place.to_string())).collect();
    let cut = |places: &[u64]| {
        let page = page(found(places), 3);
        (page.keys.len(), page.cursor)
    };
    assert_eq!(cut(&[1, 2, 3]), (3, None));
    assert_eq!(cut(&[1, 2, 3, 4]), (3, Some(3)));
    assert_eq!(cut(&[1, 2, 3, 3]), (2, Some(2)));
}

#[tokio::test]
async fn writes_at_once_all_count() {
    let bucket = buckets(&host(), "t", "a", &["b"], Limits::default()).open("b").unwrap();
    let adding: Vec<_> = (0..100)
        .map(|_| {
            let bucket = bucket.clone();
            tokio::spawn(async move { bucket.increment("n".to_owned(), 2).await.unwrap() })
        })
        .collect();
    let mut sums = Vec::new();
    for adding in adding {
        sums.push(adding.await.unwrap());
    }
    sums.sort_unstable();
    assert_eq!(sums, (1..=100).map(|sum| sum * 2).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_redis_that_is_not_there_holds_nobody_up() {
    // A port that is taken by somebody who does not listen.
    let taken = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    taken.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let port = taken.local_addr().unwrap().as_socket().unwrap().port();
    let host = KeyValue::new(&format!("redis://127.0.0.1:{port}").parse().unwrap(), None).unwrap();
    let bucket = buckets(&host, "t", "a", &["b"], Limits::default()).open("b").unwrap();
    let error = set(&bucket, "k", b"").await.unwrap_err();
    assert!(matches!(error, KeyValueError::Unavailable(_)), "{error}");
}
