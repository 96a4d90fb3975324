//! Requests of guests to other servers: where they may go, how they get there,
//! and whose connections they use. `guest/` uses it; it knows the
//! configuration and the pieces of HTTP/1.1 that have no side, and nobody who
//! answers.
//!
//! [`service`] makes the outbound side of an app. In the order of a request: its
//! [`origin`], the [`policy`] with what it knows
//! of an [`address`], the [`draft`] of the request itself, the [`agent`] that
//! has a connection or the right to make one, the [`connect`]or with
//! [`resolver`] and [`tls`], and the [`request`] that is carried by [`http1`] or
//! [`http2`].

pub mod service;
pub mod origin;
pub mod policy;
pub mod address;
pub mod client;
pub mod request;
pub mod draft;
pub mod agents;
pub mod agent;
pub mod means;
pub mod tally;
pub mod connect;
pub mod resolver;
pub mod tls;
pub mod stream;
pub mod http1;
pub mod http2;
pub mod error;
