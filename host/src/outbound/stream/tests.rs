use std::future::poll_fn;

use bytes::BytesMut;
use innkeeper_harness::tls::{Acceptor, Authority, Files};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_rustls::{TlsAcceptor, server};

use super::*;
use crate::config::{OutboundTls, PemFile};
use crate::outbound::connect::Alpn;
use crate::outbound::origin::Host;
use crate::outbound::tls::{Roots, TlsIdentity};

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

async fn plain() -> (Stream, TcpStream) {
    let (client, server) = tcp().await;
    (Stream::plain(client).unwrap(), server)
}

async fn tls() -> (Stream, server::TlsStream<TcpStream>) {
    let authority = Authority::new("an authority").unwrap();
    let identity = authority.certify(&["a.example"]).unwrap();
    let acceptor = TlsAcceptor::from(Acceptor::new(&identity, &[]).unwrap().config());
    let files = Files::new().unwrap();
    let roots = PemFile::read(files.write("ca.pem", &authority.pem()).unwrap()).unwrap();
    let identity = TlsIdentity::new(&Roots::new(Some(&roots)).unwrap(), &OutboundTls::default()).unwrap();
    let (client, server) = tcp().await;
    let host = Host::Name("a.example".to_owned());
    let (client, server) =
        tokio::join!(identity.handshake(client, &host, Alpn::Http1), acceptor.accept(server));
    (Stream::tls(client.unwrap().0).unwrap(), server.unwrap())
}

async fn read<B: Room>(stream: &mut Stream, into: &mut B, max: usize) -> io::Result<usize> {
    poll_fn(|cx| stream.poll_read(cx, into, max)).await
}

async fn write(stream: &mut Stream, slices: &[IoSlice<'_>]) -> usize {
    let count = poll_fn(|cx| stream.poll_write(cx, slices)).await.unwrap();
    poll_fn(|cx| stream.poll_flush(cx)).await.unwrap();
    count
}

/// Waits until something has arrived, be it a FIN or a reset, and leaves it
/// there.
async fn arrival(stream: &Stream) {
    let _ = stream.tcp().peek(&mut [0]).await;
}

/// Whether a read would wait.
async fn waits(stream: &mut Stream, into: &mut Vec<u8>) -> bool {
    poll_fn(|cx| Poll::Ready(stream.poll_read(cx, into, 16 * 1024).is_pending())).await
}

#[tokio::test]
async fn bytes_go_both_ways_and_are_counted() {
    let (mut stream, mut server) = plain().await;
    assert!(!stream.encrypted());
    assert_eq!((stream.peer(), stream.local()), (server.local_addr().unwrap(), server.peer_addr().unwrap()));
    both_ways(&mut stream, &mut server).await;
    let (mut stream, mut server) = tls().await;
    assert!(stream.encrypted());
    both_ways(&mut stream, &mut server).await;
}

async fn both_ways(stream: &mut Stream, server: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let slices = [IoSlice::new(b"GET "), IoSlice::new(b""), IoSlice::new(b"/ ")];
    assert_eq!(write(stream, &slices).await, 6);
    let mut asked = [0; 6];
    server.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"GET / ");

    server.write_all(b"abcdef").await.unwrap();
    server.flush().await.unwrap();
    let mut buffer = BytesMut::from("-");
    assert_eq!(read(stream, &mut buffer, 4).await.unwrap(), 4);
    assert_eq!(read(stream, &mut buffer, 4).await.unwrap(), 2);
    assert_eq!(buffer, "-abcdef");
    assert_eq!((stream.bytes_read(), stream.bytes_written()), (6, 6));
}

#[tokio::test]
async fn a_wait_holds_no_memory() {
    let ((plain, _plain_server), (tls, _tls_server)) = (plain().await, tls().await);
    for mut stream in [plain, tls] {
        let mut buffer = Vec::new();
        assert!(waits(&mut stream, &mut buffer).await);
        assert_eq!(buffer.capacity(), 0);
    }
}

#[tokio::test]
async fn memory_that_a_wait_had_is_given_back() {
    let (mut stream, mut server) = plain().await;
    server.write_all(&[7; 100]).await.unwrap();
    let mut buffer = Vec::new();
    // Full to the last byte, so that the system has to say once more that there
    // is nothing.
    assert_eq!(read(&mut stream, &mut buffer, 100).await.unwrap(), 100);
    buffer = Vec::new();
    assert!(waits(&mut stream, &mut buffer).await);
    assert_eq!(buffer.capacity(), 0);
}

