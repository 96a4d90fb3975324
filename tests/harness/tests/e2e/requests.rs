//! What the tests of requests to other servers share: a host of the guest
//! `outbound`, and scripts for it; see `tests/guests/outbound`.

use innkeeper_harness::server::{Running, Server};
use innkeeper_harness::upstream::{Answering, Connection, Upstream};
use innkeeper_harness::wire::Client;

/// The guest, which may go to every port of this machine's own address.
pub fn outbound() -> Server {
    Server::of("outbound").arg("--outbound", "http://127.0.0.1:*")
}

/// Something that has an address, for which `{up}` stands in scripts and in
/// what is expected.
pub trait Addressed {
    fn authority(&self) -> String;
}

impl Addressed for Upstream {
    fn authority(&self) -> String {
        Upstream::authority(self)
    }
}

/// Nobody who listens any more.
impl Addressed for String {
    fn authority(&self) -> String {
        self.clone()
    }
}

impl Addressed for Answering {
    fn authority(&self) -> String {
        Answering::authority(self)
    }
}

/// A script that runs.
pub struct Script {
    client: Client,
    authority: String,
}

/// Has the guest run a script, on a connection of its own.
#[track_caller]
pub fn begin(server: &Running, upstream: &impl Addressed, script: &str) -> Script {
    let mut client = server.connect();
    let authority = upstream.authority();
    // For each `own` there is a byte.
    let length = script.split(';').filter(|call| call.trim() == "own").count();
    client.send(head_of(&authority, script, "inn", &format!("Content-Length: {length}\r\n")));
    Script { client, authority }
}

/// Has the guest run a script, and returns what it told.
#[track_caller]
pub fn run(server: &Running, upstream: &impl Addressed, script: &str) -> String {
    begin(server, upstream, script).told()
}

/// The request that has the guest run a script.
pub fn head_of(authority: &str, script: &str, host: &str, lines: &str) -> String {
    // The lines of a script are the test's; the header is one.
    let script = script.replace("{up}", authority).replace('\n', " ");
    format!("POST / HTTP/1.1\r\nHost: {host}\r\nScript: {script}\r\n{lines}\r\n")
}

impl Script {
    /// All that it tells; it has ended then.
    #[track_caller]
    pub fn told(&mut self) -> String {
        let response = self.client.read_response();
        let told = response.text().replace(&self.authority, "{up}");
        assert!(response.complete, "the guest did not come to its end; it told\n{told}");
        told
    }

    /// It tells these lines, and ends then. They may stand with an indent.
    #[track_caller]
    pub fn tells(&mut self, lines: &str) {
        assert_eq!(self.told(), lines_of(lines));
    }

    /// Waits until it has told this.
    #[track_caller]
    pub fn wait_for(&mut self, line: &str) -> &mut Self {
        self.client.wait_until(line.replace("{up}", &self.authority) + "\n");
        self
    }

    /// Lets it go on: it waits in `own`, after it has told this.
    #[track_caller]
    pub fn go_on_after(&mut self, line: &str) -> &mut Self {
        self.wait_for(line).client.send("x");
        self
    }

    /// It is cut before it comes to its end.
    #[track_caller]
    pub fn is_cut(&mut self) {
        let response = self.client.read_response();
        assert!(!response.complete, "it came to its end, and told\n{}", response.text());
    }

    /// Goes away without a word.
    pub fn reset(self) {
        self.client.reset();
    }
}

/// The lines of a text, without their indents.
pub fn lines_of(text: &str) -> String {
    text.lines()
        .map(str::trim_start)
        .filter(|line| !line.is_empty())
        .map(|line| format!("{line}\n"))
        .collect()
}

/// A GET as it goes out when nothing was said about it.
pub fn plain_get(upstream: &impl Addressed, target: &str) -> String {
    get_with(upstream, target, "keep-alive")
}

/// The same with this in `Connection`.
pub fn get_with(upstream: &impl Addressed, target: &str, connection: &str) -> String {
    let authority = upstream.authority();
    format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\nConnection: {connection}\r\n\r\n")
}

/// A response that keeps the connection.
pub fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// Expects such a GET and answers it.
#[track_caller]
pub fn answer(connection: &mut Connection, upstream: &impl Addressed, target: &str, body: &str) {
    connection.expect(plain_get(upstream, target)).send(ok(body));
}
