//! `socket`.

use std::sync::Arc;

use super::{Done, ErrorCode, handles, read_size};
use crate::ErrorCode as Refused;
use crate::native::connection::Connection;
use crate::native::poll::Pollable;

/// `socket`.
#[derive(Debug)]
pub struct Socket(pub(crate) Arc<Connection>);

impl Socket {
    pub fn remote_address(&self) -> String {
        "127.0.0.1".to_owned()
    }

    pub fn remote_port(&self) -> u16 {
        50_000
    }

    pub fn local_address(&self) -> String {
        "127.0.0.1".to_owned()
    }

    pub fn local_port(&self) -> u16 {
        8080
    }

    pub fn encrypted(&self) -> bool {
        false
    }

    pub fn bytes_read(&self) -> u64 {
        0
    }

    pub fn bytes_written(&self) -> u64 {
        self.0.with_tunnel(|tunnel| Ok(tunnel.written.len() as u64)).unwrap_or_default()
    }

    pub fn exchanges(&self) -> u64 {
        1
    }

    pub fn set_timeout(&self, _milliseconds: u32) {}

    pub fn set_no_delay(&self, _enable: bool) -> Done {
        self.alive()
    }

    pub fn set_keep_alive(&self, _enable: bool, _initial_delay_milliseconds: u32) -> Done {
        self.alive()
    }

    fn alive(&self) -> Done {
        if self.0.is_destroyed() { Err(ErrorCode::Destroyed) } else { Ok(()) }
    }

    pub fn read(&self, max: u32) -> Done<Option<Vec<u8>>> {
        let max = read_size(max)?;
        Ok(self.0.with_tunnel(|tunnel| tunnel.read(max))?)
    }

    pub fn write(&self, bytes: &[u8]) -> Done {
        Ok(self.0.with_tunnel(|tunnel| tunnel.write(bytes))?)
    }

    pub fn try_write(&self, bytes: &[u8]) -> Done<bool> {
        self.write(bytes)?;
        Ok(false)
    }

    pub fn flush(&self) -> Done {
        Ok(self.0.with_tunnel(|_| Ok(()))?)
    }

    pub fn end(&self, bytes: Option<&[u8]>) -> Done {
        Ok(self.0.with_tunnel(|tunnel| match bytes {
            None if tunnel.ended => Err(Refused::AlreadyFinished),
            bytes => {
                tunnel.write(bytes.unwrap_or_default())?;
                tunnel.ended = true;
                Ok(())
            }
        })?)
    }

    pub fn subscribe(&self) -> Pollable {
        Pollable::ready()
    }

    pub fn subscribe_writable(&self) -> Pollable {
        Pollable::ready()
    }

    pub fn destroy(&self) {
        self.0.destroy();
    }

    pub fn destroy_soon(&self, _grace_milliseconds: u32) {}

    handles!();
}
