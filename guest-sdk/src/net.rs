//! TCP connections of the guest's own, to where the operator grants them.
//!
//! [`TcpStream`] is one that can be waited for together with a
//! [`Socket`](crate::Socket), which [`std::net::TcpStream`] cannot;
//! [`relay`] carries bytes between the two.

mod address;
mod relay;
mod tcp_stream;

pub use relay::relay;
pub use tcp_stream::TcpStream;
