//! Requests of guests to other servers: where they may go, and how they get
//! there. `guest/` uses it; it knows the configuration and the grammar of
//! HTTP/1.1, and nobody who answers.

pub mod origin;
pub mod policy;
pub mod address;
