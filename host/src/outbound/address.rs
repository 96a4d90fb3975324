//! Which addresses are special, so that a name must not lead there by itself:
//! all of IANA's registries of special-purpose addresses, multicast, whatever
//! of IPv6 is no unicast address of the public network, and the addresses
//! where clouds hand out a machine's credentials.
//!
//! An address is judged by what it means (`config::network`), however it is
//! written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::network::meant;

/// What an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One of the public network.
    Public,
    /// A special one, in this word.
    Special(&'static str),
    /// Where a cloud tells a machine who it is, with its credentials.
    Metadata,
}

impl Kind {
    /// What this address is.
    pub fn of(address: IpAddr) -> Self {
        let special = match meant(address) {
            address if is_metadata(address) => return Kind::Metadata,
            IpAddr::V4(address) => special_v4(address),
            IpAddr::V6(address) => special_v6(address),
        };
        special.map_or(Kind::Public, Kind::Special)
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Public => "public",
            Kind::Special(name) => name,
            Kind::Metadata => "metadata of a cloud",
        }
    }
}

/// The first address of a range, how many bits of it are common to all, and
/// what they are.
type Range<A> = (A, u32, &'static str);

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let is_in = |(first, prefix, _): &&Range<Ipv4Addr>| {
        (address.to_bits() ^ first.to_bits()).leading_zeros() >= *prefix
    };
    RANGES_V4.iter().find(is_in).map(|(.., name)| *name)
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let is_in = |(first, prefix, _): &&Range<Ipv6Addr>| {
        (address.to_bits() ^ first.to_bits()).leading_zeros() >= *prefix
    };
    // Outside of 2000::/3 nothing is given out for the public network.
    let is_unicast = address.to_bits() >> 125 == 1;
    RANGES_V6.iter().find(is_in).map(|(.., name)| *name).or((!is_unicast).then_some("reserved"))
}

/// Of several ranges that an address is in, the first names it.
const RANGES_V4: &[Range<Ipv4Addr>] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 32, "unspecified"),
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared by a provider"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "for protocols"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "for protocols"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "for protocols"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "for protocols"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(192, 175, 48, 0), 24, "for protocols"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(255, 255, 255, 255), 32, "broadcast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

/// Without those that mean an IPv4 address.
const RANGES_V6: &[Range<Ipv6Addr>] = &[
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified"),
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    (LOCAL_NAT64, 48, "translated to IPv4"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "discarded"),
    (Ipv6Addr::new(0x100, 0, 0, 1, 0, 0, 0, 0), 64, "discarded"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "tunnelled by Teredo"),
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, "benchmarking"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "for protocols"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "documentation"),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48, "for protocols"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "documentation"),
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16, "segment routing"),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, "private"),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "site-local"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
];

/// The prefix of 48 bits for NAT64 of one's own (RFC 8215). Who uses it says
/// where in the rest the IPv4 address is (RFC 6052, 2.2), which is not to be
/// seen; so the range is special, whatever is inside.
const LOCAL_NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0);

/// Where clouds answer a machine's questions about itself.
const METADATA_V4: &[Ipv4Addr] = &[
    // Amazon, Azure, Google, OpenStack, Oracle and most others.
    Ipv4Addr::new(169, 254, 169, 254),
    // Amazon: credentials of ECS tasks and of EKS pods.
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    // Tencent and Scaleway.
    Ipv4Addr::new(169, 254, 0, 23),
    Ipv4Addr::new(169, 254, 42, 42),
    // Alibaba.
    Ipv4Addr::new(100, 100, 100, 200),
    // Azure's agent, at a public address.
    Ipv4Addr::new(168, 63, 129, 16),
    // Oracle, before.
    Ipv4Addr::new(192, 0, 0, 192),
];

const METADATA_V6: &[Ipv6Addr] = &[
    // Amazon: machines, and EKS pods.
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    // Google.
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    // OpenStack.
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    // Oracle.
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    // Scaleway.
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
    // Akamai.
    Ipv6Addr::new(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1),
];

fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => METADATA_V4.contains(&address),
        IpAddr::V6(address) => {
            METADATA_V6.contains(&address)
                || translated(address).iter().flatten().any(|address| METADATA_V4.contains(address))
        }
    }
}

/// What an address of [`LOCAL_NAT64`] may mean, by each length that the prefix
/// can have there (RFC 6052, 2.2): 96, 64, 56 and 48 bits. Bits 64 to 71 are
/// never part of it.
fn translated(address: Ipv6Addr) -> [Option<Ipv4Addr>; 4] {
    let bits = address.to_bits();
    if (bits ^ LOCAL_NAT64.to_bits()) >> 80 != 0 {
        return [None; 4];
    }
    // So many of the address's bits from this one on.
    let part = |from: u32, count: u32| (bits << from >> (128 - count)) as u32;
    let addresses =
        [part(96, 32), part(72, 32), part(56, 8) << 24 | part(72, 24), part(48, 16) << 16 | part(72, 16)];
    addresses.map(|bits| Some(Ipv4Addr::from_bits(bits)))
}

#[cfg(test)]
mod tests;
