//! What a host, an authority and a port are, and what none of them is.

use super::*;

#[test]
fn hosts_have_one_form() {
    for (text, shown) in [
        ("api.example", "api.example"),
        ("API.Example.", "api.example"),
        ("localhost", "localhost"),
        ("a-b_c.d", "a-b_c.d"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("1and1.example", "1and1.example"),
        ("10.example", "10.example"),
        ("a.0b1", "a.0b1"),
        ("10.0.0.1", "10.0.0.1"),
        ("[0::1]", "[::1]"),
        ("[FD00::A]", "[fd00::a]"),
        ("[::ffff:10.0.0.1]", "[::ffff:10.0.0.1]"),
    ] {
        assert_eq!(Host::parse(text).unwrap().to_string(), shown, "{text}");
    }
}

#[test]
fn what_others_might_take_for_a_host_is_refused() {
    for text in [
        "",
        ".",
        "..",
        "a..b",
        ".a",
        "a..",
        "a b",
        "a\t",
        "a\n",
        "a\0b",
        "a%41",
        "%61",
        "a/b",
        "a\\b",
        "a?b",
        "a#b",
        "a:b",
        "a,b",
        "*",
        "*.a",
        "ä.example",
        "a。b",
        "ａ",
        "::1",
        "[::1",
        "[a]",
        "[]",
        "[fe80::1%eth0]",
        "[fe80::1%25eth0]",
        "[10.0.0.1]",
        "[::1].",
        "[::1]x",
    ] {
        assert!(Host::parse(text).is_err(), "{text:?}");
    }
    for number in [
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "127.1",
        "0177.0.0.1",
        "127.0.0.01",
        "10.0.0.1.",
        "1.2.3.4.5",
        "256.0.0.1",
        "a.1",
        "a.0x",
        "a.0X7F",
        "0",
    ] {
        let error = Host::parse(number).unwrap_err();
        assert!(error.starts_with("write an IPv4 address"), "{number}: {error}");
    }
    assert!(Host::parse(&"a".repeat(LABEL_BYTES_MAX + 1)).is_err());
    assert!(Host::parse(&"a.".repeat(NAME_BYTES_MAX.div_ceil(2) + 1)).is_err());
    assert!(Host::parse(&"a.".repeat(NAME_BYTES_MAX.div_ceil(2))).is_ok());
}

#[test]
fn authorities_come_apart() {
    for (authority, parts) in [
        ("a", ("a", None)),
        ("a:80", ("a", Some("80"))),
        ("a:", ("a", Some(""))),
        ("[::1]", ("[::1]", None)),
        ("[::1]:80", ("[::1]", Some("80"))),
        ("10.0.0.0/8:*", ("10.0.0.0/8", Some("*"))),
    ] {
        assert_eq!(host_and_port(authority), Ok(parts), "{authority}");
    }
    for authority in ["u@a", "u:p@a:80", "::1", "a:80:80", "[::1]80", "[::1]:80:80"] {
        assert!(host_and_port(authority).is_err(), "{authority}");
    }
    assert_eq!((port("1"), port("65535"), port("080")), (Ok(1), Ok(65535), Ok(80)));
    for text in ["", "0", "65536", "+80", "-1", "80 ", "x", "٣"] {
        assert!(port(text).is_err(), "{text:?}");
    }
}
