//! Innkeeper: an HTTP server that keeps guests.
//!
//! The host owns every socket; what answers a request is a sandboxed
//! WebAssembly component that sees it as Node's `http` does. A request takes
//! this path:
//!
//! 1. [`server`] binds, and starts [`wire::listener`] for each address;
//! 2. [`wire::listener`] accepts, and starts a [`wire::connection`];
//! 3. [`wire::connection`] waits for a request, reads its head
//!    ([`wire::http1::head`]) and makes an [`wire::exchange`];
//! 4. [`handler`] finds the app that it is for ([`app::routes`]) and the
//!    version that answers, decides which export has it ([`event`]), admits it
//!    ([`stay`], [`app::admission`]), takes an instance ([`guest::instance`]),
//!    calls the guest ([`guest::call`]) and finishes;
//! 5. the guest's calls (`guest::api`) read the body ([`wire::http1::body`])
//!    and write the response ([`wire::http1::response`]) through the exchange,
//!    or have the bare connection (`wire::exchange::tunnel`);
//! 6. [`wire::connection`] takes the connection back: the next request, or a
//!    lingering close.
//!
//! Beside that path: [`keyvalue`] keeps what guests put into their buckets,
//! [`deploy`] brings together what the configuration
//! ([`config`]) and the state directory ([`state`]) say, [`app`] changes what is
//! served, [`admin`] lets operators do so over HTTP, [`telemetry`] says what
//! happened.
//!
//! To embed it, start at [`server::Server`]. A [`config::Config`] is what a
//! configuration file says, or made by hand:
//!
//! ```no_run
//! use std::path::Path;
//!
//! use innkeeper::config::file;
//! use innkeeper::server::Server;
//!
//! # async fn example() -> anyhow::Result<()> {
//! let text = r#"
//!     listen = ["127.0.0.1:0"]
//!     [[app]]
//!     name = "hello"
//!     component = "hello.wasm"
//! "#;
//! let config = file::parse(text, Path::new("/srv/inn/innkeeper.toml"))?;
//! let server = Server::bind(&config).await?;
//! println!("listening on {}", server.addresses()[0]);
//! let report = server.run(std::future::pending(), std::future::pending()).await;
//! println!("{} finished, {} cut", report.finished, report.cut);
//! # Ok(())
//! # }
//! ```

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests fail by panicking"
    )
)]

pub mod server;
pub mod wire;
pub mod handler;
pub mod stay;
pub mod event;
pub mod rewording;
pub mod app;
pub mod guest;
pub mod outbound;
pub mod keyvalue;
pub mod config;
pub mod state;
pub mod deploy;
pub mod admin;
pub mod error;
pub mod telemetry;
pub mod cli;
