//! Where guests must not go: what was not granted, addresses that nobody named,
//! whatever a name or a spelling makes of them. What is refused is told to the
//! guest without what is inside, and to the operator with cause and remedy.

use innkeeper_harness::dns::{Answer, DnsServer, RecordType};
use serde_json::{Value, json};

use crate::elsewhere::{
    Elsewhere, answer, assert_failed, assert_told, call, call_with, error_of, fetch, fetch_from, fetch_one,
    fetch_together, fetcher, redirect, refusals, wait_refusals,
};
use crate::inns::{app, start, with_cache};

/// What a guest is told whose origin nobody allowed.
fn not_allowed(origin: &str) -> String {
    format!("the operator does not allow requests to {origin}")
}

/// What it is told of an origin that is allowed and leads where it may not.
fn not_there(origin: &str) -> String {
    format!("the operator does not allow the address of {origin}")
}

/// A server for names, and the flag that has the host ask it.
fn names() -> (DnsServer, String) {
    let dns = DnsServer::start().expect("a free port");
    let address = dns.address().to_string();
    (dns, address)
}

#[test]
fn without_a_grant_there_is_nothing() {
    let elsewhere = Elsewhere::telling("reached");
    let server = fetcher::<&str>(&[]).start();
    let calls = [
        call(&elsewhere.authority()),
        call_with(&elsewhere.authority(), json!({ "agent": "none" })),
        call_with(&elsewhere.authority(), json!({ "agent": "new" })),
        call_with(&elsewhere.authority(), json!({ "agent": "kept" })),
        call("localhost"),
        call("example.com"),
    ];
    for told in fetch(&server, &calls) {
        assert_failed(&told, "denied", "requests to others; the operator grants them with outbound");
    }
    for line in wait_refusals(&server, calls.len()) {
        assert!(line.contains("no origin is allowed; add one to outbound"), "{line}");
    }
    // Whoever reads the line finds the request that it is about.
    let line = server.wait_log(|line| line.message.starts_with("outbound request refused: "));
    assert_eq!(line.field("exchange").as_deref(), Some("1"));
    elsewhere.assert_untouched();
}

#[test]
fn what_is_granted_is_one_scheme_one_host_and_one_port() {
    let (granted, other) = (Elsewhere::telling("granted"), Elsewhere::telling("other"));
    let (port, other_port) = (granted.port(), other.port());
    let server = fetcher(&[granted.origin()]).start();
    assert_told(&fetch_one(&server, call(&granted.authority())), "granted");
    let mut refused = 0;
    for (scheme, authority) in [
        ("https", format!("127.0.0.1:{port}")),
        ("http", format!("127.0.0.1:{other_port}")),
        ("http", "127.0.0.1".to_owned()),
        ("http", format!("127.0.0.2:{port}")),
        ("http", format!("localhost:{port}")),
        ("http", format!("[::1]:{port}")),
        ("http", format!("127.0.0.1.example:{port}")),
        ("http", format!("example.com:{port}")),
    ] {
        let told = fetch_one(&server, call_with(&authority, json!({ "scheme": scheme })));
        let port = if authority.contains(':') { "" } else { ":80" };
        let origin = format!("{scheme}://{authority}{port}");
        assert_failed(&told, "denied", &not_allowed(&origin));
        assert_eq!(told["at"], "new", "nothing is looked up");
        refused += 1;
        let line = wait_refusals(&server, refused).pop().unwrap_or_default();
        assert_eq!(line, format!("{origin} is not among the allowed origins; add \"{origin}\" to outbound"));
    }
    assert_eq!((granted.connections(), granted.requests().len()), (1, 1));
    other.assert_untouched();
}

#[test]
fn an_ipv4_address_is_granted_in_whichever_family_it_is_written() {
    let elsewhere = Elsewhere::telling("granted");
    let server = fetcher(&[elsewhere.origin()]).start();
    // The same address: what is judged is what is connected to.
    let told = fetch_one(&server, call(&format!("[::ffff:127.0.0.1]:{}", elsewhere.port())));
    assert_told(&told, "granted");
}

