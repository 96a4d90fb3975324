//! Every limit of requests to others bites: the guest is told which one, and
//! what comes after it is served.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use innkeeper_harness::dns::{Answer, DnsServer};
use innkeeper_harness::server::Running;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::elsewhere::{
    Elsewhere, answer, assert_failed, assert_told, call, call_with, error_of, fetch, fetch_from, fetch_one,
    fetch_together, fetcher,
};
use crate::inns::{app, start, tenant, until_tenant};
use crate::support::{lasts, promptly};

/// A server whose queue of connections is full: it answers nobody, not even
/// that it is there.
pub struct Full {
    address: SocketAddr,
    _sockets: Vec<Socket>,
}

impl Full {
    pub fn new() -> Self {
        let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let listener = socket();
        let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
        listener.bind(&any.into()).expect("a free port");
        listener.listen(0).expect("it can listen");
        let address = listener.local_addr().expect("a bound socket has an address");
        let mut sockets = vec![listener];
        // More than the shortest queue holds. None of them waits.
        for _ in 0..8 {
            let client = socket();
            client.set_nonblocking(true).expect("it need not wait");
            let _ = client.connect(&address);
            sockets.push(client);
        }
        Full { address: address.as_socket().expect("it is of IPv4"), _sockets: sockets }
    }

    pub fn authority(&self) -> String {
        self.address.to_string()
    }
}

/// A server that accepts one connection, says this, and then neither reads nor
/// says anything.
pub fn stuck(words: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    thread::spawn(move || {
        let accept = |stream: &mut TcpStream| stream.write_all(words);
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = accept(&mut stream);
            kept.push(stream);
        }
    });
    address.to_string()
}

/// A host with a limit whose guest may ask anybody on this machine.
#[track_caller]
fn limited(flag: (&str, &str)) -> Running {
    fetcher(&[HERE]).arg(flag.0, flag.1).start()
}

const HERE: &str = "http://127.0.0.1:*";

/// The operator is told of the limit.
#[track_caller]
fn assert_logged(server: &Running, limit: &str) {
    let line = server.wait_log(|line| {
        line.message.starts_with("outbound request")
            && line.message.ends_with(&format!("limit {limit} reached"))
    });
    assert_eq!((line.level.as_str(), line.field("app").as_deref()), ("WARN", Some("fetch")), "{line:?}");
}

/// It met this limit.
#[track_caller]
fn assert_limited(told: &Value, at: &str, limit: &str) {
    assert_failed(told, "limit-exceeded", limit);
    assert_eq!(told["at"], at, "{told}");
}

#[test]
fn connections_of_an_app() {
    let server = limited(("--outbound-connections-max", "2"));
    let elsewhere = Elsewhere::telling("reached");
    let alone = call_with(&elsewhere.authority(), json!({ "agent": "none" }));
    let told = fetch_together(&server, &vec![alone.clone(); 3]);
    assert_told(&told[0], "reached");
    assert_told(&told[1], "reached");
    assert_limited(&told[2], "response", "outbound_connections_max");
    assert_logged(&server, "outbound_connections_max");
    assert_eq!(elsewhere.connections(), 2);
    // They are given back; and whoever is kept and not in use makes room.
    let others = [Elsewhere::telling("a"), Elsewhere::telling("b"), Elsewhere::telling("c")];
    for agent in ["global", "kept", "new"] {
        for other in &others {
            let told = fetch_one(&server, call_with(&other.authority(), json!({ "agent": agent })));
            assert_eq!(told["status"], 200, "{told}");
        }
    }
    assert_told(&fetch_one(&server, alone), "reached");
}

#[test]
fn requests_of_one_exchange() {
    let server = limited(("--outbound-requests-max", "3"));
    let elsewhere = Elsewhere::telling("reached");
    let told = fetch(&server, &vec![call(&elsewhere.authority()); 5]);
    told[..3].iter().for_each(|told| assert_told(told, "reached"));
    told[3..].iter().for_each(|told| assert_limited(told, "new", "outbound_requests_max"));
    assert_logged(&server, "outbound_requests_max");
    assert_eq!(elsewhere.requests().len(), 3);
    // The next exchange has as many of its own.
    assert_told(&fetch_one(&server, call(&elsewhere.authority())), "reached");
    // One that is refused for another reason counts, too.
    let refused = call("10.0.0.1");
    let told = fetch(&server, &[refused.clone(), refused.clone(), refused, call(&elsewhere.authority())]);
    assert_limited(&told[3], "new", "outbound_requests_max");
}

