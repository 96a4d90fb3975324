//! What entries allow and what they do not, in tables.

use proptest::prelude::*;

use super::*;

fn policy(entries: &[&str]) -> Policy {
    Policy::new(entries.iter().map(|entry| entry.parse().unwrap()).collect())
}

fn origin(url: &str) -> Origin {
    let (scheme, authority) = url.split_once("://").unwrap();
    Origin::parse(scheme, authority).unwrap()
}

/// Whether an origin may be asked, and then be at this address.
fn allows(entries: &[&str], url: &str, address: &str) -> bool {
    let clearance = policy(entries).check(&origin(url));
    clearance.is_ok_and(|clearance| clearance.check(address.parse().unwrap()).is_ok())
}

const PUBLIC: &str = "93.184.216.34";

#[test]
fn nothing_is_allowed_by_default() {
    assert!(policy(&[]).is_empty() && policy(&["10.0.0.0/8"]).is_empty());
    for url in ["http://a.example", "https://a.example", "http://localhost", "http://127.0.0.1"] {
        assert!(policy(&[]).check(&origin(url)).is_err(), "{url}");
        assert!(policy(&["0.0.0.0/0", "::/0"]).check(&origin(url)).is_err(), "{url}");
    }
}

#[test]
fn an_origin_is_its_scheme_its_host_and_its_port() {
    for (entry, allowed, refused) in [
        (
            "https://api.example",
            &["https://api.example", "https://API.example.:443"][..],
            &[
                "http://api.example:443",
                "https://api.example:8443",
                "https://x.api.example",
                "https://api.example.evil",
            ][..],
        ),
        (
            "http://a.example:8080",
            &["http://a.example:8080"],
            &["http://a.example", "https://a.example:8080"],
        ),
        ("http://a.example:*", &["http://a.example", "http://a.example:1"], &["https://a.example"]),
        (
            "http://*.a.example",
            &["http://b.a.example", "http://c.b.a.example"],
            &["http://a.example", "http://ba.example", "http://a.example.b", "http://b.a.example:81"],
        ),
        (
            "http://*",
            &["http://a", "http://93.184.216.34", "http://[2606:4700::1111]"],
            &["https://a", "http://a:81"],
        ),
        ("http://93.184.216.0/24", &["http://93.184.216.34"], &["http://93.184.217.34", "http://a.example"]),
        (
            "https://[2606:4700::/32]:*",
            &["https://[2606:4700::1]:1"],
            &["https://[2606:4701::1]", "https://93.184.216.34"],
        ),
    ] {
        for url in allowed {
            assert!(policy(&[entry]).check(&origin(url)).is_ok(), "{entry} {url}");
        }
        for url in refused {
            assert!(policy(&[entry]).check(&origin(url)).is_err(), "{entry} {url}");
        }
    }
}

#[test]
fn a_name_leads_to_the_public_network_only() {
    for entries in [
        &["http://a.example"][..],
        &["http://*"],
        &["http://*.example"],
        &["http://a.example", "http://10.0.0.0/8"],
    ] {
        assert!(allows(entries, "http://a.example", PUBLIC));
        assert!(allows(entries, "http://a.example", "2606:4700::1111"));
        for address in [
            "10.1.2.3",
            "127.0.0.1",
            "0.0.0.0",
            "169.254.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "224.0.0.1",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.1.2.3",
            "::ffff:127.0.0.1",
            "64:ff9b::10.1.2.3",
            "2002:a01:203::1",
            "64:ff9b:1::8.8.8.8",
            "2001::1",
            "169.254.169.254",
            "168.63.129.16",
        ] {
            assert!(!allows(entries, "http://a.example", address), "{entries:?} {address}");
        }
    }
}

#[test]
fn a_special_address_is_allowed_where_it_is_named() {
    for (entries, url, inside, outside) in [
        (&["http://a.example", "10.0.0.0/8"][..], "http://a.example", "10.1.2.3", "192.168.0.1"),
        (&["http://*", "10.1.2.3"], "http://a.example", "10.1.2.3", "10.1.2.4"),
        (&["http://*", "10.1.2.3"], "http://a.example", "::ffff:10.1.2.3", "::ffff:10.1.2.4"),
        (&["http://*", "10.1.2.3"], "http://10.1.2.3", "10.1.2.3", "10.1.2.4"),
        (&["http://10.0.0.0/8"], "http://10.1.2.3", "10.1.2.3", "10.1.2.4"),
        (&["http://10.0.0.0/8"], "http://[::ffff:10.1.2.3]", "::ffff:10.1.2.3", "10.1.2.4"),
        (&["http://[fd00::/8]"], "http://[fd00::1]", "fd00::1", "fd00::2"),
        (&["http://*", "::/0"], "http://a.example", "fd00::1", "10.1.2.3"),
        (
            &["http://*", "64:ff9b:1::/48"],
            "http://a.example",
            "64:ff9b:1::8.8.8.8",
            "64:ff9b:1::169.254.169.254",
        ),
    ] {
        assert!(allows(entries, url, inside), "{entries:?} {url} {inside}");
        assert!(!allows(entries, url, outside), "{entries:?} {url} {outside}");
    }
    for (entries, url) in [
        (&["http://*:*"][..], "http://10.1.2.3"),
        (&["http://*:*"], "http://[::1]"),
        (&["http://*:*"], "http://[::ffff:127.0.0.1]"),
        (&["http://*:*"], "http://localhost:80"),
        (&["http://10.0.0.0/8", "https://*"], "https://10.1.2.3"),
        (&["http://10.0.0.1:8080", "http://*:*"], "http://10.0.0.1:8081"),
    ] {
        let address = match origin(url).host {
            Host::Ip(address) => address.to_string(),
            Host::Name(_) => "127.0.0.1".to_owned(),
        };
        assert!(!allows(entries, url, &address), "{entries:?} {url}");
    }
}

