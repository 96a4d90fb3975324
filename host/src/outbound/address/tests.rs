//! Where ranges begin and end, and that no spelling hides an address.

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
