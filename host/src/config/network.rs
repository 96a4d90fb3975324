//! Networks of IP addresses in CIDR form, and which address is meant by an
//! IPv6 address that has an IPv4 address inside: no spelling of an address may
//! reach what its plain one may not.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// The addresses that begin with the same bits; with all bits, one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The network of this address alone.
    pub fn single(address: IpAddr) -> Self {
        Network { address, prefix: width(address) }
    }

    /// Whether it is one address.
    pub fn is_single(&self) -> bool {
        self.prefix == width(self.address)
    }

    /// Whether its addresses are of IPv6.
    pub fn is_ipv6(&self) -> bool {
        self.address.is_ipv6()
    }

    /// Whether this address, as it is written, is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4()
            && (bits(address) ^ bits(self.address)).leading_zeros() >= u32::from(self.prefix)
    }
}

/// The bits of an address, its first at the top.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address that is reached through this one: the IPv4 address inside of an
/// IPv6 address that is mapped (RFC 4291, 2.5.5.2), compatible (2.5.5.1),
/// translated by the well-known prefix of NAT64 (RFC 6052, 2.1) or tunnelled
/// by 6to4 (RFC 3056). Any other is itself.
pub fn meant(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    let four = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match six.segments() {
        // The unspecified address and the loopback address.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => address,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => four(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => four(high, low),
        [0x2002, high, low, ..] => four(high, low),
        _ => address,
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| {
            format!("{address:?} is no IP address; write one such as 10.0.0.1 or fd00::1, or a network such as 10.0.0.0/8")
        })?;
        let Some(prefix) = prefix else { return Network::single(address).checked() };
        let most = width(address);
        // The parser would take a sign.
        let is_digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix: u8 =
            prefix.parse().ok().filter(|prefix| is_digits && *prefix <= most).ok_or_else(|| {
                format!("/{prefix} is no length of a prefix; write a number from 0 to {most}")
            })?;
        let first = first_of(address, prefix);
        if first != address {
            return Err(format!(
                "{address} is not the first address of a network of {prefix} bits; write {first}/{prefix}"
            ));
        }
        Network { address, prefix }.checked()
    }
}

impl Network {
    /// What would never be met, because its addresses mean others, is an
    /// error.
    fn checked(self) -> Result<Self, String> {
        match meant(self.address) {
            meant if meant == self.address => Ok(self),
            meant => Err(format!("{self} has an IPv4 address inside, {meant}; write that")),
        }
    }
}

/// The address with no bits behind the prefix.
fn first_of(address: IpAddr, prefix: u8) -> IpAddr {
    let beyond = u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
    match address {
        IpAddr::V4(four) => {
            let mask = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            Ipv4Addr::from_bits(four.to_bits() & !mask).into()
        }
        IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() & !beyond).into(),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(out)?;
        if self.is_single() { Ok(()) } else { write!(out, "/{}", self.prefix) }
    }
}

#[cfg(test)]
mod tests;
