//! What an entry of `outbound` is and is not, and what a list of them must
//! have.

use super::*;

#[test]
fn entries_are_read_and_shown() {
    for (text, shown) in [
        ("https://api.example.com", "https://api.example.com"),
        ("HTTPS://API.example.com.:443", "https://api.example.com"),
        ("http://api.example.com:443", "http://api.example.com:443"),
        ("http://*.internal:8080", "http://*.internal:8080"),
        ("http://*", "http://*"),
        ("https://*:*", "https://*:*"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://10.0.0.1:8080", "http://10.0.0.1:8080"),
        ("http://10.0.0.0/8", "http://10.0.0.0/8"),
        ("http://10.0.0.0/8:*", "http://10.0.0.0/8:*"),
        ("http://[::1]:80", "http://[::1]"),
        ("https://[fd00::/8]:8443", "https://[fd00::/8]:8443"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("127.0.0.1", "127.0.0.1"),
        ("fd00::/8", "fd00::/8"),
        ("::1", "::1"),
    ] {
        let entry: OutboundEntry = text.parse().unwrap();
        assert_eq!(entry.to_string(), shown);
        assert_eq!(shown.parse(), Ok(entry), "{text}");
    }
}

#[test]
fn what_cannot_be_allowed_is_refused_with_a_remedy() {
    for (text, remedy) in [
        ("", "write an origin such as"),
        ("api.example.com", "write an origin such as"),
        ("*", "write an origin such as"),
        ("[::1]", "write an origin such as"),
        ("2130706433", "write an origin such as"),
        ("127.1", "write an origin such as"),
        ("//api.example.com", "is no IP address"),
        ("api.example.com/24", "is no IP address"),
        ("10.1.2.3/8", "write 10.0.0.0/8"),
        ("::ffff:10.0.0.0/104", "10.0.0.0; write that"),
        ("ftp://a", "write http or https"),
        ("*://a", "write http or https"),
        ("http://", "a host is needed"),
        ("http://:80", "a host is needed"),
        ("http://u:p@a", "leave user and password out"),
        ("http://a/", "has no path"),
        ("http://a/b:80", "has no path"),
        ("http://a?b", "has no path"),
        ("http://a#b", "has no path"),
        ("http://a\\b", "has no path"),
        ("http://10.0.0.1/x", "from 0 to 32"),
        ("http://fd00::/8", "in brackets"),
        ("http://[::1]/", "has no path"),
        ("http://a:80/", "has no path"),
        ("http://10.0.0.1:80/", "has no path"),
        ("http://*.a/b", "has no path"),
        ("http://[fd00::]/8", "or [fd00::/8]"),
        ("http://[10.0.0.0/8]", "only an IPv6 network"),
        ("http://a:0", "from 1 to 65535"),
        ("http://a:65536", "from 1 to 65535"),
        ("http://a:", "from 1 to 65535"),
        ("http://a:http", "* for all"),
        ("http://a.*", "a * stands alone"),
        ("http://*a", "a * stands alone"),
        ("http://**", "a * stands alone"),
        ("http://*.*", "letters, digits"),
        ("http://*.", "a host is needed"),
        ("http://*.10.0.0.1", "only a name has names below it"),
        ("http://*.1", "four decimal numbers"),
        ("http://ä.example", "xn--"),
        ("http://*.ä.example", "xn--"),
        ("http://a b", "letters, digits"),
        ("http://a%41", "letters, digits"),
        ("http://0x7f.1", "four decimal numbers"),
        ("http://2130706433", "four decimal numbers"),
        ("http://127.1", "four decimal numbers"),
        ("http://0177.0.0.1", "four decimal numbers"),
        ("http://[fe80::1%eth0]", "without a zone"),
        ("http://[::ffff:127.0.0.1]", "127.0.0.1; write that"),
        ("http://10.1.2.3/8", "write 10.0.0.0/8"),
    ] {
        let error = text.parse::<OutboundEntry>().unwrap_err();
        assert!(error.starts_with(&format!("{text:?} cannot be allowed: ")), "{error}");
        assert!(error.contains(remedy), "{error}");
    }
}

fn settings(allowed: &[&str]) -> OutboundSettings {
    let allowed = allowed.iter().map(|entry| entry.parse().unwrap()).collect();
    OutboundSettings { allowed, ..OutboundSettings::default() }
}

#[test]
fn addresses_alone_allow_nothing() {
    for allowed in [&["10.0.0.0/8"][..], &["10.0.0.0/8", "http://10.0.0.0/8"], &["::1", "http://[::1]"]] {
        let (key, error) = settings(allowed).check().unwrap_err();
        assert!(key == "outbound" && error.contains("no name is allowed"), "{error}");
    }
    for allowed in [&[][..], &["http://10.0.0.0/8"], &["http://a", "10.0.0.0/8"], &["http://*", "::1"]] {
        assert_eq!(settings(allowed).check(), Ok(()), "{allowed:?}");
    }
}

#[test]
fn a_certificate_and_its_key_come_together_and_have_a_use() {
    let file = std::env::temp_dir().join(format!("innkeeper-pem-{}", std::process::id()));
    std::fs::write(&file, "hush").unwrap();
    let file = PemFile::read(file).unwrap();
    assert_eq!(file.content(), b"hush");
    assert!(!format!("{file:?}").contains("hush"));
    let tls = |certificate: bool, key: bool| OutboundTls {
        roots: None,
        certificate: certificate.then(|| file.clone()),
        key: key.then(|| file.clone()),
    };
    let check = |entry: &str, tls: OutboundTls| OutboundSettings { tls, ..settings(&[entry]) }.check();
    assert_eq!(check("https://a", tls(true, true)), Ok(()));
    for (entry, tls, told) in [
        ("https://a", tls(true, false), "add key"),
        ("https://a", tls(false, true), "add certificate"),
        ("http://a", tls(true, true), "no origin with https"),
    ] {
        let (key, error) = check(entry, tls).unwrap_err();
        assert!(key == "outbound_tls" && error.contains(told), "{error}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let folder = std::env::temp_dir();
    assert!(PemFile::read(folder.join("innkeeper-no-such")).unwrap_err().contains("make the file"));
    assert!(PemFile::read(folder).unwrap_err().contains("is no file"));
}

#[test]
fn a_server_for_names_is_an_address() {
    for (text, address) in [
        ("10.0.0.53", "10.0.0.53:53"),
        ("10.0.0.53:5353", "10.0.0.53:5353"),
        ("fd00::53", "[fd00::53]:53"),
        ("[fd00::53]:1", "[fd00::53]:1"),
    ] {
        assert_eq!(nameserver(text).unwrap().to_string(), address);
    }
    for bad in ["", "dns.example", "10.0.0.53:0", "10.0.0.53:", "[fd00::53]"] {
        assert!(nameserver(bad).unwrap_err().contains("as in \"10.0.0.53\""), "{bad}");
    }
}
