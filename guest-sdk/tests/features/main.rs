//! What the SDK has with a feature, by handlers called in process. Run with
//! `cargo test --package innkeeper-guest --all-features`.

#[cfg(feature = "config")]
mod config;
#[cfg(feature = "cookies")]
mod cookies;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "keyvalue")]
mod keyvalue;
#[cfg(feature = "static-files")]
mod static_files;
