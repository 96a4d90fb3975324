//! `atomics`: numbers that are added to, and values that are swapped only if
//! nobody else has changed them.

use wasmtime::component::{ComponentType, Linker, Lower, Resource, ResourceType};

use super::{DRAFT, DRAFT2, Error, bucket, told};
use crate::guest::instance::HostState;
use crate::keyvalue::Bucket;

/// A key as it was when it was last looked at.
struct Cas {
    bucket: Bucket,
    key: String,
    version: Option<u64>,
}

/// Why a value was not swapped.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum CasError {
    /// Something failed.
    #[component(name = "store-error")]
    Store(Error),
    /// Somebody else has changed the key; this is how it is now.
    #[component(name = "cas-failed")]
    Failed(Resource<Cas>),
}

pub(super) fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut atomics = linker.instance(&format!("wasi:keyvalue/atomics@{DRAFT}"))?;
    atomics.func_wrap_async(
        "increment",
        |mut store, (handle, key, delta): (Resource<Bucket>, String, u64)| {
            Box::new(async move {
                let sum = bucket(&mut store, &handle)?.increment_unsigned(key, delta).await;
                Ok((told(store.data(), sum),))
            })
        },
    )?;
    let mut atomics = linker.instance(&format!("wasi:keyvalue/atomics@{DRAFT2}"))?;
    atomics.func_wrap_async(
        "increment",
        |mut store, (handle, key, delta): (Resource<Bucket>, String, i64)| {
            Box::new(async move {
                let sum = bucket(&mut store, &handle)?.increment(key, delta).await;
                Ok((told(store.data(), sum),))
            })
        },
    )?;
    atomics.resource("cas", ResourceType::host::<Cas>(), |mut store, handle| {
        store.data_mut().table.delete(Resource::<Cas>::new_own(handle))?;
        Ok(())
    })?;
    atomics.func_wrap_async("[static]cas.new", |mut store, (handle, key): (Resource<Bucket>, String)| {
        Box::new(async move {
            let bucket = bucket(&mut store, &handle)?;
            let looked = bucket.version(key.clone()).await;
            let cas = match told(store.data(), looked) {
                Ok(version) => Ok(store.data_mut().table.push(Cas { bucket, key, version })?),
                Err(error) => Err(error),
            };
            Ok((cas,))
        })
    })?;
    // What it tells is what a swap then is compared with: a value is not kept
    // from one call to the other.
    atomics.func_wrap_async("[method]cas.current", |mut store, (handle,): (Resource<Cas>,)| {
        Box::new(async move {
            let Cas { bucket, key, .. } = store.data_mut().table.get(&handle)?;
            let (bucket, key) = (bucket.clone(), key.clone());
            let got = bucket.get(vec![key]).await.map(|mut values| values.pop().flatten());
            let value = match told(store.data(), got) {
                Ok(found) => {
                    let (version, value) = found.unzip();
                    store.data_mut().table.get_mut(&handle)?.version = version;
                    Ok(value)
                }
                Err(error) => Err(error),
            };
            Ok((value,))
        })
    })?;
    atomics.func_wrap_async("swap", |mut store, (handle, value): (Resource<Cas>, Vec<u8>)| {
        Box::new(async move {
            let Cas { bucket, key, version } = store.data_mut().table.delete(handle)?;
            let swapped = bucket.swap(key.clone(), version, value).await;
            let swapped = match told(store.data(), swapped) {
                Ok(true) => Ok(()),
                Ok(false) => {
                    let looked = bucket.version(key.clone()).await;
                    match told(store.data(), looked) {
                        Ok(version) => {
                            let now = Cas { bucket, key, version };
                            Err(CasError::Failed(store.data_mut().table.push(now)?))
                        }
                        Err(error) => Err(CasError::Store(error)),
                    }
                }
                Err(error) => Err(CasError::Store(error)),
            };
            Ok((swapped,))
        })
    })
}