#[test]
fn agents_of_an_app() {
    let server = limited(("--outbound-agents-max", "2"));
    let elsewhere = Elsewhere::telling("reached");
    let with = |agent: &str| call_with(&elsewhere.authority(), json!({ "agent": agent }));
    let told = fetch(&server, &[with("a"), with("b"), with("c"), with("a"), with("global"), with("none")]);
    assert_limited(&told[2], "agent", "outbound_agents_max");
    for place in [0, 1, 3, 4, 5] {
        assert_told(&told[place], "reached");
    }
    assert_logged(&server, "outbound_agents_max");
    // Names that an app makes up are no way around it.
    let names: Vec<_> = (0..20).map(|number| with(&format!("made-up-{number}"))).collect();
    let told = fetch(&server, &names);
    assert!(told.iter().filter(|told| error_of(told) == "answered").count() <= 2, "{told:?}");
    let long = fetch_one(&server, with(&"n".repeat(65)));
    assert_eq!(error_of(&long), "invalid-arg", "{long}");
}

#[test]
fn a_server_that_lets_nobody_in() {
    let dns = DnsServer::start().expect("a free port");
    dns.set("silent.example", [Answer::Silence]);
    let server = fetcher(&[HERE, "https://127.0.0.1:*", "http://*.example"])
        .arg("--outbound-connect-timeout", "300ms")
        .arg("--nameserver", dns.address().to_string())
        .start();
    let full = Full::new();
    let secure = |authority: &str| call_with(authority, json!({ "scheme": "https" }));
    // It does not answer; it answers and says nothing; nobody knows where it is.
    for call in [
        call(&full.authority()),
        secure(&stuck(b"")),
        secure(&stuck(b"\x16\x03\x03")),
        call("silent.example"),
    ] {
        lasts(Duration::from_millis(300), || assert_failed(&fetch_one(&server, call), "timeout", "connect"));
    }
    // Many at once wait no longer, and keep nothing.
    lasts(Duration::from_millis(300), || {
        let told = fetch_together(&server, &vec![call(&full.authority()); 20]);
        told.iter().for_each(|told| assert_failed(told, "timeout", "connect"));
    });
    let elsewhere = Elsewhere::telling("reached");
    assert_told(&fetch_one(&server, call(&elsewhere.authority())), "reached");
}

#[test]
fn a_server_that_never_answers() {
    let server = limited(("--outbound-response-timeout", "300ms"));
    let silent = Elsewhere::silent();
    lasts(Duration::from_millis(300), || {
        assert_failed(&fetch_one(&server, call(&silent.authority())), "timeout", "response");
    });
    silent.wait_ended(1);
    // A head that dribbles has no more time, nor have interim responses.
    for words in [&b"HTTP/1.1 200 OK\r\nX: "[..], b"HTTP/1.1 102 Processing\r\n\r\n"] {
        lasts(Duration::from_millis(300), || {
            assert_failed(&fetch_one(&server, call(&stuck(words))), "timeout", "response");
        });
    }
}

#[test]
fn a_body_on_which_nothing_moves() {
    let server = fetcher(&[HERE])
        .arg("--outbound-idle-timeout", "300ms")
        .arg("--outbound-buffer-bytes-max", "256MiB")
        .start();
    // One that comes and stops.
    for words in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
        b"HTTP/1.1 200 OK\r\n\r\npart",
    ] {
        lasts(Duration::from_millis(300), || {
            let told = fetch_one(&server, call(&stuck(words)));
            assert_failed(&told, "timeout", "idle");
            assert_eq!((&told["at"], &told["body"]), (&json!("body"), &json!("part")));
        });
    }
    // One that nobody takes, whether its guest waits for room or for the answer.
    for (at, fields) in
        [("write", json!({ "write": 64 << 20 })), ("response", json!({ "try_write": 64 << 20 }))]
    {
        let told = lasts(Duration::from_millis(300), || {
            let mut call = call_with(&stuck(b""), fields);
            call["method"] = json!("POST");
            fetch_one(&server, call)
        });
        assert_failed(&told, "timeout", "idle");
        assert_eq!(told["at"], at, "{told}");
    }
}

