//! `examples/websocket-echo` against a client library of other make than the
//! one it uses itself.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use innkeeper_harness::server::{Running, Server};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::time::timeout;
use tokio_websockets::{ClientBuilder, CloseCode, Config, Limits, Message, WebSocketStream};

/// For all of a conversation: the machine may have much else to do.
const WITHIN: Duration = Duration::from_secs(120);

/// Larger than any message here.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

type WebSocket = WebSocketStream<TcpStream>;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { timeout(WITHIN, work).await }).expect("the conversation is over in time")
}

async fn connect(server: &Running, config: Config) -> WebSocket {
    let stream = TcpStream::connect(server.addr()).await.expect("the server listens");
    let builder = ClientBuilder::new().uri(&format!("ws://{}/", server.addr())).expect("an address");
    let builder = builder.config(config).limits(Limits::default().max_payload_len(Some(MESSAGE_BYTES_MAX)));
    let (socket, response) = builder.connect_on(stream).await.expect("the server speaks WebSocket");
    assert_eq!(response.status().as_u16(), 101);
    socket
}

/// A message of a conversation: most are small, every border between two forms
/// of a frame is there, and some are large.
fn message(number: u32) -> Message {
    const SIZES: &[usize] = &[0, 1, 2, 5, 17, 60, 124, 125, 126, 127, 300, 1000, 4096];
    const LARGE: &[usize] = &[65_535, 65_536, 100_000, 1 << 20];
    let pick = |sizes: &[usize]| sizes.get(number as usize % sizes.len()).copied().unwrap_or_default();
    let size = if number % 250 == 249 { pick(LARGE) } else { pick(SIZES) };
    // Other bytes in each message, and no text cut inside a char.
    let bytes = (0..size).map(|at| (number.wrapping_mul(31).wrapping_add(at as u32 * 7) % 251) as u8);
    if number.is_multiple_of(2) {
        Message::binary(bytes.collect::<Vec<u8>>())
    } else {
        Message::text(bytes.map(|byte| char::from(b' ' + byte % 95)).collect::<String>())
    }
}

/// What is left of a conversation when all is said: the order, the kind and
/// the bytes of its messages.
#[derive(Default)]
struct Digest {
    messages: u32,
    bytes: u64,
    hash: DefaultHasher,
}

impl Digest {
    fn add(&mut self, message: &Message) {
        self.messages += 1;
        self.bytes += message.as_payload().len() as u64;
        (message.is_text(), &message.as_payload()[..]).hash(&mut self.hash);
    }

    fn finish(&self) -> (u32, u64, u64) {
        (self.messages, self.bytes, self.hash.finish())
    }
}

/// Says `count` messages while it hears as many, and compares.
async fn converse(socket: WebSocket, count: u32) {
    let (mut sink, mut stream) = socket.split();
    let say = async {
        let mut said = Digest::default();
        for message in (0..count).map(message) {
            said.add(&message);
            sink.feed(message).await.expect("the server takes it");
        }
        sink.flush().await.expect("the server takes it");
        said
    };
    let hear = async {
        let mut heard = Digest::default();
        while heard.messages < count {
            heard.add(&stream.next().await.expect("the server goes on").expect("it speaks WebSocket"));
        }
        heard
    };
    let (said, heard) = tokio::join!(say, hear);
    assert_eq!(heard.finish(), said.finish());
    let mut socket = sink.reunite(stream).expect("they belong together");
    close(&mut socket).await;
}

/// Closes, and sees the server close.
async fn close(socket: &mut WebSocket) {
    socket.send(Message::close(Some(CloseCode::NORMAL_CLOSURE), "")).await.expect("the server takes it");
    let answer = socket.next().await.expect("it answers").expect("it speaks WebSocket");
    assert_eq!(answer.as_close().map(|(code, _)| code), Some(CloseCode::NORMAL_CLOSURE));
    assert!(socket.next().await.is_none());
}

#[test]
fn ten_thousand_messages_both_ways() {
    let server = Server::of("websocket-echo").start();
    block_on(async { converse(connect(&server, Config::default()).await, 10_000).await });
}

#[test]
fn messages_in_many_frames() {
    let server = Server::of("websocket-echo").start();
    block_on(async { converse(connect(&server, Config::default().frame_size(1000)).await, 500).await });
}

#[test]
fn conversations_side_by_side() {
    let server = Server::of("websocket-echo").start();
    block_on(async {
        let each = (0..8).map(|_| async { converse(connect(&server, Config::default()).await, 300).await });
        futures_util::future::join_all(each).await;
    });
}

#[test]
fn a_ping_is_answered() {
    let server = Server::of("websocket-echo").start();
    block_on(async {
        let mut socket = connect(&server, Config::default()).await;
        socket.send(Message::ping("are you there")).await.expect("the server takes it");
        let answer = socket.next().await.expect("it answers").expect("it speaks WebSocket");
        assert!(answer.is_pong());
        assert_eq!(&answer.as_payload()[..], b"are you there");
        close(&mut socket).await;
    });
}
