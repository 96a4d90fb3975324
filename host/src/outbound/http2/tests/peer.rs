//! A server that speaks HTTP/2 in single frames, for what no well-behaved one
//! says, and to see what the wire saw.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

pub const NO_ERROR: u32 = 0;
pub const INTERNAL_ERROR: u32 = 2;
pub const REFUSED_STREAM: u32 = 7;
pub const CANCEL: u32 = 8;

/// `:status: 200` (RFC 7541, appendix A).
pub const STATUS_200: &[u8] = &[0x88];

#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

pub struct Peer(pub TcpStream);

impl Peer {
    /// Takes a connection and the client's preface, and says these settings.
    pub async fn accept(listener: &TcpListener, settings: &[u8]) -> Self {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut peer = Peer(stream);
        peer.send(SETTINGS, 0, 0, settings).await;
        peer
    }

    /// The next frame but settings, which it acknowledges; none at the end.
    pub async fn any(&mut self) -> Option<Frame> {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).await.ok()?;
            let [a, b, c, kind, flags, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.0.read_exact(&mut payload).await.ok()?;
            match kind {
                SETTINGS if flags & ACK == 0 => self.send(SETTINGS, ACK, 0, &[]).await,
                SETTINGS => {}
                _ => return Some(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload }),
            }
        }
    }

    /// The next frame of this kind; those before it are passed over.
    pub async fn next(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.any().await.expect("the connection is open");
            if frame.kind == kind {
                return frame;
            }
        }
    }

    pub async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await.unwrap();
    }

    pub async fn reset(&mut self, stream: u32, reason: u32) {
        self.send(RST_STREAM, 0, stream, &reason.to_be_bytes()).await;
    }

    pub async fn go_away(&mut self, last: u32, reason: u32) {
        self.send(GOAWAY, 0, 0, &[last.to_be_bytes(), reason.to_be_bytes()].concat()).await;
    }

    /// Returns once the client has read all that was sent so far.
    pub async fn settle(&mut self) -> Vec<Frame> {
        self.send(PING, 0, 0, b"01234567").await;
        let mut before = Vec::new();
        loop {
            match self.any().await.expect("the connection is open") {
                frame if frame.kind == PING && frame.flags & ACK != 0 => return before,
                frame => before.push(frame),
            }
        }
    }
}

/// A header line as it is written without any compression.
pub fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut line = vec![0];
    for text in [name, value] {
        assert!(text.len() < 127, "a length of one byte");
        line.push(text.len() as u8);
        line.extend(text.as_bytes());
    }
    line
}

/// Any status.
pub fn status(code: &str) -> Vec<u8> {
    [&[0x08, code.len() as u8][..], code.as_bytes()].concat()
}
