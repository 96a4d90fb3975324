//! A response whose bytes are not ours: the output of a tunnel, and answers
//! that a guest has worded whole. They go out as they are.

use crate::wire::error::MessageError;
use crate::wire::http1::response::{Phase, Response};
use crate::wire::http1::response_head::Framing;

impl Response {
    /// Leaves all bytes to the guest from here on: no head, no framing. What is
    /// written goes out as it is, and the connection closes after it.
    pub fn begin_raw(&mut self) {
        self.phase = Phase::Fixed;
        self.framing = Framing::Close;
        self.keep_alive = false;
        // Nor after an answer of the host's own in its place.
        self.context.keep_alive = false;
        // Until the guest has written one.
        self.status = 0;
    }

    /// Puts these bytes in place of whatever was set and not sent; no more can
    /// be written. The caller has checked [`Response::is_unsent`].
    pub fn replace_raw(&mut self, bytes: Vec<u8>) {
        *self = Response::new(self.context.clone());
        self.begin_raw();
        self.status = status_in(&bytes).unwrap_or_default();
        let ended = self.end(Some(bytes));
        debug_assert_eq!(ended, Ok(()), "nothing was written before");
    }

    /// Forgets what was set and not sent, and gives the response up; another
    /// can still be put in its place. The caller has checked
    /// [`Response::is_unsent`].
    pub fn withdraw(&mut self, error: MessageError) {
        *self = Response::new(self.context.clone());
        self.fail(error, true);
    }
}

/// The status in a head that a guest wrote itself, for the log.
pub fn status_in(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"HTTP/1.1 ").or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?.get(..3)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::status_in;

    #[test]
    fn the_status_is_read_from_a_head_and_nothing_else() {
        assert_eq!(status_in(b"HTTP/1.1 101 Switching Protocols\r\n"), Some(101));
        assert_eq!(status_in(b"HTTP/1.0 200"), Some(200));
        for other in [&b"HTTP/1.1 "[..], b"HTTP/1.1 2x0 OK", b"SSH-2.0", b""] {
            assert_eq!(status_in(other), None);
        }
    }
}
