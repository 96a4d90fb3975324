//! A guest for what a script cannot say: connections that it takes over and
//! treats badly, or that it is done with in the middle, and the app's own
//! server, call by call. The path of an upgrade names what becomes of it, and
//! so does the host name of a CONNECT; `tunnel` lists them all. `ordinary` lists
//! what ordinary requests can ask for.

use innkeeper_guest::{
    ErrorCode, IncomingMessage, Result, ServerResponse, Socket, connect_handler, handler, upgrade_handler,
};

use tunnel::Tunnel;

mod body;
mod calls;
mod closing;
mod crash;
mod decision;
mod flow;
mod server;
mod state;
mod tcp;
mod tunnel;

#[upgrade_handler(should_upgrade = decision::decide)]
fn upgrade(req: IncomingMessage, socket: Socket, head: Vec<u8>) -> Result<()> {
    let url = req.url();
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    let name = path.trim_start_matches('/');
    tunnel::route(name, query, Tunnel { req, socket, head, answer: tunnel::SWITCHING })
}

#[connect_handler]
fn connect(req: IncomingMessage, socket: Socket, head: Vec<u8>) -> Result<()> {
    let url = req.url();
    let (name, _port) = url.rsplit_once(':').unwrap_or((&url, ""));
    tunnel::route(name, "", Tunnel { req, socket, head, answer: tunnel::ESTABLISHED })
}

#[handler]
fn ordinary(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let url = req.url();
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    if let Some(call) = path.strip_prefix("/server/") {
        return server::call(call, query, &res);
    }
    match path {
        "/finish-stall" => body::write_much(&res, query),
        "/socket-of-request" => calls::use_socket_of_request(&req, &res),
        "/keep" => state::keep(req, &res),
        "/use-kept" => state::use_kept(&res),
        "/tcp" => tcp::connect(query, &res),
        "/tcp-many" => tcp::connect_often(query, &res),
        "/sleep" => {
            std::thread::sleep(milliseconds(query));
            Ok(res.end("slept")?)
        }
        _ => Ok(res.end("ordinary")?),
    }
}

/// What became of a call, as the tests compare it: `ok`, or the error's code.
fn outcome<T>(result: std::result::Result<T, ErrorCode>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(code) => code.code(),
    }
}

/// A number from the query; none if it is not there.
fn number(query: &str, name: &str) -> Option<u64> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name);
    values.next().and_then(|(_, value)| value.parse().ok())
}

fn milliseconds(query: &str) -> std::time::Duration {
    std::time::Duration::from_millis(number(query, "ms").unwrap_or(0))
}
