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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(text: &str) -> &'static str {
        Kind::of(text.parse().unwrap()).as_str()
    }

    #[test]
    fn ranges_begin_and_end_where_they_should() {
        for (first, last, name) in [
            ("0.0.0.1", "0.255.255.255", "this network"),
            ("10.0.0.0", "10.255.255.255", "private"),
            ("100.64.0.0", "100.127.255.255", "shared by a provider"),
            ("127.0.0.0", "127.255.255.255", "loopback"),
            ("169.254.0.0", "169.254.255.255", "link-local"),
            ("172.16.0.0", "172.31.255.255", "private"),
            ("192.0.0.0", "192.0.0.255", "for protocols"),
            ("192.0.2.0", "192.0.2.255", "documentation"),
            ("192.31.196.0", "192.31.196.255", "for protocols"),
            ("192.52.193.0", "192.52.193.255", "for protocols"),
            ("192.88.99.0", "192.88.99.255", "for protocols"),
            ("192.168.0.0", "192.168.255.255", "private"),
            ("192.175.48.0", "192.175.48.255", "for protocols"),
            ("198.18.0.0", "198.19.255.255", "benchmarking"),
            ("198.51.100.0", "198.51.100.255", "documentation"),
            ("203.0.113.0", "203.0.113.255", "documentation"),
            ("224.0.0.0", "239.255.255.255", "multicast"),
            ("240.0.0.0", "255.255.255.254", "reserved"),
            ("255.255.255.255", "255.255.255.255", "broadcast"),
            ("0.0.0.0", "0.0.0.0", "unspecified"),
            ("::", "::", "unspecified"),
            ("::1", "::1", "loopback"),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "translated to IPv4"),
            ("100::", "100::ffff:ffff:ffff:ffff", "discarded"),
            ("100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", "discarded"),
            ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "tunnelled by Teredo"),
            ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", "benchmarking"),
            ("2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "for protocols"),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"),
            ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", "for protocols"),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"),
            ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "segment routing"),
            ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "private"),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local"),
            ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local"),
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"),
            // Whatever is not given out.
            ("::1:0:0:0", "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"),
            ("64:ff9b:2::", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"),
            ("200::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"),
            ("4000::", "5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"),
            ("fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"),
        ] {
            assert_eq!((kind(first), kind(last)), (name, name), "{first} to {last}");
        }
    }

    #[test]
    fn what_lies_between_is_public() {
        for text in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "8.8.8.8",
            "2000::",
            "2001:200::",
            "2001:db7:ffff::",
            "2001:db9::",
            "2606:4700::1111",
            "2620:4f:7fff::",
            "2620:4f:8001::",
            "3fff:1000::",
            "3ffe:ffff::",
            "2003::",
            "2002:808:808::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            assert_eq!(kind(text), "public", "{text}");
        }
    }

    #[test]
    fn metadata_is_more_than_its_range() {
        let addresses = METADATA_V4.iter().map(ToString::to_string);
        for text in addresses.chain(METADATA_V6.iter().map(ToString::to_string)).chain(
            [
                "fd00:ec2::254",
                "::ffff:169.254.169.254",
                "::a9fe:a9fe",
                "64:ff9b::169.254.169.254",
                "2002:a9fe:a9fe::1",
                // Each length of a prefix of one's own.
                "64:ff9b:1::169.254.169.254",
                "64:ff9b:1:2:3:4:a9fe:a9fe",
                "64:ff9b:1:2:a9:fea9:fe00:0",
                "64:ff9b:1:2a9:fe:a9fe::",
                "64:ff9b:1:a9fe:a9:fe00::",
            ]
            .map(str::to_owned),
        ) {
            assert_eq!(Kind::of(text.parse().unwrap()), Kind::Metadata, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_mapped_is_judged_as_what_it_maps(bits in any::<u32>(), rest in any::<u128>()) {
            let four = Ipv4Addr::from_bits(bits);
            let kind = Kind::of(four.into());
            let low = u128::from(bits);
            for six in [
                0xffff << 32 | low,
                0x64_ff9b << 96 | low,
                0x2002 << 112 | low << 80 | rest >> 48,
            ] {
                prop_assert_eq!(Kind::of(Ipv6Addr::from_bits(six).into()), kind, "{} {:x}", four, six);
            }
            // Of the compatible ones two are themselves.
            if bits > 1 {
                prop_assert_eq!(Kind::of(Ipv6Addr::from_bits(low).into()), kind);
            }
        }

        #[test]
        fn a_prefix_for_nat64_of_ones_own_leads_to_nothing_public(rest in any::<u128>()) {
            let six = LOCAL_NAT64.to_bits() | rest >> 48;
            prop_assert!(Kind::of(Ipv6Addr::from_bits(six).into()) != Kind::Public);
        }
    }
}
