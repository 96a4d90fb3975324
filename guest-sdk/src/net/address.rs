//! Where to connect to: from text to addresses, by WASI's lookup where there
//! is a name; and WASI's error codes as those of [`io`].

use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::bindings::wasi::sockets::ip_name_lookup::resolve_addresses;
use crate::bindings::wasi::sockets::network::{
    ErrorCode, IpAddress, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress, Network,
};

/// All addresses that `host:port` stands for.
pub fn look_up(network: &Network, address: &str) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = address.parse() {
        return Ok(vec![address]);
    }
    let (host, port) = host_and_port(address)?;
    let answers = resolve_addresses(network, host).map_err(error)?;
    let mut addresses = Vec::new();
    loop {
        match answers.resolve_next_address() {
            Ok(Some(address)) => addresses.push(SocketAddr::new(ip(address), port)),
            Ok(None) => return Ok(addresses),
            Err(ErrorCode::WouldBlock) => answers.subscribe().block(),
            Err(code) => return Err(error(code)),
        }
    }
}

/// The address as WASI writes it.
pub fn to_wasi(address: SocketAddr) -> IpSocketAddress {
    match address {
        SocketAddr::V4(address) => {
            let [a, b, c, d] = address.ip().octets();
            IpSocketAddress::Ipv4(Ipv4SocketAddress { port: address.port(), address: (a, b, c, d) })
        }
        SocketAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.ip().segments();
            IpSocketAddress::Ipv6(Ipv6SocketAddress {
                port: address.port(),
                flow_info: address.flowinfo(),
                address: (a, b, c, d, e, f, g, h),
                scope_id: address.scope_id(),
            })
        }
    }
}

/// The nearest of std's errors.
pub fn error(code: ErrorCode) -> io::Error {
    let kind = match code {
        ErrorCode::AccessDenied => io::ErrorKind::PermissionDenied,
        ErrorCode::NotSupported => io::ErrorKind::Unsupported,
        ErrorCode::InvalidArgument => io::ErrorKind::InvalidInput,
        ErrorCode::OutOfMemory => io::ErrorKind::OutOfMemory,
        ErrorCode::Timeout => io::ErrorKind::TimedOut,
        ErrorCode::RemoteUnreachable => io::ErrorKind::HostUnreachable,
        ErrorCode::ConnectionRefused => io::ErrorKind::ConnectionRefused,
        ErrorCode::ConnectionReset => io::ErrorKind::ConnectionReset,
        ErrorCode::ConnectionAborted => io::ErrorKind::ConnectionAborted,
        ErrorCode::AddressInUse => io::ErrorKind::AddrInUse,
        ErrorCode::AddressNotBindable => io::ErrorKind::AddrNotAvailable,
        ErrorCode::NameUnresolvable => io::ErrorKind::NotFound,
        _ => return io::Error::other(code.message()),
    };
    kind.into()
}

fn host_and_port(address: &str) -> io::Result<(&str, u16)> {
    let parts = address.rsplit_once(':');
    let parts = parts.and_then(|(host, port)| Some((host, port.parse().ok()?)));
    parts.filter(|(host, _)| !host.is_empty() && !host.contains([':', '[', ']'])).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("`{address}` is not written as host:port"))
    })
}

fn ip(address: IpAddress) -> IpAddr {
    match address {
        IpAddress::Ipv4((a, b, c, d)) => [a, b, c, d].into(),
        IpAddress::Ipv6((a, b, c, d, e, f, g, h)) => [a, b, c, d, e, f, g, h].into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_port_and_no_brackets() {
        assert_eq!(host_and_port("localhost:80").expect("this is one"), ("localhost", 80));
        for wrong in ["localhost", "localhost:", ":80", "localhost:65536", "[::1:80", "::1:80"] {
            let error = host_and_port(wrong).expect_err(wrong);
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        }
    }
}