#[test]
fn a_connection_that_no_request_uses() {
    let server = limited(("--outbound-free-socket-timeout", "300ms"));
    let elsewhere = Elsewhere::telling("reached");
    let calls = [call(&elsewhere.authority()), call_with(&elsewhere.authority(), json!({ "agent": "kept" }))];
    fetch(&server, &calls).iter().for_each(|told| assert_told(told, "reached"));
    lasts(Duration::from_millis(0), || elsewhere.wait_ended(2));
    assert_eq!((elsewhere.connections(), elsewhere.requests().len()), (2, 2));
    // The next one is another, and no error.
    let told = fetch_one(&server, call(&elsewhere.authority()));
    assert_told(&told, "reached");
    assert_eq!(told["reused"], false);
}

/// A response with a head of this many bytes beside the status line.
fn with_head(bytes: usize) -> Vec<u8> {
    let rest = "X: \r\nContent-Length: 0\r\n".len();
    format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n", "a".repeat(bytes - rest)).into_bytes()
}

#[test]
fn the_head_of_a_response_and_of_a_request() {
    let server = limited(("--outbound-head-bytes-max", "1KiB"));
    let (long, short) =
        (Elsewhere::answering(|_| Some(with_head(2000))), Elsewhere::answering(|_| Some(with_head(900))));
    assert_limited(&fetch_one(&server, call(&long.authority())), "response", "outbound_head_bytes_max");
    assert_logged(&server, "outbound_head_bytes_max");
    assert_eq!(fetch_one(&server, call(&short.authority()))["status"], 200);
    // A guest may want less, and cannot have more.
    for (max, error) in [(500, "limit-exceeded"), (1 << 30, "answered")] {
        let told = fetch_one(&server, call_with(&short.authority(), json!({ "max_header_size": max })));
        assert_eq!(error_of(&told), error, "{max}: {told}");
    }
    let told = fetch_one(&server, call_with(&long.authority(), json!({ "max_header_size": 1 << 30 })));
    assert_eq!(error_of(&told), "limit-exceeded", "{told}");
    // Without an end it is cut as soon as that is certain.
    let words = format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(16 << 10)).leak().as_bytes();
    promptly(|| assert_eq!(error_of(&fetch_one(&server, call(&stuck(words)))), "limit-exceeded"));
    // Trailers are counted as well.
    let trailers =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: {}\r\n\r\n", "a".repeat(2000));
    let trailing = Elsewhere::answering(move |_| Some(trailers.clone().into_bytes()));
    assert_limited(&fetch_one(&server, call(&trailing.authority())), "body", "outbound_head_bytes_max");
    // The guest's own head has the same bound.
    let headers = json!({ "headers": [["X", "a".repeat(2000)]] });
    let told = fetch_one(&server, call_with(&short.authority(), headers));
    assert_eq!((error_of(&told), &told["at"]), ("limit-exceeded", &json!("new")), "{told}");
}

