//! `store`: opening a bucket, and what is done with one key of it.

use wasmtime::component::{ComponentType, Linker, LinkerInstance, Lower, Resource, ResourceType};

use super::{DRAFT, DRAFT2, Error, bucket, told};
use crate::guest::instance::HostState;
use crate::keyvalue::{Bucket, KeyValueError, Page};

/// A page of a list, whose cursor is a number or, later, a text.
#[derive(ComponentType, Lower)]
#[component(record)]
struct KeyResponse<C> {
    #[component(name = "keys")]
    keys: Vec<String>,
    #[component(name = "cursor")]
    cursor: Option<C>,
}

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut store = linker.instance(&format!("wasi:keyvalue/store@{DRAFT}"))?;
    link_keys(&mut store)?;
    store.func_wrap_async(
        "[method]bucket.list-keys",
        |mut store, (handle, cursor): (Resource<Bucket>, Option<u64>)| {
            Box::new(async move {
                let listed = bucket(&mut store, &handle)?.list(cursor).await;
                let listed = listed.map(|Page { keys, cursor }| KeyResponse { keys, cursor });
                Ok((told(store.data(), listed),))
            })
        },
    )?;
    let mut store = linker.instance(&format!("wasi:keyvalue/store@{DRAFT2}"))?;
    link_keys(&mut store)?;
    store.func_wrap_async(
        "[method]bucket.list-keys",
        |mut store, (handle, cursor): (Resource<Bucket>, Option<String>)| {
            Box::new(async move {
                let bucket = bucket(&mut store, &handle)?;
                let listed = match cursor.map(|cursor| cursor.parse()).transpose() {
                    Ok(cursor) => {
                        let listed = bucket.list(cursor).await;
                        told(store.data(), listed)
                    }
                    Err(_) => Err(Error::Other("the cursor is none that list-keys gave".to_owned())),
                };
                let listed = listed.map(|Page { keys, cursor }| KeyResponse {
                    keys,
                    cursor: cursor.map(|cursor| cursor.to_string()),
                });
                Ok((listed,))
            })
        },
    )
}

/// What both drafts have.
fn link_keys(store: &mut LinkerInstance<'_, HostState>) -> wasmtime::Result<()> {
    store.resource("bucket", ResourceType::host::<Bucket>(), |mut store, handle| {
        store.data_mut().table.delete(Resource::<Bucket>::new_own(handle))?;
        Ok(())
    })?;
    store.func_wrap("open", |mut store, (name,): (String,)| {
        let state = store.data_mut();
        let opened = state.buckets().open(&name);
        if matches!(opened, Err(KeyValueError::Denied)) {
            let line = format!("the bucket {name:?} is not granted; name it in keyvalue if it should be");
            state.log().note_key_values(state.exchange(), &line);
        }
        let opened = match opened {
            Ok(bucket) => Ok(state.table.push(bucket)?),
            Err(error) => told(state, Err(error)),
        };
        Ok((opened,))
    })?;
    store.func_wrap_async("[method]bucket.get", |mut store, (handle, key): (Resource<Bucket>, String)| {
        Box::new(async move {
            let got = bucket(&mut store, &handle)?.get(vec![key]).await;
            let value = got.map(|mut values| values.pop().flatten().map(|(_, value)| value));
            Ok((told(store.data(), value),))
        })
    })?;
    store.func_wrap_async(
        "[method]bucket.set",
        |mut store, (handle, key, value): (Resource<Bucket>, String, Vec<u8>)| {
            Box::new(async move {
                let set = bucket(&mut store, &handle)?.set(vec![(key, Some(value))]).await;
                Ok((told(store.data(), set),))
            })
        },
    )?;
    store.func_wrap_async(
        "[method]bucket.delete",
        |mut store, (handle, key): (Resource<Bucket>, String)| {
            Box::new(async move {
                let deleted = bucket(&mut store, &handle)?.set(vec![(key, None)]).await;
                Ok((told(store.data(), deleted),))
            })
        },
    )?;
    store.func_wrap_async("[method]bucket.exists", |mut store, (handle, key): (Resource<Bucket>, String)| {
        Box::new(async move {
            let version = bucket(&mut store, &handle)?.version(key).await;
            Ok((told(store.data(), version.map(|version| version.is_some())),))
        })
    })
}
