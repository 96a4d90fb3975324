//! `should-upgrade`: yes, unless the path says something else.

use std::thread::sleep;

use innkeeper_guest::IncomingMessage;

use crate::{crash, milliseconds, outcome};

pub fn decide(req: &IncomingMessage) -> bool {
    let url = req.url();
    let (path, query) = url.split_once('?').unwrap_or((&url, ""));
    match path {
        "/decline" => false,
        "/slow-should-upgrade" => {
            sleep(milliseconds(query));
            false
        }
        "/trap-should-upgrade" => crash::trap(),
        "/loop-should-upgrade" => crash::compute(None).is_ok(),
        // What it reads of the body is gone for the one who answers.
        "/read-in-should-upgrade" => {
            println!("read: {}", outcome(req.read_piece(1)));
            false
        }
        "/read-and-accept" => {
            println!("read: {}", outcome(req.read_piece(16)));
            true
        }
        "/timeout-in-should-upgrade" => {
            req.socket().set_timeout(milliseconds(query));
            true
        }
        // The connection is not the guest's yet.
        "/socket-in-should-upgrade" => {
            println!("write: {}", outcome(req.socket().write("x")));
            println!("read: {}", outcome(req.socket().read_piece(1)));
            false
        }
        _ => true,
    }
}
