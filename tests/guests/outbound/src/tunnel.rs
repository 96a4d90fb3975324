//! Connections that speak another protocol: after a 101, or a CONNECT.

use innkeeper_guest::{Error, Result};

use crate::answer::{head_of, tell_lines};
use crate::asked::Asked;
use crate::run::{Run, number};

/// Bytes that are echoed at a time.
const PIECE_BYTES_MAX: u32 = 64 * 1024;

/// `upgraded` and `connected`: the head of the answer, and the bytes behind
/// it; or that the answer is an ordinary response.
pub fn wait_for_tunnel(run: &mut Run, name: &str, what: &str) -> Result<()> {
    let asked = run.requests.get_mut(name).ok_or_else(|| Error::msg("no such request"))?;
    let waited = if what == "upgraded" { asked.request.upgraded() } else { asked.request.connected() };
    match waited {
        Ok(Some(tunnel)) => {
            asked.socket = Some(tunnel.socket);
            run.line(name, format!("{what} {}", head_of(&tunnel.response)))?;
            tell_lines(run, name, &tunnel.response.raw_headers())?;
            run.line(name, format!("head {}", tunnel.head.escape_ascii()).trim_end())
        }
        Ok(None) => run.line(name, format!("{what} none")),
        Err(error) => run.tell(name, what, &Err::<(), _>(error)),
    }
}

/// `tunnel-echo`: sends back what comes, to the end; how many bytes.
pub fn echo(run: &Run, name: &str, asked: &Asked) -> Result<()> {
    let socket = asked.socket.as_ref().ok_or_else(|| Error::msg("there is no tunnel"))?;
    let mut bytes = 0;
    while let Some(piece) = socket.read_piece(PIECE_BYTES_MAX)? {
        bytes += piece.len();
        socket.write(piece)?;
    }
    socket.end_empty()?;
    socket.flush()?;
    run.line(name, format!("tunnel-echo {bytes}"))
}

/// `send TEXT`, `finish` for the end of this side, `receive BYTES` at most,
/// `close`.
pub fn use_tunnel(run: &Run, name: &str, asked: &Asked, what: &str, argument: &str) -> Result<()> {
    let socket = asked.socket.as_ref().ok_or_else(|| Error::msg("there is no tunnel"))?;
    match what {
        "close" => {
            socket.destroy();
            Ok(())
        }
        "send" => run.tell(name, what, &socket.write(argument).and_then(|()| socket.flush())),
        "finish" => run.tell(name, what, &socket.end_empty().and_then(|()| socket.flush())),
        _ => match socket.read_piece(number(argument)?) {
            Ok(Some(piece)) => run.line(name, format!("receive {}", piece.escape_ascii())),
            Ok(None) => run.line(name, "receive end"),
            Err(error) => run.tell(name, what, &Err::<(), _>(error)),
        },
    }
}
