//! A connection that was taken over, and the list of what can become of it.

use innkeeper_guest::{IncomingMessage, Result, Socket};

use crate::{body, calls, closing, crash, flow, milliseconds, state};

pub const SWITCHING: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n";
pub const ESTABLISHED: &str = "HTTP/1.1 200 Connection Established\r\n\r\n";

/// One system call's worth.
pub const PIECE_BYTES_MAX: u32 = 64 * 1024;

pub struct Tunnel {
    pub req: IncomingMessage,
    pub socket: Socket,
    pub head: Vec<u8>,
    /// What takes the connection over.
    pub answer: &'static str,
}

pub fn route(name: &str, query: &str, tunnel: Tunnel) -> Result<()> {
    match name {
        "trap-before" => crash::trap(),
        "trap-after-101" => crash::trap_after_answer(&tunnel),
        "return-silently" => Ok(()),
        "err" => crash::fail(),
        "err-after-101" => crash::fail_after_answer(&tunnel),
        "loop" => crash::compute_for_ever(&tunnel),
        "loop-before" => crash::compute(None),
        "compute" => flow::compute_for_each_piece(&tunnel, milliseconds(query)),

        "echo" => flow::echo(&tunnel),
        "hold" => flow::hold(&tunnel),
        "half" => flow::end_and_read_on(&tunnel),
        "flood" => flow::write_for_ever(&tunnel),
        "try-flood" => flow::write_without_waiting(&tunnel),
        "sleep" => flow::sleep_then_write(&tunnel, milliseconds(query)),
        "sleep-forever" => flow::sleep_for_ever(&tunnel),
        "timeout-in-should-upgrade" => flow::hold(&tunnel),
        "set-timeout" => flow::hold_with_timeout(&tunnel, milliseconds(query)),

        "told" => closing::told(&tunnel),
        "told-by-poll" => closing::told_by_poll(&tunnel),
        "read-by-poll" => closing::read_by_poll(&tunnel),
        "told-and-deaf" => closing::deaf(&tunnel),

        "body-then-tunnel" => body::then_tunnel(&tunnel),
        "tunnel-then-body" => body::after_tunnel(&tunnel),

        "after-end" => calls::after_end(&tunnel),
        "destroy" => calls::destroy(&tunnel),
        "destroy-soon" => calls::destroy_soon(&tunnel, milliseconds(query)),
        "second-socket" => calls::use_second_socket(&tunnel),
        "facts" => calls::tell_facts(&tunnel),

        "keep" => state::keep_tunnel(tunnel),
        "use-kept" => state::use_kept_in_tunnel(&tunnel),
        _ => Ok(tunnel.socket.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?),
    }
}

impl Tunnel {
    /// Takes the connection over, on the wire.
    pub fn answer(&self) -> Result<()> {
        self.socket.write(self.answer)?;
        Ok(self.socket.flush()?)
    }
}
