//! What a client sent where a good request should have been, for whoever words
//! the answer.

use crate::wire::error::ClientFault;
use crate::wire::http1::head::good_bytes;

/// Bytes that are kept of what was received: what a head may have, by default.
const PACKET_BYTES_MAX: usize = 16 * 1024;

/// A request, or a body, that the host does not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong with it.
    pub fault: ClientFault,
    /// What was received of it, and not used; no more than 16 KiB.
    pub packet: Vec<u8>,
    of_head: bool,
}

impl Refusal {
    /// A head that is none; `received` begins with it.
    pub fn of_head(fault: ClientFault, received: &[u8]) -> Self {
        Refusal { fault, packet: packet(received), of_head: true }
    }

    /// A body that breaks; `received` begins where it does.
    pub fn of_body(fault: ClientFault, received: &[u8]) -> Self {
        Refusal { fault, packet: packet(received), of_head: false }
    }

    /// How many bytes of the packet were good. Looks at each line again, so it
    /// is for whoever wants to tell.
    pub fn good_bytes(&self) -> usize {
        if self.of_head { good_bytes(&self.packet) } else { 0 }
    }
}

fn packet(received: &[u8]) -> Vec<u8> {
    received.get(..PACKET_BYTES_MAX).unwrap_or(received).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good(received: &[u8]) -> usize {
        Refusal::of_head(ClientFault::Malformed("x"), received).good_bytes()
    }

    #[test]
    fn good_lines_are_counted_to_the_first_bad_one() {
        assert_eq!(good(b"Oopsie-doopsie\r\n\r\n"), 0);
        assert_eq!(good(b""), 0);
        assert_eq!(good(b"GET / HTTP/1.1\r\nHost: x\r\n b: c\r\nD: e\r\n\r\n"), 25);
        assert_eq!(good(b"GET / HTTP/1.1\r\nHo"), 16);
        // All lines are good; together they are not.
        assert_eq!(good(b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"), 36);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let long = vec![b'a'; PACKET_BYTES_MAX + 1];
        let refusal = Refusal::of_head(ClientFault::TargetTooLong, &long);
        assert_eq!(refusal.packet.len(), PACKET_BYTES_MAX);
        assert_eq!(Refusal::of_body(ClientFault::BodyTooLarge, &long).packet.len(), PACKET_BYTES_MAX);
    }
}
