//! What the ops of a list work on: an exchange, a tunnel, or a fault.

use innkeeper_guest::{ClientError, IncomingMessage, ServerResponse, Socket};

use crate::ops::Stop;

/// What the export was given.
pub enum Subject {
    Exchange(IncomingMessage, ServerResponse),
    Tunnel(IncomingMessage, Tunnel),
    Fault(ClientError),
}

/// A connection that was taken over.
pub struct Tunnel {
    pub socket: Socket,
    /// What was received and no op has read: first of all what came with the
    /// head.
    pub unread: Vec<u8>,
}

/// One part, where there is one; else the script uses an op in the wrong place.
impl Subject {
    pub fn req(&self) -> Result<&IncomingMessage, Stop> {
        match self {
            Self::Exchange(req, _) | Self::Tunnel(req, _) => Ok(req),
            Self::Fault(_) => Err(missing("request")),
        }
    }

    pub fn res(&self) -> Result<&ServerResponse, Stop> {
        match self {
            Self::Exchange(_, res) => Ok(res),
            Self::Tunnel(..) | Self::Fault(_) => Err(missing("response")),
        }
    }

    pub fn tunnel(&mut self) -> Result<&mut Tunnel, Stop> {
        match self {
            Self::Tunnel(_, tunnel) => Ok(tunnel),
            Self::Exchange(..) | Self::Fault(_) => Err(missing("tunnel")),
        }
    }

    pub fn fault(&self) -> Result<&ClientError, Stop> {
        match self {
            Self::Fault(fault) => Ok(fault),
            Self::Exchange(..) | Self::Tunnel(..) => Err(missing("fault")),
        }
    }

    /// Drops the connection.
    pub fn destroy(&self) {
        match self {
            Self::Exchange(_, res) => res.destroy(),
            Self::Tunnel(_, tunnel) => tunnel.socket.destroy(),
            Self::Fault(_) => {}
        }
    }
}

fn missing(what: &str) -> Stop {
    Stop::Unknown(format!("{what}: there is none here"))
}
