//! [`Tunnel::relay`]: bytes between a tunnel of the guest's own making and one
//! that it was given, both ways at once. It is what a proxy does after an
//! upgrade.

use std::io;

use super::Tunnel;
use crate::{ErrorCode, Pollable, Socket, poll};

/// What each direction holds at most beside the buffers of the host: one
/// system call's worth.
const PIECE_BYTES_MAX: u32 = 64 * 1024;

impl Tunnel {
    /// Carries bytes between the server and another tunnel until both have
    /// ended, what the server sent after its head first of all. Returns how
    /// many went to the server, and how many came from it.
    ///
    /// Neither direction waits for the other, and each holds one piece at
    /// most. An end of one side is passed on as an end of that direction. The
    /// closing of the own server ends nothing: it is for the peers to say that
    /// they are done, until the operator's drain timeout.
    ///
    /// ```no_run
    /// use innkeeper_guest::{ErrorCode, IncomingMessage, Result, Socket, client, upgrade_handler};
    ///
    /// #[upgrade_handler]
    /// fn upgrade(req: IncomingMessage, socket: Socket, head: Vec<u8>) -> Result<()> {
    ///     let request = client::request("GET", "http://chat.internal/")
    ///         .header("Connection", "upgrade")
    ///         .header("Upgrade", "chat")
    ///         .start()?;
    ///     request.end_empty()?;
    ///     let tunnel = request.upgraded()?.ok_or(ErrorCode::ConnectionReset)?;
    ///     socket.write("HTTP/1.1 101 Switching Protocols\r\n\
    ///                   Upgrade: chat\r\nConnection: upgrade\r\n\r\n")?;
    ///     tunnel.socket.write(head)?;
    ///     tunnel.relay(&socket)?;
    ///     Ok(())
    /// }
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// The first one of either side.
    pub fn relay(self, socket: &Socket) -> io::Result<(u64, u64)> {
        if !self.head.is_empty() {
            socket.write(&self.head)?;
        }
        let mut up = Direction { from: socket, to: &self.socket, state: State::Reading, bytes: 0 };
        let down = self.head.len() as u64;
        let mut down = Direction { from: &self.socket, to: socket, state: State::Reading, bytes: down };
        loop {
            let waits = (up.wait(), down.wait());
            let (up_ready, down_ready) = match &waits {
                (None, None) => return Ok((up.bytes, down.bytes)),
                // With nothing else to wait for, the step itself may wait.
                (Some(_), None) => (true, false),
                (None, Some(_)) => (false, true),
                (Some(one), Some(other)) => {
                    let ready = poll(&[one, other]);
                    (ready.contains(&0), ready.contains(&1))
                }
            };
            if up_ready {
                up.step()?;
            }
            if down_ready {
                down.step()?;
            }
        }
    }
}

struct Direction<'a> {
    from: &'a Socket,
    to: &'a Socket,
    state: State,
    bytes: u64,
}

enum State {
    Reading,
    /// The buffer of the side that is written to is full.
    Full,
    Ended,
}

impl Direction<'_> {
    fn wait(&self) -> Option<Pollable> {
        match self.state {
            State::Reading => Some(self.from.subscribe()),
            State::Full => Some(self.to.subscribe_writable()),
            State::Ended => None,
        }
    }

    fn step(&mut self) -> Result<(), ErrorCode> {
        match self.state {
            State::Reading => match self.from.read_piece(PIECE_BYTES_MAX) {
                Ok(Some(piece)) => self.pass_on(&piece)?,
                Ok(None) => {
                    self.to.end_empty()?;
                    self.state = State::Ended;
                }
                Err(ErrorCode::ServerClosing) => {}
                Err(code) => return Err(code),
            },
            State::Full => {
                poll(&[&self.to.subscribe_writable()]);
                self.state = State::Reading;
            }
            State::Ended => {}
        }
        Ok(())
    }

    fn pass_on(&mut self, piece: &[u8]) -> Result<(), ErrorCode> {
        self.bytes += piece.len() as u64;
        let full = match self.to.try_write(piece) {
            // The operator's bound is narrow; what waits here is only the
            // other direction, and not for long.
            Err(ErrorCode::LimitExceeded(_)) => self.to.write(piece).map(|()| false),
            tried => tried,
        };
        if full? {
            self.state = State::Full;
        }
        Ok(())
    }
}
