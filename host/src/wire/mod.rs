//! Sockets and HTTP: from the accepted connection to the exchange, and back to
//! the last byte. Does not know what answers an exchange, and never names the
//! sandbox. `handler` and `guest` see it through [`exchange::Exchange`].

pub mod listener;
pub mod connection;
pub mod refusal;
pub mod exchange;
pub mod watch;
pub mod patience;
pub mod socket;
pub mod site;
pub mod owner;
pub mod roster;
pub mod ledger;
pub mod drain;
pub mod timeouts;
pub mod error;
pub mod http1;
