//! The connection below an exchange, and the tunnel that it can be.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::lock;
use crate::ErrorCode;

/// A connection that is not one.
#[derive(Debug, Default)]
pub struct Connection {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    destroyed: bool,
    tunnel: Option<Tunnel>,
}

/// A connection that the handler has taken over.
#[derive(Debug, Default)]
pub struct Tunnel {
    /// What is still to be read, and then the peer's end.
    pub incoming: VecDeque<Result<Vec<u8>, ErrorCode>>,
    /// What was written.
    pub written: Vec<u8>,
    /// Whether it was ended.
    pub ended: bool,
    failed: Option<ErrorCode>,
}

impl Connection {
    /// One that is a tunnel, through which this comes.
    pub fn tunnel(incoming: VecDeque<Result<Vec<u8>, ErrorCode>>) -> Self {
        let tunnel = Some(Tunnel { incoming, ..Tunnel::default() });
        Self { state: Mutex::new(State { destroyed: false, tunnel }) }
    }

    pub fn destroy(&self) {
        lock(&self.state).destroyed = true;
    }

    pub fn is_destroyed(&self) -> bool {
        lock(&self.state).destroyed
    }

    /// Does `work` on the tunnel.
    ///
    /// # Errors
    /// Those of `work`; `Destroyed`, and `Denied` if this is none.
    pub fn with_tunnel<T>(
        &self,
        work: impl FnOnce(&mut Tunnel) -> Result<T, ErrorCode>,
    ) -> Result<T, ErrorCode> {
        let state = &mut *lock(&self.state);
        match &mut state.tunnel {
            _ if state.destroyed => Err(ErrorCode::Destroyed),
            Some(tunnel) => work(tunnel),
            None => {
                Err(ErrorCode::Denied("this connection carries HTTP; its bytes are the host's".to_owned()))
            }
        }
    }

    /// The tunnel, once it is over.
    pub fn take_tunnel(&self) -> Tunnel {
        lock(&self.state).tunnel.take().unwrap_or_default()
    }
}

impl Tunnel {
    /// The next bytes, at most `max`.
    ///
    /// # Errors
    /// What the test put in their place.
    pub fn read(&mut self, max: usize) -> Result<Option<Vec<u8>>, ErrorCode> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        match self.incoming.pop_front() {
            None => Ok(None),
            Some(Ok(mut piece)) => {
                if piece.len() > max {
                    self.incoming.push_front(Ok(piece.split_off(max)));
                }
                Ok(Some(piece))
            }
            // It is said once; what comes after is the tunnel's, too.
            Some(Err(ErrorCode::ServerClosing)) => Err(ErrorCode::ServerClosing),
            Some(Err(error)) => {
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Appends what is written.
    ///
    /// # Errors
    /// `WriteAfterEnd`, or what broke the tunnel.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ErrorCode> {
        match &self.failed {
            Some(error) => Err(error.clone()),
            None if self.ended => Err(ErrorCode::WriteAfterEnd),
            None => {
                self.written.extend_from_slice(bytes);
                Ok(())
            }
        }
    }
}