#[test]
fn names_are_granted_exactly_or_below_a_suffix() {
    let elsewhere = Elsewhere::telling("reached");
    let port = elsewhere.port();
    let (dns, nameserver) = names();
    for name in ["a.example", "x.b.example", "x.y.b.example"] {
        dns.set(name, [Answer::of(60, &["127.0.0.1"])]);
    }
    let entries =
        [format!("http://a.example:{port}"), format!("http://*.b.example:{port}"), "127.0.0.1".into()];
    let server = fetcher(&entries).arg("--nameserver", nameserver).start();
    for name in ["a.example", "A.EXAMPLE", "a.example.", "x.b.example", "x.y.b.example", "X.B.example."] {
        assert_told(&fetch_one(&server, call(&format!("{name}:{port}"))), "reached");
    }
    for name in [
        "b.a.example",
        "aa.example",
        "a.example.evil",
        "b.example",
        "xb.example",
        "b.example.x",
        "example",
        "127.0.0.1",
    ] {
        let told = fetch_one(&server, call(&format!("{name}:{port}")));
        assert_failed(&told, "denied", &not_allowed(&format!("http://{name}:{port}")));
    }
    // Nobody learns what a guest asks for in vain.
    assert_eq!(dns.names_asked(), ["a.example", "x.b.example", "x.y.b.example"]);
}

/// Addresses that no name and no `*` leads to, and what they are.
const SPECIAL: &[(&str, &str)] = &[
    ("127.0.0.1", "127.0.0.1 (loopback)"),
    ("127.0.0.2", "127.0.0.2 (loopback)"),
    ("[::1]", "::1 (loopback)"),
    ("0.0.0.0", "0.0.0.0 ("),
    ("[::]", ":: ("),
    ("10.0.0.1", "10.0.0.1 (private)"),
    ("172.16.0.1", "172.16.0.1 (private)"),
    ("192.168.0.1", "192.168.0.1 (private)"),
    ("100.64.0.1", "100.64.0.1 ("),
    ("169.254.0.1", "169.254.0.1 (link-local)"),
    ("169.254.169.254", "169.254.169.254 (metadata of a cloud)"),
    ("[fd00:ec2::254]", "fd00:ec2::254 (metadata of a cloud)"),
    ("[fd00::1]", "fd00::1 ("),
    ("[fe80::1]", "fe80::1 (link-local)"),
    ("224.0.0.1", "224.0.0.1 (multicast)"),
    ("[ff02::1]", "ff02::1 (multicast)"),
    ("255.255.255.255", "255.255.255.255 ("),
    // IPv4 in the clothes of IPv6.
    ("[::ffff:127.0.0.1]", "::ffff:127.0.0.1 (127.0.0.1, loopback)"),
    ("[::ffff:7f00:1]", "::ffff:127.0.0.1 (127.0.0.1, loopback)"),
    ("[::ffff:a9fe:a9fe]", "::ffff:169.254.169.254 (169.254.169.254, metadata of a cloud)"),
    ("[::127.0.0.1]", "::7f00:1 (127.0.0.1, loopback)"),
    ("[64:ff9b::a9fe:a9fe]", "64:ff9b::a9fe:a9fe (169.254.169.254, metadata of a cloud)"),
    ("[2002:7f00:1::1]", "2002:7f00:1::1 (127.0.0.1, loopback)"),
    ("[2002:a9fe:a9fe::]", "2002:a9fe:a9fe:: (169.254.169.254, metadata of a cloud)"),
];

