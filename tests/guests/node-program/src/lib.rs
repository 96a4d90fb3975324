//! A program on `jco:node/http`, as jco makes them, without the languages
//! around it. `START` in its environment says how it starts: `deaf` listens
//! nowhere, `nobody` has no listener, `fails` says so, `traps` and `spins` do
//! that, all others listen.
//!
//! - `/seen`: a line for each part of the request.
//! - `/echo`: the body, its type, and `Seen` with its length.
//! - `/count`: the requests that this instance has had.
//! - `/raw`: the response that the headers `status`, `reason`, `name`, `value`
//!   and `body` make.
//! - `/large`: a body of so many bytes as the header `bytes` says.
//! - `/fail`, `/trap`, `/spin`: an error of the listener, a trap, a loop.
//! - `/os`, `/uptime`: calls of Node that no host has; the second has no way to
//!   fail.
//! - `/servers`: what other servers are told that the program makes, and what
//!   its own may do to connections.
//! - `/terminal`: what is told of terminals; `/print` writes to one.
//! - `/ask`: a request to the header `authority`, with `scheme` and `secure`.

mod calls;

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};

mod bindings {
    #![allow(unsafe_code, reason = "generated code")]

    use super::Program;

    wit_bindgen::generate!({
        path: ["../../../host/wit/jco-node.wit", "wit"],
        world: "tests:node/program",
        generate_all,
    });

    export!(Program);
}

use bindings::exports::jco::node0_1_0::http_callbacks::{
    Error, Guest, GuestRequestListener, Header, IncomingRequest, OutgoingResponse, RequestListener,
};
use bindings::jco::node0_1_0::http::Server;

/// By which the host asks for the listener.
const LISTENER: u32 = 7;

static REQUESTS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The server that listens.
    static SERVER: RefCell<Option<Server>> = const { RefCell::new(None) };
}

struct Program;

struct Listener;

impl bindings::Guest for Program {
    fn start(port: u16) -> Result<u16, String> {
        match std::env::var("START").unwrap_or_default().as_str() {
            "deaf" => return Ok(port),
            "fails" => return Err("no room in the inn".to_owned()),
            "traps" => unreachable!("it was told to"),
            "spins" => spin(),
            _ => {}
        }
        let server = Server::new(calls::options(), LISTENER);
        let listening = server.listen(&calls::on(Some(port))).map_err(|error| error.message)?;
        SERVER.set(Some(server));
        Ok(calls::port_of(&listening))
    }
}

impl Guest for Program {
    type RequestListener = Listener;

    fn take_request_listener(id: u32) -> Option<RequestListener> {
        let there = id == LISTENER && std::env::var("START").as_deref() != Ok("nobody");
        there.then(|| RequestListener::new(Listener))
    }
}

impl GuestRequestListener for Listener {
    fn handle(&self, request: IncomingRequest) -> Result<OutgoingResponse, Error> {
        let count = REQUESTS.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(match request.url.as_str() {
            "/seen" => text(&seen(&request)),
            "/echo" => echo(request),
            "/count" => text(&count.to_string()),
            "/raw" => raw(&request),
            "/large" => text(&"x".repeat(number(&request, "bytes"))),
            "/fail" => return Err(failure("the listener gave up")),
            "/trap" => unreachable!("it was asked to"),
            "/spin" => spin(),
            "/os" => text(&calls::hostname()),
            "/uptime" => text(&calls::uptime()),
            "/servers" => text(&SERVER.with_borrow(|server| calls::servers(server.as_ref()))),
            "/terminal" => text(&calls::terminal()),
            "/print" => text(&calls::print(&request.body)),
            "/ask" => text(&calls::ask(&request)),
            _ => text("a program\n"),
        })
    }
}

fn seen(request: &IncomingRequest) -> String {
    let lines = request.headers.iter();
    let headers: String = lines
        .map(|header| format!("{}: {}\n", header.name, String::from_utf8_lossy(&header.value)))
        .collect();
    let peer = request.remote_address.as_deref().unwrap_or("nobody");
    let has_port = request.remote_port.is_some_and(|port| port > 0);
    format!(
        "{} {} {}\nfrom {peer}, with a port: {has_port}\n{headers}{} bytes\n",
        request.method,
        request.url,
        request.http_version,
        request.body.len()
    )
}

fn echo(request: IncomingRequest) -> OutgoingResponse {
    let length = request.body.len().to_string();
    let kind = value(&request, "content-type").unwrap_or_default();
    let headers = vec![header("Content-Type", &kind), header("Seen", &length)];
    OutgoingResponse { status_code: 201, status_message: "Echoed".to_owned(), headers, body: request.body }
}

/// What the request says, unchecked.
fn raw(request: &IncomingRequest) -> OutgoingResponse {
    let status_code = value(request, "status").map_or(200, |status| status.parse().expect("a status"));
    let name = value(request, "name").map(|name| unescaped(&name));
    let headers = name.map(|name| Header {
        name,
        value: unescaped(&value(request, "value").unwrap_or_default()).into_bytes(),
    });
    OutgoingResponse {
        status_code,
        status_message: unescaped(&value(request, "reason").unwrap_or_default()),
        headers: headers.into_iter().collect(),
        body: value(request, "body").unwrap_or_default().into_bytes(),
    }
}

/// A text in which line ends were written as `\r` and `\n`.
fn unescaped(text: &str) -> String {
    text.replace("\\r", "\r").replace("\\n", "\n")
}

fn spin() -> ! {
    println!("spins");
    loop {
        std::hint::spin_loop();
    }
}

fn text(body: &str) -> OutgoingResponse {
    let body = body.as_bytes().to_vec();
    OutgoingResponse { status_code: 200, status_message: String::new(), headers: vec![], body }
}

fn failure(message: &str) -> Error {
    Error {
        name: "Error".to_owned(),
        message: message.to_owned(),
        code: None,
        errno: None,
        syscall: None,
        hostname: None,
        address: None,
        port: None,
    }
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: value.as_bytes().to_vec() }
}

fn value(request: &IncomingRequest, name: &str) -> Option<String> {
    let found = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    Some(String::from_utf8_lossy(&found.value).into_owned())
}

fn number(request: &IncomingRequest, name: &str) -> usize {
    value(request, name).and_then(|text| text.parse().ok()).expect("a number")
}
