//! [`relay`]: bytes between a tunnel and a connection, both ways at once.

use std::io;
use std::net::Shutdown;

use super::TcpStream;
use crate::{ErrorCode, Pollable, Socket, poll};

/// What each direction holds at most beside the buffers of the host: one
/// system call's worth, far below what a guest may have buffered there.
const PIECE_BYTES_MAX: u32 = 64 * 1024;

/// Carries bytes between a tunnel and a connection until both sides have
/// ended, and returns how many went from the tunnel to the connection, and how
/// many the other way.
///
/// Neither direction waits for the other, and each holds one piece at most: a
/// side that takes nothing slows down who writes to it and nobody else. An end
/// of one side is passed on as an end of that direction. The closing of the
/// server ends nothing: it is for the peers to say that they are done, until
/// the operator's drain timeout.
///
/// ```no_run
/// use innkeeper_guest::net::{TcpStream, relay};
/// use innkeeper_guest::{IncomingMessage, Result, Socket, connect_handler};
///
/// #[connect_handler]
/// fn connect(req: IncomingMessage, socket: Socket, head: Vec<u8>) -> Result<()> {
///     use std::io::Write;
///
///     let mut stream = TcpStream::connect(req.url())?;
///     socket.write("HTTP/1.1 200 Connection Established\r\n\r\n")?;
///     stream.write_all(&head)?;
///     relay(&socket, &stream)?;
///     Ok(())
/// }
/// # fn main() {}
/// ```
///
/// # Errors
/// The first one of either side.
pub fn relay(socket: &Socket, stream: &TcpStream) -> io::Result<(u64, u64)> {
    let mut out = Out { state: OutState::Reading, bytes: 0 };
    let mut back = Back { state: BackState::Reading, bytes: 0 };
    loop {
        let waits = (out.wait(socket, stream), back.wait(socket, stream));
        let (out_ready, back_ready) = match &waits {
            (None, None) => return Ok((out.bytes, back.bytes)),
            (Some(wait), None) => (!poll(&[wait]).is_empty(), false),
            (None, Some(wait)) => (false, !poll(&[wait]).is_empty()),
            (Some(one), Some(other)) => {
                let ready = poll(&[one, other]);
                (ready.contains(&0), ready.contains(&1))
            }
        };
        if out_ready {
            out.step(socket, stream)?;
        }
        if back_ready {
            back.step(socket, stream)?;
        }
    }
}

/// From the tunnel to the connection.
struct Out {
    state: OutState,
    bytes: u64,
}

enum OutState {
    Reading,
    /// What the connection has not taken yet of a piece: from there on.
    Writing(Vec<u8>, usize),
    Ended,
}

impl Out {
    fn wait(&self, socket: &Socket, stream: &TcpStream) -> Option<Pollable> {
        match self.state {
            OutState::Reading => Some(socket.subscribe()),
            OutState::Writing(..) => Some(stream.subscribe_writable()),
            OutState::Ended => None,
        }
    }

    fn step(&mut self, socket: &Socket, stream: &TcpStream) -> io::Result<()> {
        match &mut self.state {
            OutState::Reading => match socket.read_piece(PIECE_BYTES_MAX) {
                Ok(Some(piece)) => self.state = OutState::Writing(piece, 0),
                Ok(None) => {
                    stream.shutdown(Shutdown::Write)?;
                    self.state = OutState::Ended;
                }
                Err(ErrorCode::ServerClosing) => {}
                Err(code) => return Err(code.into()),
            },
            OutState::Writing(piece, from) => {
                let taken = stream.try_write(&piece[*from..])?;
                self.bytes += taken as u64;
                *from += taken;
                if *from == piece.len() {
                    self.state = OutState::Reading;
                }
            }
            OutState::Ended => {}
        }
        Ok(())
    }
}

/// From the connection to the tunnel, which takes a piece whole.
struct Back {
    state: BackState,
    bytes: u64,
}

enum BackState {
    Reading,
    /// The tunnel's buffer is full.
    Full,
    Ended,
}

impl Back {
    fn wait(&self, socket: &Socket, stream: &TcpStream) -> Option<Pollable> {
        match self.state {
            BackState::Reading => Some(stream.subscribe()),
            BackState::Full => Some(socket.subscribe_writable()),
            BackState::Ended => None,
        }
    }

    fn step(&mut self, socket: &Socket, stream: &TcpStream) -> io::Result<()> {
        match self.state {
            BackState::Reading => match stream.try_read_piece(PIECE_BYTES_MAX)? {
                Some(piece) if piece.is_empty() => {}
                Some(piece) => {
                    self.bytes += piece.len() as u64;
                    let full = match socket.try_write(&piece) {
                        // The operator's bound is narrow; what waits here is
                        // only the other direction, and not for long.
                        Err(ErrorCode::LimitExceeded(_)) => socket.write(piece).map(|()| false),
                        tried => tried,
                    };
                    if full? {
                        self.state = BackState::Full;
                    }
                }
                None => {
                    socket.end_empty()?;
                    self.state = BackState::Ended;
                }
            },
            BackState::Full => self.state = BackState::Reading,
            BackState::Ended => {}
        }
        Ok(())
    }
}