#[test]
fn special_addresses_have_to_be_named() {
    let here = [
        Elsewhere::telling("loopback"),
        Elsewhere::at("[::1]:0", None, |_| Some(answer("loopback"))),
        Elsewhere::at("0.0.0.0:0", None, |_| Some(answer("any"))),
    ];
    let server = fetcher(&["http://*:*", "https://*:*"]).start();
    let mut refused = 0;
    for port in here.iter().map(Elsewhere::port) {
        for (address, shown) in SPECIAL {
            let told = fetch_one(&server, call(&format!("{address}:{port}")));
            assert_eq!((error_of(&told), &told["at"]), ("denied", &json!("new")), "{address}: {told}");
            refused += 1;
            let line = wait_refusals(&server, refused).pop().unwrap_or_default();
            assert!(line.starts_with(shown), "{address}: {line}");
            assert!(line.contains(" is not among the allowed addresses of http://"), "{line}");
            assert!(line.ends_with("\" to outbound"), "{line}");
        }
        // With TLS they are no other.
        let told = fetch_one(&server, call_with(&format!("127.0.0.1:{port}"), json!({ "scheme": "https" })));
        assert_eq!(error_of(&told), "denied", "{told}");
        refused += 1;
    }
    here.iter().for_each(Elsewhere::assert_untouched);
}

#[test]
fn names_of_this_machine_have_to_be_named() {
    let here = Elsewhere::telling("loopback");
    let port = here.port();
    let server = fetcher(&["http://*:*"]).start();
    for name in ["localhost", "LOCALHOST", "localhost.", "a.localhost", "a.b.localhost."] {
        let told = fetch_one(&server, call(&format!("{name}:{port}")));
        let plain = name.to_lowercase();
        let origin = format!("http://{}:{port}", plain.trim_end_matches('.'));
        assert_failed(&told, "denied", &not_there(&origin));
    }
    here.assert_untouched();
    // Written out it is the loopback addresses; a name below it is not it.
    let server = fetcher(&[format!("http://localhost:{port}"), format!("http://*.localhost:{port}")]).start();
    assert_told(&fetch_one(&server, call(&format!("localhost:{port}"))), "loopback");
    let told = fetch_one(&server, call(&format!("a.localhost:{port}")));
    assert_eq!(error_of(&told), "denied", "{told}");
    assert_eq!(here.connections(), 1);
}

#[test]
fn the_metadata_of_a_cloud_is_in_no_network() {
    let (dns, nameserver) = names();
    dns.set("metadata.example", [Answer::of(60, &["169.254.169.254", "fd00:ec2::254"])]);
    let entries = [
        "http://*:*",
        "http://169.254.0.0/16:*",
        "http://0.0.0.0/0:*",
        "http://[::/0]:*",
        "169.254.0.0/16",
        "0.0.0.0/0",
        "::/0",
    ];
    let server = fetcher(&entries).arg("--nameserver", nameserver).start();
    for host in ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "metadata.example"] {
        let told = fetch_one(&server, call(host));
        assert_failed(&told, "denied", &not_there(&origin_of(host)));
    }
    for line in wait_refusals(&server, 4) {
        assert!(line.contains("metadata of a cloud"), "{line}");
    }
}

/// The origin of a host with the usual port, as messages show it.
fn origin_of(host: &str) -> String {
    let host = if host.contains("ffff") { "[::ffff:169.254.169.254]" } else { host };
    format!("http://{host}:80")
}

#[test]
fn what_a_name_leads_to_is_refused_and_not_told() {
    let here = Elsewhere::telling("inside");
    let port = here.port();
    let (dns, nameserver) = names();
    dns.set("inside.example", [Answer::of(60, &["127.0.0.1", "::1"])]);
    dns.set("alias.example", [Answer::Alias(60, "inside.example".to_owned())]);
    dns.set("mapped.example", [Answer::of(60, &["::ffff:127.0.0.1", "64:ff9b::7f00:1"])]);
    dns.set("zero.example", [Answer::of(60, &["0.0.0.0", "::"])]);
    let server = fetcher(&["http://*:*"]).arg("--nameserver", nameserver).start();
    let hosts = ["inside.example", "alias.example", "mapped.example", "zero.example"];
    for (count, host) in (1..).zip(hosts) {
        let told = fetch_one(&server, call(&format!("{host}:{port}")));
        assert_failed(&told, "denied", &not_there(&format!("http://{host}:{port}")));
        let line = wait_refusals(&server, count).pop().unwrap_or_default();
        assert!(line.contains(&format!("allowed addresses of http://{host}:{port}; add \"")), "{line}");
    }
    here.assert_untouched();
}

