//! One conversation with the same guest by each contract: the client gets the
//! same bytes, except where a contract cannot say the same. The transcript is
//! `golden/contracts.txt`, and `docs/wasi.md` has every exception with its
//! reason.

use std::fmt::Write as _;
use std::fs;

use innkeeper_harness::bytes::{mask_date, to_text};
use innkeeper_harness::golden;
use innkeeper_harness::server::{Running, Server};
use innkeeper_harness::wire::End;
use innkeeper_harness::workspace::root;

/// A contract, and how its instances come to their exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    pub name: &'static str,
    feature: Option<&'static str>,
    instances: &'static str,
}

pub const OWN: Kind = Kind { name: "innkeeper:http", feature: None, instances: "per-request" };
pub const P2: Kind = Kind { name: "wasi:http 0.2", feature: Some("p2"), instances: "per-request" };
pub const P3: Kind = Kind { name: "wasi:http 0.3", feature: Some("p3"), instances: "per-request" };
/// Its exchanges share instances, on a path of their own. When its guest gets
/// its turn depends on other threads, and with that where a piece ends.
pub const P3_POOLED: Kind = Kind { name: "wasi:http 0.3, pooled", feature: Some("p3"), instances: "pooled" };

pub const ALL: [Kind; 4] = [OWN, P2, P3, P3_POOLED];

impl Kind {
    /// The guest of `tests/guests/contracts`, by this contract.
    pub fn server(self) -> Server {
        self.with_instances(self.instances)
    }

    /// The same, whose instances are used again.
    pub fn pooled(self) -> Server {
        self.with_instances("pooled")
    }

    fn with_instances(self, policy: &str) -> Server {
        let features: Vec<_> = self.feature.into_iter().collect();
        Server::with_features("contracts", &features).arg("--instances", policy)
    }
}

/// What a client says on a connection of its own. The last of its requests
/// closes it.
struct Conversation {
    what: &'static str,
    request: &'static str,
    /// Why the answers are not the same, as `docs/wasi.md` says it.
    differs: Option<&'static str>,
}

const CASE: Option<&str> = Some("Field names");
const FORBIDDEN: Option<&str> = Some("Fields of the connection");
const CODES: Option<&str> = Some("Error codes");
const STATUS: Option<&str> = Some("Status codes");

const fn same(what: &'static str, request: &'static str) -> Conversation {
    Conversation { what, request, differs: None }
}

const fn but(differs: Option<&'static str>, what: &'static str, request: &'static str) -> Conversation {
    Conversation { what, request, differs }
}

/// A request after which the connection closes.
macro_rules! last {
    ($line:literal) => {
        concat!($line, " HTTP/1.1\r\nHost: inn\r\nConnection: close\r\n\r\n")
    };
}

