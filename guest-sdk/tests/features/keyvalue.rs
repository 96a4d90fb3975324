//! The feature `keyvalue`, with buckets in memory.

use innkeeper_guest::keyvalue::{self, KeyValueError};
use innkeeper_guest::{Result, testing};

#[test]
fn a_bucket_that_is_not_granted_does_not_open() {
    let bucket = testing::bucket();
    let answer = testing::get("/").bucket("granted", &bucket).send(|_req, res| {
        assert_eq!(keyvalue::open("other").err(), Some(KeyValueError::NotGranted));
        keyvalue::open("granted")?.set("seen", "yes")?;
        Ok::<_, innkeeper_guest::Error>(res.end_empty()?)
    });
    assert_eq!((answer.status(), answer.error()), (200, None));
    assert_eq!(bucket.get("seen"), Ok(Some(b"yes".to_vec())));
    // Beside a request there is none.
    assert_eq!(keyvalue::open("granted").err(), Some(KeyValueError::NotGranted));
}

#[test]
fn what_is_set_is_there_until_it_is_deleted() -> Result<()> {
    let bucket = testing::bucket();
    assert_eq!((bucket.get("a")?, bucket.exists("a")?), (None, false));
    bucket.set("a", "1")?;
    bucket.set("b", [0, 255])?;
    assert_eq!((bucket.get("b")?, bucket.exists("a")?), (Some(vec![0, 255]), true));
    assert_eq!(bucket.keys().collect::<Result<Vec<_>, _>>()?, ["a", "b"]);
    bucket.delete("a")?;
    bucket.delete("a")?;
    assert_eq!(bucket.keys().collect::<Result<Vec<_>, _>>()?, ["b"]);
    Ok(())
}

#[test]
fn numbers_are_counted_within_64_bits() -> Result<()> {
    let bucket = testing::bucket();
    assert_eq!([bucket.increment("n", 2)?, bucket.increment("n", -5)?], [2, -3]);
    assert_eq!(bucket.get("n")?, Some(b"-3".to_vec()));
    bucket.set("n", i64::MAX.to_string())?;
    bucket.set("word", "three")?;
    for (key, said) in [("n", "64 bits"), ("word", "no number")] {
        let error = bucket.increment(key, 1).expect_err(key).to_string();
        assert!(error.contains(said), "{error}");
    }
    Ok(())
}

#[test]
fn an_update_begins_again_when_somebody_else_was_first() -> Result<()> {
    let bucket = testing::bucket();
    let mut seen = Vec::new();
    let value = bucket.update("a", |now| {
        seen.push(now.clone());
        match seen.len() {
            // Somebody sets it, then changes it and back.
            1 => bucket.set("a", "theirs"),
            2 => bucket.set("a", "other").and_then(|()| bucket.set("a", "theirs")),
            _ => Ok(()),
        }
        .expect("it is in memory");
        [now.unwrap_or_default(), b"+".to_vec()].concat()
    })?;
    assert_eq!(value, b"theirs+");
    assert_eq!(seen, [None, Some(b"theirs".to_vec()), Some(b"theirs".to_vec())]);
    Ok(())
}