#[test]
fn a_name_that_changes_its_address_is_judged_each_time() {
    // The same port on two addresses of this machine.
    let inside = Elsewhere::telling("inside");
    let port = inside.port();
    let allowed = Elsewhere::at(&format!("127.0.0.2:{port}"), None, |_| Some(answer("allowed")));
    let (dns, nameserver) = names();
    let rebinding = [Answer::of(0, &["127.0.0.2"]), Answer::of(0, &["127.0.0.1"])];
    dns.set("rebinding.example", rebinding.clone());
    let entries = [format!("http://rebinding.example:{port}"), "127.0.0.2".to_owned()];
    let server = fetcher(&entries).arg("--nameserver", nameserver).start();
    let host = format!("rebinding.example:{port}");
    let call = call_with(&host, json!({ "agent": "none" }));
    let told = fetch_one(&server, call.clone());
    assert_told(&told, "allowed");
    // One query for one connection: nobody asks again between check and use.
    assert_eq!(dns.asked("rebinding.example", RecordType::A), 1);
    assert_eq!(told["peer"], format!("127.0.0.2:{port}"));
    for _ in 0..3 {
        assert_failed(&fetch_one(&server, call.clone()), "denied", &not_there(&format!("http://{host}")));
    }
    // Many at once, whose answers alternate.
    let alternating: Vec<_> = (0..16).flat_map(|_| rebinding.clone()).collect();
    dns.set("rebinding.example", alternating);
    let told = fetch_together(&server, &vec![call; 16]);
    assert!(told.iter().all(|told| ["answered", "denied"].contains(&error_of(told))), "{told:?}");
    inside.assert_untouched();
    assert_eq!(allowed.connections(), allowed.requests().len());
}

#[test]
fn of_several_addresses_only_the_allowed_are_tried() {
    let inside = Elsewhere::telling("inside");
    let port = inside.port();
    let allowed = Elsewhere::at(&format!("127.0.0.2:{port}"), None, |_| Some(answer("allowed")));
    let (dns, nameserver) = names();
    dns.set("some.example", [Answer::of(0, &["::1", "127.0.0.1", "127.0.0.2", "169.254.169.254"])]);
    dns.set("none.example", [Answer::of(0, &["::1", "127.0.0.1", "127.0.0.3", "169.254.169.254"])]);
    // Nobody listens on the one that is allowed: the others are no way out.
    dns.set("closed.example", [Answer::of(0, &["127.0.0.1", "127.0.0.4"])]);
    let entries = [format!("http://*.example:{port}"), "127.0.0.2".into(), "127.0.0.4".into()];
    let server = fetcher(&entries).arg("--nameserver", nameserver).start();
    for _ in 0..4 {
        let told = fetch_one(&server, call_with(&format!("some.example:{port}"), json!({ "agent": "none" })));
        assert_told(&told, "allowed");
    }
    let told = fetch_one(&server, call(&format!("none.example:{port}")));
    assert_failed(&told, "denied", &not_there(&format!("http://none.example:{port}")));
    let told = fetch_one(&server, call(&format!("closed.example:{port}")));
    assert_eq!(error_of(&told), "connect", "{told}");
    let text = told["text"].as_str().unwrap_or_default();
    assert!(text.contains("127.0.0.4") && !text.contains("127.0.0.1"), "{text}");
    assert_eq!(allowed.connections(), 4);
    inside.assert_untouched();
}

