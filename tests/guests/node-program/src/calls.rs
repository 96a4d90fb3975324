//! What the program calls of the host, and what it says to that.

use crate::bindings::exports::jco::node0_1_0::http_callbacks::IncomingRequest;
use crate::bindings::jco::node0_1_0::http::{
    self, Error, Header, ListenOptions, RequestOptions, Server, ServerAddress, ServerOptions, TlsOptions,
};
use crate::bindings::jco::node0_1_0::tty::{self, Direction};
use crate::bindings::jco::node0_2_0::os;
use crate::value;

/// A server without wishes.
pub fn options() -> ServerOptions {
    ServerOptions {
        request_timeout: None,
        headers_timeout: None,
        keep_alive_timeout: None,
        keep_alive_timeout_buffer: None,
        connections_checking_interval: None,
        max_header_size: None,
        join_duplicate_headers: None,
        no_delay: None,
        require_host_header: None,
        keep_alive: None,
        keep_alive_initial_delay: None,
        reject_non_standard_body_writes: None,
        optimize_empty_requests: None,
        tls: None,
    }
}

/// To listen on this port.
pub fn on(port: Option<u16>) -> ListenOptions {
    ListenOptions {
        port,
        host: None,
        backlog: None,
        path: None,
        exclusive: None,
        ipv6_only: None,
        reuse_port: None,
    }
}

pub fn port_of(address: &ServerAddress) -> u16 {
    match address {
        ServerAddress::Tcp(address) => address.port,
        ServerAddress::Pipe(_) => 0,
    }
}

pub fn hostname() -> String {
    match os::hostname() {
        Ok(name) => name,
        Err(error) => format!("{}: {}\n", error.code.unwrap_or_default(), error.message),
    }
}

pub fn uptime() -> String {
    os::uptime().to_string()
}

/// What becomes of servers that cannot be, and of calls to the one that is.
pub fn servers(own: Option<&Server>) -> String {
    let another = Server::new(options(), 8);
    let secure = Server::new(ServerOptions { tls: Some(TlsOptions { context_id: 0 }), ..options() }, 9);
    let pipe = ListenOptions { path: Some("/tmp/pipe".to_owned()), ..on(None) };
    let address = own.and_then(Server::address).map_or(0, |address| port_of(&address));
    let mut lines = vec![
        format!("another {}", told(another.listen(&on(Some(80))))),
        format!("on a pipe {}", told(another.listen(&pipe))),
        format!("secure {}", told(secure.listen(&on(Some(443))))),
        format!("closing what never listened {}", told(another.close())),
        format!("has a port {}", address > 0),
    ];
    if let Some(own) = own {
        own.unref();
        own.ref_();
        lines.extend([
            format!("connections {}", told(own.get_connections())),
            format!("idle ones {}", told(own.close_idle_connections())),
            format!("all {}", told(own.close_all_connections())),
            format!("close {}", told(own.close())),
        ]);
    }
    lines.join("\n") + "\n"
}

/// What the host says of terminals.
pub fn terminal() -> String {
    let code = |error: tty::Error| error.code.unwrap_or_default();
    format!(
        "is one {:?}, opens {:?}, size {:?}, raw {:?}, input {:?}, environment {:?}, fd 3 {:?}\n",
        tty::is_tty(1).map_err(code),
        tty::open(1, Direction::Write).map_err(code),
        tty::window_size(1).map(|size| size.columns).map_err(code),
        tty::set_raw_mode(0, true).map_err(code),
        tty::read(0, 10).map_err(code),
        tty::environment().map_err(code),
        tty::write(3, b"lost").map_err(code),
    )
}

pub fn print(text: &[u8]) -> String {
    format!("{}\n", tty::write(2, text).is_ok() && tty::close(2, Direction::Write).is_ok())
}

/// Asks the server that the request names with its body.
pub fn ask(request: &IncomingRequest) -> String {
    let header = |name: &str| value(request, name);
    let extra = header("name").map(|name| Header {
        name: crate::unescaped(&name),
        value: crate::unescaped(&header("value").unwrap_or_default()).into_bytes(),
    });
    let options = RequestOptions {
        method: header("ask-method").unwrap_or_else(|| "POST".to_owned()),
        scheme: header("scheme").unwrap_or_else(|| "http".to_owned()),
        authority: header("authority").unwrap_or_default(),
        path_with_query: header("path").unwrap_or_else(|| "/".to_owned()),
        headers: extra.into_iter().collect(),
        body: request.body.clone(),
        connect_timeout_ms: None,
        first_byte_timeout_ms: header("first-byte").and_then(|time| time.parse().ok()),
        between_bytes_timeout_ms: None,
        tls: header("secure").map(|_| TlsOptions { context_id: 0 }),
    };
    match http::request(&options) {
        Ok(response) => {
            let body = String::from_utf8_lossy(&response.body);
            format!(
                "{} {} {}: {body}\n",
                response.http_version, response.status_code, response.status_message
            )
        }
        Err(error) => format!("{} {}\n", error.code.unwrap_or_default(), error.message),
    }
}

/// What it came to: nothing, or the code of its error.
fn told<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => "goes".to_owned(),
        Err(error) => error.code.unwrap_or(error.message),
    }
}