const CONVERSATIONS: &[Conversation] = &[
    // Framing.
    same("a declared length", last!("GET /set=content-length:5;end=hello")),
    same("a piece", last!("GET /end=hello")),
    same("no body", last!("GET /")),
    same("pieces with a pause", last!("GET /write=a;sleep=20;end=b")),
    same("204", last!("GET /status=204")),
    same("204 with a body", last!("GET /status=204;end=hello")),
    same("304 with a length", last!("GET /status=304;set=content-length:5")),
    same("HEAD", last!("HEAD /set=content-length:5;end=hello")),
    same("HEAD of pieces", last!("HEAD /write=a;sleep=20;end=b")),
    same("HTTP/1.0", "GET /set=content-length:5;end=hello HTTP/1.0\r\n\r\n"),
    same("HTTP/1.0, pieces", "GET /write=a;sleep=20;end=b HTTP/1.0\r\n\r\n"),
    same(
        "HTTP/1.0 that stays",
        "GET /set=content-length:1;end=a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /set=content-length:1;end=b HTTP/1.0\r\n\r\n",
    ),
    same("too few bytes", last!("GET /set=content-length:5;end=four")),
    same("too few bytes after the head", last!("GET /set=content-length:5;head;sleep=20;end=four")),
    same("too many bytes", last!("GET /set=content-length:3;end=four")),
    same(
        "trailers",
        "GET /set=trailer:x-sum;trailer=x-sum:1;write=a;end HTTP/1.1\r\nHost: inn\r\nTE: trailers\r\nConnection: close\r\n\r\n",
    ),
    same(
        "trailers that may not be",
        "GET /trailer=content-length:1;write=a;end HTTP/1.1\r\nHost: inn\r\nTE: trailers\r\nConnection: close\r\n\r\n",
    ),
    // Heads.
    same("a status", last!("GET /status=418;set=content-length:0")),
    but(STATUS, "a status that there is not", last!("GET /status=1000;set=content-length:0")),
    same("an interim status", last!("GET /status=103;set=content-length:0")),
    same("fields", last!("GET /set=x-a:1;set=x-a:2;set=x-b:3;set=content-length:0")),
    same(
        "fields of a name with another between",
        last!("GET /set=x-a:1;set=x-b:2;set=x-a:3;set=content-length:0"),
    ),
    but(CASE, "a field name with capitals", last!("GET /set=X-Name:1;set=content-length:0")),
    same("fields that are none", last!("GET /set=x%20y:1;set=x:%0D%0Aevil:1;set=:1;set=content-length:0")),
    same("a date of the guest's", last!("GET /set=date:today;set=content-length:0")),
    same("two lengths", last!("GET /set=content-length:1;set=content-length:2;end=a")),
    // Bodies of requests.
    same(
        "an echo",
        "POST /set=content-length:5;echo HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    ),
    same(
        "an echo of chunks",
        "POST /collect HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
    ),
    same(
        "trailers both ways",
        "POST /read;pass-trailers;write=a;end HTTP/1.1\r\nHost: inn\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n",
    ),
    same(
        "a body that nobody reads",
        "POST /set=content-length:1;end=a HTTP/1.1\r\nHost: inn\r\nContent-Length: 5\r\n\r\nhelloGET /set=content-length:1;end=b HTTP/1.1\r\nHost: inn\r\nConnection: close\r\n\r\n",
    ),
    same(
        "a body that breaks",
        "POST /read;set=content-length:1;end=a HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n",
    ),
    same(
        "a body that breaks before a guest that fails",
        "POST /read;trap HTTP/1.1\r\nHost: inn\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n",
    ),
    // Connections.
    same(
        "requests in a row",
        "GET /set=content-length:1;end=a HTTP/1.1\r\nHost: inn\r\n\r\nGET /write=b;sleep=20;end=c HTTP/1.1\r\nHost: inn\r\n\r\nHEAD /set=content-length:1;end=d HTTP/1.1\r\nHost: inn\r\n\r\nGET /set=content-length:1;end=e HTTP/1.1\r\nHost: inn\r\nConnection: close\r\n\r\n",
    ),
    same("a request that is none", "GET\r\n\r\n"),
    same("two hosts", "GET /end=a HTTP/1.1\r\nHost: inn\r\nHost: out\r\n\r\n"),
    same("a version that there is not", "GET /end=a HTTP/3.0\r\nHost: inn\r\n\r\n"),
    same(
        "an expectation that there is not",
        "GET /end=a HTTP/1.1\r\nHost: inn\r\nExpect: more\r\nConnection: close\r\n\r\n",
    ),
    same("CONNECT", "CONNECT inn:80 HTTP/1.1\r\nHost: inn:80\r\n\r\n"),
    same(
        "an upgrade that nobody takes",
        "GET /set=content-length:1;end=a HTTP/1.1\r\nHost: inn\r\nConnection: upgrade, close\r\nUpgrade: echo\r\n\r\n",
    ),
    same("a method of its own", last!("BREW /set=content-length:1;end=a")),
    same("OPTIONS *", last!("OPTIONS *")),
    // Guests that fail.
    same(
        "a trap, and another request",
        "GET /trap HTTP/1.1\r\nHost: inn\r\n\r\nGET /set=content-length:1;end=a HTTP/1.1\r\nHost: inn\r\nConnection: close\r\n\r\n",
    ),
    same("a trap after the head", "GET /write=part;sleep=20;trap HTTP/1.1\r\nHost: inn\r\n\r\n"),
    same("an exit", last!("GET /exit=1")),
    same("no answer", last!("GET /leave")),
    same("half an answer", "GET /write=part;sleep=20;leave HTTP/1.1\r\nHost: inn\r\n\r\n"),
    but(CODES, "an error code", last!("GET /error=denied")),
    but(CODES, "an error code of another server", last!("GET /error=response-timeout")),
    same("an internal error", last!("GET /error=whatever")),
    // Last, because the exchanges are numbered.
    but(
        FORBIDDEN,
        "a guest that closes",
        "GET /set=connection:close;set=content-length:0 HTTP/1.1\r\nHost: inn\r\n\r\nGET /set=content-length:0 HTTP/1.1\r\nHost: inn\r\nConnection: close\r\n\r\n",
    ),
];

#[test]
fn the_same_conversation_by_each_contract() {
    let kinds = [OWN, P2, P3];
    let servers = kinds.map(|kind| kind.server().start());
    let mut transcript = String::new();
    let mut wrong = Vec::new();
    for Conversation { what, request, differs } in CONVERSATIONS {
        let answers = servers.each_ref().map(|server| answer(server, request));
        let _ = writeln!(transcript, "## {what}\n");
        transcript += &quoted('>', request);
        let same = answers.iter().all(|answer| *answer == answers[0]);
        if same {
            transcript += &quoted('<', &answers[0]);
        } else {
            for (kind, answer) in kinds.iter().zip(&answers) {
                let _ = writeln!(transcript, "{}", kind.name);
                transcript += &quoted('<', answer);
            }
        }
        transcript.push('\n');
        if same != differs.is_none() {
            wrong.push(*what);
        }
    }
    golden::check("tests/harness/golden/contracts.txt", &transcript);
    assert!(wrong.is_empty(), "these differ, or are said to: {wrong:?}");
}

#[test]
fn every_difference_is_documented() {
    let docs = fs::read_to_string(root().join("docs/wasi.md")).expect("the document is there");
    let rows = [CASE, FORBIDDEN, CODES, STATUS];
    for why in rows.into_iter().flatten() {
        assert!(docs.contains(&format!("\n| {why} |")), "docs/wasi.md has no row for {why}");
        assert!(
            CONVERSATIONS.iter().any(|conversation| conversation.differs == Some(why)),
            "no conversation shows {why}"
        );
    }
}

/// All that comes back, to the end of the connection.
fn answer(server: &Running, request: &str) -> String {
    let mut client = server.connect();
    client.send(request);
    let (bytes, end) = client.read_to_end();
    let how = if end == End::Closed { "" } else { "(reset)\n" };
    to_text(&mask_date(&bytes)) + how
}

/// Lines as a golden file has them: `\n` is a line end without its carriage
/// return, `\` none at all.
fn quoted(mark: char, bytes: &str) -> String {
    let lines = bytes.split_inclusive('\n');
    let shown = |line: &str| match (line.strip_suffix("\r\n"), line.strip_suffix('\n')) {
        (Some(line), _) => format!("{mark} {line}\n"),
        (None, Some(line)) => format!("{mark} {line}\\n\n"),
        (None, None) => format!("{mark} {line}\\\n"),
    };
    lines.map(shown).collect()
}
