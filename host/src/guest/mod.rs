//! The sandbox: components, instances, calls. The only place that names
//! `wasmtime`; sees a request as an `Exchange` and knows nothing of parsing.

pub mod engine;
pub mod contract;
pub mod component;
pub mod sandbox;
mod linking;
pub mod account;
pub mod instance;
mod idle;
pub mod call;
mod trap;
pub mod client_error;
pub mod budget;
pub mod cpu;
pub mod demotion;
mod network;
mod outgoing;
pub mod log;
pub mod stdio;
pub mod logging;
mod config;
mod keyvalue;
mod api;
mod wasi_http;
mod node_http;

/// A wasmtime error as one of the host's, its causes in its text.
fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
