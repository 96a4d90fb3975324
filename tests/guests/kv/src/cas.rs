//! Compare-and-swap: `cas K V` swaps what nobody else has changed; `cas-late K V`
//! changes the key itself in between, looks at what is there, and swaps again;
//! `cas-add K N` adds to a number so, N times.

use crate::bindings::wasi::keyvalue0_2_0_draft2::atomics::{Cas, CasError, swap};
use crate::bindings::wasi::keyvalue0_2_0_draft2::store::Bucket;
use crate::calls::text;

pub fn call(bucket: &Bucket, what: &str, words: &[&str]) -> String {
    let [key, value] = words else { return "a key and a value are needed".to_owned() };
    let outcome = match what {
        "cas-late" => late(bucket, key, value),
        "cas-add" => add(bucket, key, value.parse().unwrap_or_default()),
        _ => Cas::new(bucket, key)
            .map_err(CasError::StoreError)
            .and_then(|cas| swap(cas, value.as_bytes()))
            .map(|()| "swapped".to_owned()),
    };
    outcome.unwrap_or_else(|error| format!("{error:?}"))
}

fn late(bucket: &Bucket, key: &str, value: &str) -> Result<String, CasError> {
    let cas = Cas::new(bucket, key).map_err(CasError::StoreError)?;
    bucket.set(key, b"meanwhile").map_err(CasError::StoreError)?;
    let Err(CasError::CasFailed(cas)) = swap(cas, value.as_bytes()) else {
        return Ok("swapped what had changed".to_owned());
    };
    let found = cas.current().map_err(CasError::StoreError)?.map_or("none".to_owned(), text);
    swap(cas, value.as_bytes())?;
    Ok(format!("failed, found {found}, swapped"))
}

fn add(bucket: &Bucket, key: &str, times: u32) -> Result<String, CasError> {
    for _ in 0..times {
        let mut cas = Cas::new(bucket, key).map_err(CasError::StoreError)?;
        loop {
            let found = cas
                .current()
                .map_err(CasError::StoreError)?
                .map_or(0, |value| text(value).parse().unwrap_or(0));
            match swap(cas, (found + 1_u32).to_string().as_bytes()) {
                Ok(()) => break,
                Err(CasError::CasFailed(now)) => cas = now,
                Err(error) => return Err(error),
            }
        }
    }
    Ok("added".to_owned())
}