#[test]
fn spellings_that_somebody_reads_as_an_address_are_no_hosts() {
    let here = Elsewhere::at("0.0.0.0:0", None, |_| Some(answer("reached")));
    let port = here.port();
    // All that could be granted is.
    let entries = ["http://*:*", "https://*:*", "0.0.0.0/0", "::/0"];
    let server = fetcher(&entries).start();
    let hosts = [
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0x7f.1",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "0177.1",
        "127.1",
        "127.0.1",
        "127.0.0.01",
        "127.0.0.1.",
        "127.0.0.256",
        "1.2.3.4.5",
        "a.1",
        "%31%32%37.0.0.1",
        "127.0.0.1%00",
        "%6cocalhost",
        "localhost%2e",
        "１２７.0.0.1",
        "127。0。0。1",
        "ⓛocalhost",
        "[::1%25lo]",
        "[::1%lo]",
        "[127.0.0.1]",
        "::1",
        "[::1",
        "[[::1]]",
        "allowed@127.0.0.1",
        "allowed:secret@127.0.0.1",
        "@127.0.0.1",
        "127.0.0.1#@allowed",
        "127.0.0.1?@allowed",
        "127.0.0.1/@allowed",
        "127.0.0.1\\@allowed",
        "allowed\\@127.0.0.1",
        " 127.0.0.1",
        "127.0.0.1 ",
        "127.0.0.1\t",
        "127.0.0.1\r\nHost: a",
        "127.0.0.1\n",
        "127.0.0.1\0",
        "127.0.0.1\0.example",
        "",
        "*",
        "*.example",
        "10.0.0.0/8",
    ];
    for host in hosts {
        let told = fetch_one(&server, call(&format!("{host}:{port}")));
        assert_eq!((error_of(&told), &told["at"]), ("invalid-arg", &json!("new")), "{host:?}: {told}");
    }
    for port in ["0", "", "65536", "+80", "-1", " 80", "80 ", "0x50", "8 0", "80:80", "80/", "80@a", "８０"]
    {
        let told = fetch_one(&server, call(&format!("127.0.0.1:{port}")));
        assert_eq!(error_of(&told), "invalid-arg", "{port:?}: {told}");
    }
    for scheme in
        ["", "file", "ftp", "gopher", "ws", "http:", "http://", "http+unix", "htt\u{212a}p", "http\0"]
    {
        let told = fetch_one(&server, call_with(&format!("127.0.0.1:{port}"), json!({ "scheme": scheme })));
        assert_eq!(error_of(&told), "invalid-protocol", "{scheme:?}: {told}");
    }
    here.assert_untouched();
}

#[test]
fn no_string_of_a_guest_brings_bytes_of_its_own_into_a_request() {
    let elsewhere = Elsewhere::telling("reached");
    let authority = elsewhere.authority();
    let server = fetcher(&[elsewhere.origin()]).start();
    let smuggled =
        ["\r\n", "\n", "\r", "\0", "\r\nX-Smuggled: 1", "\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"];
    let mut refused = 0;
    for bytes in smuggled {
        for (fields, error) in [
            (json!({ "method": format!("GET{bytes}") }), "invalid-arg"),
            (json!({ "scheme": format!("http{bytes}") }), "invalid-protocol"),
            (json!({ "authority": format!("{authority}{bytes}") }), "invalid-arg"),
            (json!({ "path": format!("/{bytes}") }), "unescaped-path"),
            (json!({ "path": format!("/ HTTP/1.1{bytes}") }), "unescaped-path"),
            (json!({ "headers": [[format!("X{bytes}"), "1"]] }), "invalid-header-name"),
            (json!({ "headers": [["X", format!("1{bytes}")]] }), "invalid-char"),
            (json!({ "headers": [["Host", format!("a{bytes}")]] }), "invalid-char"),
            (json!({ "headers": [["Cookie", "a"], ["Cookie", format!("b{bytes}")]] }), "invalid-char"),
            (json!({ "headers": [["Content-Length", format!("1{bytes}")]], "body": "a" }), "invalid-"),
            (
                json!({ "headers": [["Transfer-Encoding", format!("chunked{bytes}")]], "body": "a" }),
                "invalid-",
            ),
            (json!({ "method": "POST", "write": 1, "trailers": [[format!("X{bytes}"), "1"]] }), "invalid-"),
            (
                json!({ "method": "POST", "write": 1, "trailers": [["X", format!("1{bytes}")]] }),
                "invalid-char",
            ),
        ] {
            let told = fetch_one(&server, call_with(&authority, fields.clone()));
            assert!(error_of(&told).starts_with(error), "{fields}: {told}");
            refused += 1;
        }
    }
    assert!(refused > 50 && elsewhere.connections() == 0);
    // Credentials go out in base64, in which nothing of that is left.
    for bytes in smuggled {
        assert_told(
            &fetch_one(&server, call_with(&authority, json!({ "auth": format!("a:{bytes}") }))),
            "reached",
        );
    }
    for request in elsewhere.requests() {
        assert_eq!((request.line.as_str(), request.values("x-smuggled").len()), ("GET / HTTP/1.1", 0));
    }
    assert_eq!(elsewhere.requests().len(), smuggled.len());
}