#[tokio::test]
async fn the_end_is_told_in_both_directions() {
    let (mut stream, mut server) = plain().await;
    ends(&mut stream, &mut server).await;
    let (mut stream, mut server) = tls().await;
    ends(&mut stream, &mut server).await;
}

async fn ends(stream: &mut Stream, server: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    poll_fn(|cx| stream.poll_shutdown(cx)).await.unwrap();
    let mut rest = Vec::new();
    assert_eq!(server.read_to_end(&mut rest).await.unwrap(), 0);
    // Reading goes on.
    server.write_all(b"late").await.unwrap();
    server.shutdown().await.unwrap();
    let mut buffer = BytesMut::new();
    assert_eq!(read(stream, &mut buffer, 100).await.unwrap(), 4);
    assert_eq!(read(stream, &mut buffer, 100).await.unwrap(), 0);
    assert_eq!(read(stream, &mut buffer, 100).await.unwrap(), 0);
}

#[tokio::test]
async fn a_cut_is_no_end_of_tls() {
    let (mut stream, server) = tls().await;
    drop(server.into_inner().0);
    let error = read(&mut stream, &mut BytesMut::new(), 100).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_silent_connection_is_alive() {
    let (mut stream, mut server) = plain().await;
    assert!(stream.is_alive() && stream.is_alive());
    server.write_all(b"x").await.unwrap();
    arrival(&stream).await;
    assert!(!stream.is_alive());
    // Nothing was taken away.
    let mut buffer = BytesMut::new();
    assert_eq!(read(&mut stream, &mut buffer, 100).await.unwrap(), 1);
    assert!(stream.is_alive());
    server.shutdown().await.unwrap();
    arrival(&stream).await;
    assert!(!stream.is_alive());
}

#[tokio::test]
async fn a_connection_that_was_reset_is_not() {
    let (mut stream, server) = plain().await;
    SockRef::from(&server).set_linger(Some(Duration::ZERO)).unwrap();
    drop(server);
    arrival(&stream).await;
    assert!(!stream.is_alive());
}

#[tokio::test]
async fn session_tickets_are_no_sign_of_death() {
    let (mut stream, mut server) = tls().await;
    // The handshake of the client is over when the server sends its tickets.
    server.flush().await.unwrap();
    arrival(&stream).await;
    assert!(stream.is_alive() && stream.is_alive());
    server.write_all(b"x").await.unwrap();
    server.flush().await.unwrap();
    arrival(&stream).await;
    assert!(!stream.is_alive());
    let mut buffer = BytesMut::new();
    assert_eq!(read(&mut stream, &mut buffer, 100).await.unwrap(), 1);
    assert!(stream.is_alive());
    server.shutdown().await.unwrap();
    arrival(&stream).await;
    assert!(!stream.is_alive());
}

#[tokio::test]
async fn a_cut_connection_with_tls_is_not_alive() {
    let (mut stream, server) = tls().await;
    drop(server.into_inner().0);
    arrival(&stream).await;
    assert!(!stream.is_alive());
}

#[tokio::test]
async fn options_of_the_socket_are_set() {
    let (stream, _server) = plain().await;
    stream.set_no_delay(true).unwrap();
    assert!(stream.tcp().nodelay().unwrap());
    stream.set_no_delay(false).unwrap();
    assert!(!stream.tcp().nodelay().unwrap());
    let socket = SockRef::from(stream.tcp());
    stream.set_keep_alive(true, Duration::from_millis(90_500)).unwrap();
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(90));
    stream.set_keep_alive(true, Duration::from_millis(1)).unwrap();
    assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(1));
    stream.set_keep_alive(false, Duration::ZERO).unwrap();
    assert!(!socket.keepalive().unwrap());
}

#[tokio::test]
async fn others_read_and_write_it_too() {
    let (mut stream, mut server) = tls().await;
    let sent = vec![7; 300_000];
    let copying = async {
        stream.write_all(&sent).await.unwrap();
        stream.flush().await.unwrap();
        let mut back = vec![0; sent.len()];
        stream.read_exact(&mut back).await.unwrap();
        assert_eq!(back, sent);
    };
    let echoing = async {
        let mut asked = vec![0; sent.len()];
        server.read_exact(&mut asked).await.unwrap();
        server.write_all(&asked).await.unwrap();
        server.flush().await.unwrap();
    };
    tokio::join!(copying, echoing);
    assert_eq!((stream.bytes_read(), stream.bytes_written()), (300_000, 300_000));
}