#[test]
fn localhost_is_this_machine_where_it_is_written() {
    let entries = &["http://localhost:3000"];
    for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        assert!(allows(entries, "http://localhost:3000", address), "{address}");
    }
    for address in ["127.0.0.2", "10.1.2.3", "169.254.169.254"] {
        assert!(!allows(entries, "http://localhost:3000", address), "{address}");
    }
    assert!(!allows(entries, "http://localhost:3001", "127.0.0.1"));
    for (entry, url) in [
        ("http://*.localhost", "http://a.localhost"),
        ("http://a.localhost", "http://a.localhost"),
        ("http://*", "http://localhost"),
    ] {
        assert!(!allows(&[entry], url, "127.0.0.1"), "{entry}");
    }
}

#[test]
fn metadata_is_allowed_by_its_own_address_only() {
    for network in
        ["169.254.0.0/16", "169.254.169.254/31", "0.0.0.0/0", "168.63.128.0/17", "fd00:ec2::/32", "::/0"]
    {
        for address in ["169.254.169.254", "::ffff:169.254.169.254", "168.63.129.16", "fd00:ec2::254"] {
            assert!(!allows(&["http://*", network], "http://a.example", address), "{network} {address}");
        }
    }
    let refused = policy(&["http://169.254.0.0/16"]).check(&origin("http://169.254.169.254")).unwrap_err();
    assert!(refused.to_string().contains("metadata of a cloud"), "{refused}");
    for (entries, url) in [
        (&["http://*", "169.254.169.254"][..], "http://a.example"),
        (&["http://*", "169.254.169.254/32"], "http://169.254.169.254"),
        (&["http://169.254.169.254"], "http://169.254.169.254"),
    ] {
        assert!(allows(entries, url, "169.254.169.254"), "{entries:?} {url}");
    }
    assert!(allows(&["http://[fd00:ec2::254]"], "http://[fd00:ec2::254]", "fd00:ec2::254"));
}

#[test]
fn a_refusal_says_what_to_add_and_adding_it_helps() {
    for (entries, url, address, told) in [
        (
            &[][..],
            "https://api.example",
            PUBLIC,
            "https://api.example:443 is not among the allowed origins; add \"https://api.example:443\" to outbound",
        ),
        (
            &[],
            "http://10.1.2.3",
            "10.1.2.3",
            "http://10.1.2.3:80 is not among the allowed origins; add \"http://10.1.2.3:80\" to outbound",
        ),
        (
            &["http://a.internal:8080"],
            "http://a.internal:8080",
            "10.1.2.3",
            "10.1.2.3 (private) is not among the allowed addresses of http://a.internal:8080; add \"10.1.2.3\" to outbound",
        ),
        (
            &["http://*"],
            "http://a",
            "::ffff:127.0.0.1",
            "::ffff:127.0.0.1 (127.0.0.1, loopback) is not among the allowed addresses of http://a:80; add \"127.0.0.1\" to outbound",
        ),
        (
            &["http://*"],
            "http://[::1]",
            "::1",
            "::1 (loopback) is not among the allowed addresses of http://[::1]:80; add \"::1\" to outbound",
        ),
        (
            &["http://*", "::/0"],
            "http://a",
            "fd00:ec2::254",
            "fd00:ec2::254 (metadata of a cloud) is not among the allowed addresses of http://a:80; add \"fd00:ec2::254\" to outbound",
        ),
    ] {
        let check = |entries: &[&str]| {
            let clearance = policy(entries).check(&origin(url))?;
            clearance.check(address.parse().unwrap())
        };
        let refusal = check(entries).unwrap_err();
        assert_eq!(refusal.to_string(), told);
        assert!(!refusal.told().contains("10.1.2.3 "), "{}", refusal.told());
        let remedy = told.rsplit('"').nth(1).unwrap();
        assert_eq!(check(&[entries, &[remedy]].concat()), Ok(()), "{told}");
    }
}

proptest! {
    #[test]
    fn no_spelling_of_an_address_gets_further_than_the_plain_one(bits in any::<u32>(), network in any::<u32>(), prefix in 1u32..=32) {
        let plain = Ipv4Addr::from_bits(bits);
        // One that may well contain it.
        let near = if network & 1 == 0 { network } else { bits };
        let entry = format!("{}/{prefix}", Ipv4Addr::from_bits(near & (u32::MAX << (32 - prefix))));
        let low = u128::from(bits);
        for six in [0xffff << 32 | low, 0x64_ff9b << 96 | low, 0x2002 << 112 | low << 80] {
            let six = Ipv6Addr::from_bits(six);
            for entries in [&["http://*", entry.as_str()][..], &["http://*"]] {
                let (one, other) = (plain.to_string(), six.to_string());
                prop_assert_eq!(
                    allows(entries, "http://a.example", &one),
                    allows(entries, "http://a.example", &other)
                );
                prop_assert_eq!(
                    allows(entries, &format!("http://{one}"), &one),
                    allows(entries, &format!("http://[{other}]"), &other)
                );
            }
        }
    }
}
