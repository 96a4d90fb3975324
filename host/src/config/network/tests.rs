//! What a network is and has, and which address is meant by another.

use proptest::prelude::*;

use super::*;

#[test]
fn networks_are_read_and_shown() {
    for (text, shown) in [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3/32", "10.1.2.3"),
        ("FD00::/8", "fd00::/8"),
        ("::1", "::1"),
        ("::", "::"),
        ("::/0", "::/0"),
        ("fd00:0::1/128", "fd00::1"),
    ] {
        assert_eq!(text.parse::<Network>().unwrap().to_string(), shown, "{text}");
    }
}

#[test]
fn what_is_no_network_is_refused_with_a_remedy() {
    for (text, remedy) in [
        ("", "write one such as"),
        ("a", "write one such as"),
        ("127.1", "write one such as"),
        ("010.0.0.1", "write one such as"),
        ("fe80::1%eth0", "write one such as"),
        ("[::1]", "write one such as"),
        ("10.0.0.0/33", "0 to 32"),
        ("10.0.0.0/", "0 to 32"),
        ("10.0.0.0/+8", "0 to 32"),
        ("10.0.0.0/8/8", "0 to 32"),
        ("fd00::/129", "0 to 128"),
        ("10.1.2.3/8", "write 10.0.0.0/8"),
        ("10.0.0.1/0", "write 0.0.0.0/0"),
        ("fd00::1/8", "write fd00::/8"),
        ("::ffff:10.0.0.1", "10.0.0.1; write that"),
        ("::ffff:0:0/96", "0.0.0.0; write that"),
        ("2002:a00::/24", "10.0.0.0; write that"),
        ("64:ff9b::a9fe:a9fe", "169.254.169.254; write that"),
    ] {
        let error = text.parse::<Network>().unwrap_err();
        assert!(error.contains(remedy), "{text}: {error}");
    }
}

#[test]
fn a_network_has_the_addresses_with_its_prefix() {
    for (network, inside, outside) in [
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
        ("10.0.0.0/31", "10.0.0.1", "10.0.0.2"),
        ("10.0.0.1", "10.0.0.1", "10.0.0.0"),
        ("0.0.0.0/0", "255.255.255.255", "::"),
        ("::/0", "ffff::1", "0.0.0.0"),
        ("fd00::/8", "fdff::1", "fe00::"),
        ("::1", "::1", "::2"),
        ("::/0", "::ffff:10.0.0.1", "10.0.0.1"),
    ] {
        let parsed: Network = network.parse().unwrap();
        assert!(parsed.contains(inside.parse().unwrap()), "{network} {inside}");
        assert!(!parsed.contains(outside.parse().unwrap()), "{network} {outside}");
    }
}

#[test]
fn an_address_inside_of_another_is_what_is_meant() {
    for (text, address) in [
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("::10.1.2.3", "10.1.2.3"),
        ("64:ff9b::10.1.2.3", "10.1.2.3"),
        ("2002:a01:203::1", "10.1.2.3"),
        ("2002:a01:203:4:5:6:7:8", "10.1.2.3"),
        ("::", "::"),
        ("::1", "::1"),
        ("::2", "0.0.0.2"),
        ("64:ff9b:1::10.1.2.3", "64:ff9b:1::a01:203"),
        ("2001::1", "2001::1"),
        ("::ffff:0:10.1.2.3", "::ffff:0:a01:203"),
        ("10.1.2.3", "10.1.2.3"),
    ] {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(meant(text.parse().unwrap()), address, "{text}");
    }
}

proptest! {
    #[test]
    fn a_network_reads_back_and_has_its_own(bits in any::<u128>(), four in any::<bool>(), prefix in 0u8..=128) {
        let address: IpAddr = match four {
            true => Ipv4Addr::from_bits((bits >> 96) as u32).into(),
            false => Ipv6Addr::from_bits(bits).into(),
        };
        let prefix = prefix.min(width(address));
        let first = first_of(address, prefix);
        let network = Network { address: first, prefix };
        prop_assert!(network.contains(address) && network.contains(first));
        if meant(first) == first {
            prop_assert_eq!(network.to_string().parse(), Ok(network));
            prop_assert_eq!(format!("{first}/{prefix}").parse(), Ok(network));
        }
    }
}