#[test]
fn a_guest_cannot_frame_a_body_in_two_ways() {
    let elsewhere = Elsewhere::telling("reached");
    let server = fetcher(&[elsewhere.origin()]).start();
    let both = json!([["Content-Length", "4"], ["Transfer-Encoding", "chunked"]]);
    let twice = json!([["Content-Length", "4"], ["Content-Length", "5"]]);
    for (headers, error) in [
        (both, "invalid-header-value"),
        (twice, "invalid-header-value"),
        (json!([["Content-Length", "4, 4"]]), "invalid-header-value"),
        (json!([["Content-Length", "+4"]]), "invalid-header-value"),
        (json!([["Content-Length", "3"]]), "other"),
        (json!([["Content-Length", "5"]]), "other"),
        (json!([["Transfer-Encoding", "gzip"]]), "invalid-header-value"),
        (json!([["Transfer-Encoding", "chunked, identity"]]), "invalid-header-value"),
    ] {
        let fields = json!({ "method": "POST", "headers": headers, "body": "four" });
        let told = fetch_one(&server, call_with(&elsewhere.authority(), fields.clone()));
        assert_eq!(error_of(&told), error, "{fields}: {told}");
    }
    elsewhere.assert_untouched();
}

#[test]
fn the_guests_own_host_header_changes_no_destination() {
    let (granted, other) = (Elsewhere::telling("granted"), Elsewhere::telling("other"));
    let server = fetcher(&[granted.origin()]).start();
    for host in [other.authority(), "169.254.169.254".to_owned(), "internal.example".to_owned()] {
        let headers = json!({ "headers": [["Host", host]] });
        assert_told(&fetch_one(&server, call_with(&granted.authority(), headers)), "granted");
        let requests = granted.requests();
        let hosts = requests.last().map(|request| request.values("host")).unwrap_or_default();
        assert_eq!(hosts, [host.as_str()]);
    }
    // A target in absolute form is the server's to judge; it goes nowhere else.
    let path = json!({ "path": format!("http://{}/", other.authority()) });
    assert_told(&fetch_one(&server, call_with(&granted.authority(), path)), "granted");
    // Two of them would be read by each server in its own way (RFC 9112 3.2).
    let two = json!({ "headers": [["Host", "a"], ["Host", "b"]] });
    let told = fetch_one(&server, call_with(&granted.authority(), two));
    assert_eq!(error_of(&told), "invalid-header-value", "{told}");
    other.assert_untouched();
}

#[test]
fn redirects_are_the_guests_and_are_judged_again() {
    let inside = Elsewhere::telling("inside");
    let targets = [
        "http://169.254.169.254/latest/meta-data/iam/security-credentials/".to_owned(),
        format!("http://127.0.0.1:{}/", inside.port()),
        format!("http://localhost:{}/", inside.port()),
        format!("http://[::1]:{}/", inside.port()),
        format!("http://[::ffff:127.0.0.1]:{}/", inside.port()),
        format!("http://2130706433:{}/", inside.port()),
        format!("http://granted@127.0.0.1:{}/", inside.port()),
        format!("https://127.0.0.1:{}/", inside.port()),
        "file:///etc/passwd".to_owned(),
        "gopher://127.0.0.1:6379/_FLUSHALL".to_owned(),
    ];
    let places = targets.clone();
    let granted = Elsewhere::answering(move |request| {
        let place = request.line.split(['/', ' ']).nth(2).and_then(|number| number.parse::<usize>().ok());
        Some(place.and_then(|place| places.get(place)).map_or_else(|| answer("end"), |url| redirect(url)))
    });
    let server = fetcher(&[granted.origin(), "http://*.example".to_owned()]).start();
    for (place, target) in targets.iter().enumerate() {
        let path = json!({ "path": format!("/{place}"), "follow": 5 });
        let told = fetch_one(&server, call_with(&granted.authority(), path));
        let refused = ["denied", "invalid-arg", "invalid-protocol"].contains(&error_of(&told));
        assert!(refused && told["at"] == "new", "{target}: {told}");
        // By itself, nothing follows.
        let told =
            fetch_one(&server, call_with(&granted.authority(), json!({ "path": format!("/{place}") })));
        assert_eq!(told["status"], 302, "{told}");
    }
    inside.assert_untouched();
}