#[test]
fn the_lines_of_a_response_and_of_a_request() {
    let server = limited(("--outbound-header-count-max", "5"));
    let with_lines = |count: usize| {
        let lines = "X: 1\r\n".repeat(count - 1);
        Elsewhere::answering(move |_| {
            Some(format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 0\r\n\r\n").into_bytes())
        })
    };
    let (many, few) = (with_lines(6), with_lines(5));
    assert_limited(&fetch_one(&server, call(&many.authority())), "response", "outbound_header_count_max");
    assert_logged(&server, "outbound_header_count_max");
    assert_eq!(fetch_one(&server, call(&few.authority()))["status"], 200);
    let trailers = "X: 1\r\n".repeat(6);
    let trailers = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{trailers}\r\n");
    let trailing = Elsewhere::answering(move |_| Some(trailers.clone().into_bytes()));
    assert_limited(&fetch_one(&server, call(&trailing.authority())), "body", "outbound_header_count_max");
    let headers = json!({ "headers": vec![("X", "1"); 6] });
    let told = fetch_one(&server, call_with(&few.authority(), headers));
    assert_eq!((error_of(&told), &told["at"]), ("limit-exceeded", &json!("new")), "{told}");
}

#[test]
fn the_body_of_a_request() {
    let server = limited(("--outbound-request-body-bytes-max", "100KiB"));
    let elsewhere = Elsewhere::telling("reached");
    let post = |fields: Value| {
        let mut call = call_with(&elsewhere.authority(), fields);
        call["method"] = json!("POST");
        fetch_one(&server, call)
    };
    assert_limited(&post(json!({ "write": 200 << 10 })), "write", "outbound_request_body_bytes_max");
    assert_limited(&post(json!({ "try_write": 200 << 10 })), "try-write", "outbound_request_body_bytes_max");
    let long = "a".repeat(200 << 10);
    assert_limited(&post(json!({ "body": long })), "end", "outbound_request_body_bytes_max");
    // What was begun of them is no request, and nothing follows on its
    // connection.
    assert!(elsewhere.requests().is_empty());
    assert_told(&post(json!({ "write": 100 << 10 })), "reached");
    assert_eq!(elsewhere.requests().remove(0).body.len(), 100 << 10);
}

#[test]
fn the_body_of_a_response() {
    let server = limited(("--outbound-response-body-bytes-max", "100KiB"));
    let large = "a".repeat(200 << 10);
    let told_long = answer(&large);
    let long = Elsewhere::answering(move |_| Some(told_long.clone()));
    // What says so itself is not begun with.
    let told = fetch_one(&server, call(&long.authority()));
    assert_limited(&told, "response", "outbound_response_body_bytes_max");
    assert_logged(&server, "outbound_response_body_bytes_max");
    let chunks = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        200 << 10
    );
    for words in [chunks, format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{large}")] {
        let elsewhere = Elsewhere::answering(move |_| Some(words.clone().into_bytes()));
        let told = fetch_one(&server, call(&elsewhere.authority()));
        assert_limited(&told, "body", "outbound_response_body_bytes_max");
        assert!(told["body_bytes"].as_u64().is_some_and(|bytes| bytes <= 100 << 10), "{told}");
        elsewhere.wait_ended(1);
    }
    let as_much = answer(&"a".repeat(100 << 10));
    let elsewhere = Elsewhere::answering(move |_| Some(as_much.clone()));
    assert_eq!(fetch_one(&server, call(&elsewhere.authority()))["body_bytes"], 100 << 10);
}

#[test]
fn what_a_guest_buffers_of_a_request() {
    let server = limited(("--outbound-buffer-bytes-max", "1MiB"));
    let full = Full::new();
    let with = |bytes: u64| {
        call_with(&full.authority(), json!({ "method": "POST", "try_write": bytes, "timeout": 100 }))
    };
    assert_limited(&fetch_one(&server, with(2 << 20)), "try-write", "outbound_buffer_bytes_max");
    assert_failed(&fetch_one(&server, with(1 << 20)), "timeout", "request");
    // Whoever waits for room may have more; all of it arrives.
    let elsewhere = Elsewhere::telling("reached");
    let told =
        fetch_one(&server, call_with(&elsewhere.authority(), json!({ "method": "POST", "write": 8 << 20 })));
    assert_told(&told, "reached");
    assert_eq!(elsewhere.requests().remove(0).body.len(), 8 << 20);
}

/// Two apps of the guest `fetch` of the tenant `greedy`, which has these
/// quotas, and one of the tenant `modest`.
fn two_and_one(quotas: &str, more: &str) -> String {
    let of = |name: &str, tenant: &str| {
        app(name, "fetch", &format!("tenant = \"{tenant}\"\noutbound = [\"{HERE}\"]\n{more}"))
    };
    let apps = of("one", "greedy") + &of("two", "greedy") + &of("three", "modest");
    format!("[tenant.greedy]\n{quotas}\n{apps}")
}

