//! `wasi:config`: what an operator tells an app by key. The drafts differ in
//! names only.

use wasmtime::component::{ComponentType, Linker, Lower};

use crate::guest::instance::HostState;

/// The interface by the names that it has had.
const NAMES: [&str; 3] =
    ["wasi:config/store@0.2.0-rc.1", "wasi:config/store@0.2.0-draft", "wasi:config/runtime@0.2.0-draft"];

/// Why there is no value. Ours are in memory: there is always an answer.
#[derive(ComponentType, Lower)]
#[component(variant)]
enum Error {
    #[component(name = "upstream")]
    #[expect(dead_code, reason = "the interface has it, for hosts that ask others")]
    Upstream(String),
    #[component(name = "io")]
    #[expect(dead_code, reason = "the interface has it, for hosts that ask others")]
    Io(String),
}

/// Links it, whatever a component calls it.
///
/// # Errors
/// None but wasmtime's own, on a name that is defined twice.
pub fn link(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    for name in NAMES {
        let mut interface = linker.instance(name)?;
        interface.func_wrap("get", |store, (key,): (String,)| {
            let found = values(store.data()).find(|(name, _)| *name == key);
            Ok((Ok::<_, Error>(found.map(|(_, value)| value.to_owned())),))
        })?;
        interface.func_wrap("get-all", |store, (): ()| {
            let all: Vec<_> =
                values(store.data()).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            Ok((Ok::<_, Error>(all),))
        })?;
    }
    Ok(())
}

/// What the app finds there, secrets among it.
fn values(state: &HostState) -> impl Iterator<Item = (&str, &str)> {
    let settings = state.settings();
    let plain = settings.config.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    plain.chain(settings.config_secrets.iter().map(|(name, secret)| (name.as_str(), secret.reveal())))
}