#[test]
fn a_proxy_that_is_allowed_is_all_that_connect_reaches() {
    let proxy = Elsewhere::answering(|_| Some(b"HTTP/1.1 200 Connected\r\n\r\n".to_vec()));
    let inside = Elsewhere::telling("inside");
    let server = fetcher(&[proxy.origin()]).start();
    let connect = |authority: &str, path: &str| {
        let fields = json!({ "method": "CONNECT", "path": path, "tunnel": "ping" });
        fetch_one(&server, call_with(authority, fields))
    };
    // What a proxy does is the proxy's to say: the operator allowed it.
    for path in [inside.authority(), "169.254.169.254:80".to_owned()] {
        let told = connect(&proxy.authority(), &path);
        assert_eq!((&told["status"], &told["body"]), (&json!(200), &json!("ping")), "{told}");
        assert_eq!(told["peer"], proxy.authority());
    }
    for authority in [inside.authority(), "169.254.169.254".to_owned()] {
        let told = connect(&authority, "example.com:443");
        assert_eq!(error_of(&told), "denied", "{told}");
    }
    let asked: Vec<_> = proxy.requests().into_iter().map(|request| request.line).collect();
    let expected = format!("CONNECT {} HTTP/1.1", inside.authority());
    assert_eq!(asked, [expected.as_str(), "CONNECT 169.254.169.254:80 HTTP/1.1"]);
    inside.assert_untouched();
}

/// An app of the guest `fetch` that may go to these places.
fn fetching(name: &str, entries: &[String]) -> String {
    app(name, "fetch", &format!("outbound = {}\n", Value::from(entries.to_vec())))
}

#[test]
fn a_connection_that_is_kept_does_not_outlive_its_grant() {
    let elsewhere = Elsewhere::telling("reached");
    let port = elsewhere.port();
    let (any, address) = (format!("http://*:{port}"), "127.0.0.1".to_owned());
    let six = "::1".to_owned();
    let host = start(&fetching("one", &[any.clone(), address.clone(), six.clone()]));
    let ask = |agent: &str| {
        let call = call_with(&format!("localhost:{port}"), json!({ "agent": agent }));
        fetch_from(&host.running, "one.example", "/", &[call]).remove(0)
    };
    let change = |entries: &[String]| {
        host.rewrite(&with_cache(&fetching("one", entries)));
        let line = host.reload();
        assert_eq!(line.message, "configuration in effect", "{line:?}");
    };
    for agent in ["global", "kept"] {
        assert_told(&ask(agent), "reached");
        // It is kept, and found by another instance.
        assert_eq!(ask(agent)["reused"], true);
    }
    let (connections, requests) = (elsewhere.connections(), elsewhere.requests().len());
    assert_eq!((connections, requests), (2, 4));
    // The origin is still allowed, but not where it leads.
    change(std::slice::from_ref(&any));
    for agent in ["global", "kept"] {
        assert_failed(&ask(agent), "denied", &not_there(&format!("http://localhost:{port}")));
    }
    // Nor is the origin.
    change(&["http://*:1".to_owned(), address.clone(), six.clone()]);
    for agent in ["global", "kept"] {
        assert_failed(&ask(agent), "denied", &not_allowed(&format!("http://localhost:{port}")));
    }
    assert_eq!((elsewhere.connections(), elsewhere.requests().len()), (connections, requests));
    wait_refusals(&host.running, 4);
    change(&[any, address, six]);
    assert_told(&ask("global"), "reached");
}