#[test]
fn connections_of_a_tenant() {
    let host = start(&two_and_one("outbound_connections_max = 2", ""));
    let (silent, elsewhere) = (Elsewhere::silent(), Elsewhere::telling("reached"));
    // Two of the first app are under way.
    let calls = Value::from(vec![call(&silent.authority()); 2]).to_string();
    let mut busy = host.running.connect();
    busy.send(format!(
        "POST /?together HTTP/1.1\r\nHost: one.example\r\nContent-Length: {}\r\n\r\n{calls}",
        calls.len()
    ));
    silent.wait_requests(2);
    let connections = |host| tenant(host, "greedy")["outbound_connections"].clone();
    assert_eq!(connections(&host), json!({ "used": 2, "max": 2 }));
    let ask = |app: &str| {
        let calls = [call_with(&elsewhere.authority(), json!({ "agent": "none" }))];
        fetch_from(&host.running, &format!("{app}.example"), "/", &calls).remove(0)
    };
    assert_limited(&ask("two"), "response", "outbound_connections_max of the tenant");
    host.running.wait_log(|line| {
        line.message.ends_with("limit outbound_connections_max of the tenant reached")
            && line.field("app").as_deref() == Some("two")
    });
    assert_told(&ask("three"), "reached");
    // The client goes, its guest with it, and all that it had.
    busy.reset();
    silent.wait_ended(2);
    until_tenant(&host, "greedy", |view| view["outbound_connections"]["used"] == 0);
    assert_told(&ask("two"), "reached");
}

#[test]
fn memory_of_a_tenant() {
    let limits = "[app.limits]\noutbound_buffer_bytes_max = \"1GiB\"\n";
    let host = start(&two_and_one("memory_bytes_max = \"24MiB\"", limits));
    let full = Full::new();
    let fields = json!({ "method": "POST", "try_write": 64 << 20, "timeout": 100 });
    let calls = [call_with(&full.authority(), fields)];
    let told = fetch_from(&host.running, "one.example", "/", &calls).remove(0);
    assert_limited(&told, "try-write", "memory_bytes_max of the tenant");
    // Another tenant has its own, and all of it is given back.
    let told = fetch_from(&host.running, "three.example", "/", &calls).remove(0);
    assert_failed(&told, "timeout", "request");
    until_tenant(&host, "greedy", |view| view["memory_bytes"]["used"] == 0);
    until_tenant(&host, "modest", |view| view["memory_bytes"]["used"] == 0);
}

#[test]
fn heads_that_nobody_reads_are_the_tenants_memory() {
    let host = start(&two_and_one("memory_bytes_max = \"24MiB\"", ""));
    let head = |status: &str| format!("HTTP/1.1 {status}\r\nX: {}\r\n", "a".repeat(60 << 10));
    let words = (head("102 Processing") + "\r\n").repeat(60) + &head("200 OK") + "Content-Length: 0\r\n\r\n";
    let elsewhere = Elsewhere::answering(move |_| Some(words.clone().into_bytes()));
    // 28 MiB of them in one exchange, which come while the guest waits for
    // something else.
    let silent = Elsewhere::silent();
    let mut calls = vec![call_with(&elsewhere.authority(), json!({ "agent": "none" })); 8];
    calls.insert(0, call_with(&silent.authority(), json!({ "timeout": 5_000 })));
    let ask = |app: &str| fetch_from(&host.running, &format!("{app}.example"), "/?together", &calls);
    let told = ask("one").split_off(1);
    let refused: Vec<_> = told.iter().filter(|told| error_of(told) == "limit-exceeded").collect();
    assert!(!refused.is_empty(), "{:?}", told.iter().map(error_of).collect::<Vec<_>>());
    refused.iter().for_each(|told| assert_limited(told, "response", "memory_bytes_max of the tenant"));
    until_tenant(&host, "greedy", |view| view["memory_bytes"]["used"] == 0);
    assert!(ask("three").iter().skip(1).all(|told| told["status"] == 200), "another has its own");
}
