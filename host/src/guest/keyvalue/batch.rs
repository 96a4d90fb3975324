//! `batch`: several keys in one call. Ours are set and deleted all or not at
//! all, which is more than the drafts ask for.

use wasmtime::component::{Linker, Resource};

use super::{DRAFT, DRAFT2, bucket, told};
use crate::guest::instance::HostState;
use crate::keyvalue::Bucket;

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut batch = linker.instance(&format!("wasi:keyvalue/batch@{DRAFT}"))?;
    batch.func_wrap_async("get-many", |mut store, (handle, keys): (Resource<Bucket>, Vec<String>)| {
        Box::new(async move {
            let got = bucket(&mut store, &handle)?.get(keys.clone()).await;
            let pairs = got.map(|values| {
                let pairs = keys.into_iter().zip(values);
                pairs.map(|(key, value)| value.map(|(_, value)| (key, value))).collect::<Vec<_>>()
            });
            Ok((told(store.data(), pairs),))
        })
    })?;
    for draft in [DRAFT, DRAFT2] {
        let mut batch = linker.instance(&format!("wasi:keyvalue/batch@{draft}"))?;
        batch.func_wrap_async(
            "set-many",
            |mut store, (handle, pairs): (Resource<Bucket>, Vec<(String, Vec<u8>)>)| {
                Box::new(async move {
                    let pairs = pairs.into_iter().map(|(key, value)| (key, Some(value))).collect();
                    let set = bucket(&mut store, &handle)?.set(pairs).await;
                    Ok((told(store.data(), set),))
                })
            },
        )?;
        batch.func_wrap_async(
            "delete-many",
            |mut store, (handle, keys): (Resource<Bucket>, Vec<String>)| {
                Box::new(async move {
                    let keys = keys.into_iter().map(|key| (key, None)).collect();
                    let deleted = bucket(&mut store, &handle)?.set(keys).await;
                    Ok((told(store.data(), deleted),))
                })
            },
        )?;
    }
    let mut batch = linker.instance(&format!("wasi:keyvalue/batch@{DRAFT2}"))?;
    batch.func_wrap_async("get-many", |mut store, (handle, keys): (Resource<Bucket>, Vec<String>)| {
        Box::new(async move {
            let got = bucket(&mut store, &handle)?.get(keys.clone()).await;
            let pairs = got.map(|values| {
                let values = values.into_iter().map(|value| value.map(|(_, value)| value));
                keys.into_iter().zip(values).collect::<Vec<_>>()
            });
            Ok((told(store.data(), pairs),))
        })
    })
}