#[test]
fn the_grant_of_one_tenant_is_not_anothers() {
    let (first, second) = (Elsewhere::telling("first"), Elsewhere::telling("second"));
    let apps = fetching("one", &[first.origin()])
        + &fetching("two", &[second.origin()])
        + &app("three", "fetch", "");
    let host = start(&apps);
    for (app, mine) in [("one", Some(&first)), ("two", Some(&second)), ("three", None)] {
        for (elsewhere, text) in [(&first, "first"), (&second, "second")] {
            let calls = [call(&elsewhere.authority())];
            let told = fetch_from(&host.running, &format!("{app}.example"), "/", &calls).remove(0);
            match mine.is_some_and(|mine| mine.port() == elsewhere.port()) {
                true => assert_told(&told, text),
                false => assert_eq!(error_of(&told), "denied", "{app}: {told}"),
            }
        }
    }
    assert_eq!((first.requests().len(), second.requests().len()), (1, 1));
}

#[test]
fn a_tenant_cannot_give_itself_a_grant() {
    let elsewhere = Elsewhere::telling("reached");
    let toml =
        format!("[tenant.evil]\nhosts = [\"evil.example\"]\n{}", fetching("one", &[elsewhere.origin()]));
    let host = start(&toml);
    let (_, made) = host.api("POST", "/v1/tokens", r#"{ "tenant": "evil" }"#);
    let token = made["token"].as_str().expect("a token is text");
    let spec = |more: Value| {
        let mut spec = json!({ "name": "mine", "tenant": "evil", "routes": [{ "host": "evil.example" }] });
        spec.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
        spec.to_string()
    };
    for more in [
        json!({ "outbound": [elsewhere.origin()] }),
        json!({ "outbound": ["http://*:*", "127.0.0.0/8"] }),
        json!({ "outbound": ["nonsense"] }),
        json!({ "outbound_tls": { "roots": "/etc/ssl/certs/ca-certificates.crt" } }),
    ] {
        assert_eq!(host.api_as(token, "PUT", "/v1/apps", spec(more)).0, 403);
    }
    let (status, answer) = host.api_as(token, "PUT", "/v1/apps", spec(json!({})));
    assert_eq!(status, 200, "{answer}");
    let component = innkeeper_harness::guests::component("fetch").expect("the guests can be built");
    let component = std::fs::read(component).expect("a component can be read");
    assert_eq!(host.api_as(token, "POST", "/v1/apps/mine/versions", component).0, 200);
    let ask = || fetch_from(&host.running, "evil.example", "/", &[call(&elsewhere.authority())]).remove(0);
    assert_eq!(error_of(&ask()), "denied");
    elsewhere.assert_untouched();
    // The operator may.
    let (status, answer) = host.api("PUT", "/v1/apps", spec(json!({ "outbound": [elsewhere.origin()] })));
    assert_eq!(status, 200, "{answer}");
    assert_told(&ask(), "reached");
}

#[test]
fn refusals_do_not_flood_the_log() {
    let server = fetcher(&["http://*.example"]).arg("--log-bytes-per-second", "1000").start();
    let calls: Vec<_> = (0..400).map(|_| call("127.0.0.1:1")).collect();
    assert!(fetch(&server, &calls).iter().all(|told| error_of(told) == "denied"));
    let lines = refusals(&server).len();
    assert!((1..100).contains(&lines), "{lines} lines");
    // When there is room again, the log says how many are missing.
    crate::inns::until(|| {
        fetch_one(&server, call("127.0.0.1:1"));
        let dropped = |line: &innkeeper_harness::logs::LogLine| {
            line.message.contains("lines of the guest were dropped")
        };
        server.logs().iter().any(dropped).then_some(())
    });
}
