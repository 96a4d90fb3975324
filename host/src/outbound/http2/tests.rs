mod peer;

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http2 as server;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioExecutor;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::failure::NOT_HTTP2_OR_LARGE;
use super::*;
use crate::outbound::draft::{DraftLimits, Opening};
use crate::outbound::http1::head::ResponseHead;
use crate::wire::http1::fields::{FieldLimits, Line};
use peer::*;

const HEAD: HeadLimits = HeadLimits { bytes_max: 1_000, count_max: 20 };
const BODY_MAX: u64 = 64 * 1024 * 1024;
const MIB: usize = 1024 * 1024;

fn draft(method: &str, path: &str, headers: &[(&str, &str)]) -> Draft {
    let limits = DraftLimits {
        fields: FieldLimits { bytes_max: 10_000, lines_max: 100 },
        buffer_bytes_max: 64 * MIB,
        body_bytes_max: BODY_MAX,
    };
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
    let opening = Opening {
        method: method.to_owned(),
        origin: origin(),
        path: path.to_owned(),
        headers: headers.collect(),
        auth: None,
    };
    Draft::new(opening, limits).unwrap()
}

/// One that is ended.
fn whole(method: &str, body: Option<&[u8]>) -> Draft {
    let mut draft = draft(method, "/", &[]);
    draft.end(body.map(<[u8]>::to_vec)).unwrap();
    draft
}

fn origin() -> Origin {
    Origin::parse("http", "a.example:8080").unwrap()
}

fn begin(http2: &Http2, draft: &mut Draft) -> Http2Exchange {
    let mut exchange = http2.begin(draft, &origin()).unwrap();
    put(&mut exchange, draft);
    exchange
}

fn put(exchange: &mut Http2Exchange, draft: &mut Draft) {
    exchange.put(draft);
    if draft.is_ended() {
        exchange.put_end(draft);
    }
}

/// As a guest's task drives it.
async fn answer(exchange: &mut Http2Exchange, method: &str) -> Result<ResponseHead, OutboundError> {
    poll_fn(|cx| {
        let mut moved = false;
        let _ = exchange.poll_flush(cx, &mut moved);
        exchange.poll_head(cx, method, HEAD, BODY_MAX)
    })
    .await
}

async fn read(exchange: &mut Http2Exchange, max: usize) -> Result<Vec<u8>, OutboundError> {
    let mut piece = Vec::new();
    poll_fn(|cx| {
        let mut moved = false;
        let _ = exchange.poll_flush(cx, &mut moved);
        exchange.poll_read(cx, &mut piece, max)
    })
    .await?;
    assert!(piece.len() <= max);
    Ok(piece)
}

async fn read_all(exchange: &mut Http2Exchange) -> Result<Vec<u8>, OutboundError> {
    let mut body = Vec::new();
    loop {
        let piece = read(exchange, 10_000).await?;
        if piece.is_empty() {
            return Ok(body);
        }
        body.extend(piece);
    }
}

/// Sends what is put, and answers whether the server took all of it.
async fn flush(exchange: &mut Http2Exchange) -> bool {
    poll_fn(|cx| exchange.poll_flush(cx, &mut false)).await.is_ok()
}

/// What hyper takes of it now.
async fn send_some(exchange: &mut Http2Exchange) {
    let _ = poll_fn(|cx| Poll::Ready(exchange.poll_flush(cx, &mut false).map(|_| ()))).await;
}

async fn listener() -> (TcpListener, Stream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (listener, Stream::plain(stream).unwrap())
}

/// A connection, and the server that it goes to.
async fn connected() -> (Http2, Peer) {
    connected_to(&[]).await
}

async fn connected_to(settings: &[u8]) -> (Http2, Peer) {
    let (listener, stream) = listener().await;
    let (http2, peer) = tokio::join!(Http2::handshake(stream, HEAD), Peer::accept(&listener, settings));
    (http2.unwrap(), peer)
}

type Sent = Response<BoxBody<Bytes, Infallible>>;

/// Serves with hyper while the client runs, which has to come to an end.
async fn serving<F, C, T>(handler: impl Fn(Request<Incoming>) -> F, client: impl FnOnce(Http2) -> C) -> T
where
    F: Future<Output = Sent> + Send + 'static,
    C: Future<Output = T>,
{
    let (listener, stream) = listener().await;
    let service = service_fn(|request| {
        let answered = handler(request);
        async { Ok::<_, Infallible>(answered.await) }
    });
    let serving = async {
        let (socket, _) = listener.accept().await.unwrap();
        let builder = server::Builder::new(TokioExecutor::new());
        builder.serve_connection(TokioIo::new(socket), service).await.unwrap();
    };
    let client = async { client(Http2::handshake(stream, HEAD).await.unwrap()).await };
    let both = async { tokio::join!(serving, client).1 };
    within(both).await
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future).await.expect("it takes no 20 seconds")
}

fn full(body: &'static str) -> Sent {
    Response::new(Full::from(body).boxed())
}

fn lines(pairs: &[(&str, &str)]) -> Vec<Line> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 7 % 251) as u8).collect()
}

#[tokio::test]
async fn a_request_loses_what_is_of_http1_only() {
    let seen = Arc::new(Mutex::new(None));
    let handler = {
        let seen = seen.clone();
        move |request: Request<Incoming>| {
            *seen.lock() = Some(request.into_parts().0);
            async { full("") }
        }
    };
    serving(handler, |http2| async move {
        let mut draft = draft(
            "POST",
            "/a?b",
            &[
                ("X-First", "1"),
                ("Host", "b.example"),
                ("Connection", "keep-alive, X-Hop"),
                ("Keep-Alive", "timeout=5"),
                ("Proxy-Connection", "close"),
                ("X-Hop", "gone"),
                ("Upgrade", "h2c"),
                ("TE", "gzip, trailers"),
                ("Cookie", "a=1"),
                ("Cookie", "b=2"),
                ("X-First", "2"),
            ],
        );
        draft.end(Some(b"body".to_vec())).unwrap();
        let mut exchange = begin(&http2, &mut draft);
        answer(&mut exchange, "POST").await.unwrap();
        assert!(exchange.is_complete());
    })
    .await;
    let seen = seen.lock().take().unwrap();
    assert_eq!(seen.uri.to_string(), "http://b.example/a?b");
    let names: Vec<_> =
        seen.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(
        names,
        [
            ("x-first", "1"),
            ("x-first", "2"),
            ("te", "trailers"),
            ("cookie", "a=1; b=2"),
            ("content-length", "4"),
        ]
    );
}

#[tokio::test]
async fn what_has_no_place_in_http2_is_refused() {
    let (http2, _peer) = connected().await;
    for (method, path, headers) in [
        ("CONNECT", "a:1", &[][..]),
        ("GET", "/a#b", &[]),
        ("GET", "a", &[]),
        ("GET", "/", &[("Host", "user@a")]),
        ("GET", "/", &[("Host", "a b")]),
    ] {
        let mut draft = draft(method, path, headers);
        draft.end(None).unwrap();
        let error = http2.begin(&draft, &origin()).unwrap_err();
        assert!(matches!(error, OutboundError::Message(_)), "{method} {path} {headers:?}: {error:?}");
    }
    assert!(http2.is_idle());
    assert_eq!(http2.requests(), 0);
}

#[tokio::test]
async fn a_get_ends_with_its_head() {
    let (http2, mut peer) = connected().await;
    let mut get = begin(&http2, &mut whole("GET", None));
    send_some(&mut get).await;
    let frame = peer.next(HEADERS).await;
    assert_eq!((frame.flags, frame.stream), (END_STREAM | END_HEADERS, 1));
    // Its values in their short form: GET, http, the authority, /.
    assert_eq!(&frame.payload[..2], &[0x82, 0x86]);
    assert!(!http2.is_idle());
    assert_eq!(http2.idle_for(), Duration::ZERO);

    let head = [STATUS_200, &literal("x-a", "1"), &literal("x-b", "2"), &literal("x-a", "3")].concat();
    peer.send(HEADERS, END_HEADERS, 1, &head).await;
    peer.send(DATA, END_STREAM, 1, b"hello").await;
    let head = answer(&mut get, "GET").await.unwrap();
    assert_eq!((head.status, head.reason.as_str(), head.version), (200, "", "2.0"));
    assert_eq!(head.lines, lines(&[("x-a", "1"), ("x-a", "3"), ("x-b", "2")]));
    assert_eq!(read(&mut get, 3).await.unwrap(), b"hel");
    assert!(!get.is_complete());
    assert_eq!(read(&mut get, 3).await.unwrap(), b"lo");
    assert!(get.is_complete(), "nobody has to read the end");
    assert_eq!((read(&mut get, 3).await.unwrap().len(), get.received()), (0, 5));
    drop(get);
    assert!(http2.is_idle());
    assert_eq!(peer.settle().await.iter().filter(|frame| frame.kind == RST_STREAM).count(), 0);
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let echo = |request: Request<Incoming>| async {
        let body = request.into_body().map_err(|error| panic!("{error}"));
        Response::new(body.boxed())
    };
    serving(echo, |http2| async move {
        let sent = pattern(5 * MIB);
        let mut draft = draft("POST", "/", &[]);
        let mut pieces = sent.chunks(50_000);
        let (mut exchange, mut received) = (None, Vec::new());
        loop {
            let piece = pieces.next();
            match piece {
                Some(piece) => draft.write(piece.to_vec(), false, 0).unwrap(),
                None => draft.end(None).unwrap(),
            }
            let exchange = exchange.get_or_insert_with(|| begin(&http2, &mut draft));
            put(exchange, &mut draft);
            if piece.is_none() {
                break;
            }
            // The server sends nothing more until it is read.
            while exchange.unsent() > 100_000 {
                if received.is_empty() {
                    assert_eq!(answer(exchange, "POST").await.unwrap().status, 200);
                }
                received.extend(read(exchange, 10_000).await.unwrap());
            }
        }
        let mut exchange = exchange.unwrap();
        received.extend(read_all(&mut exchange).await.unwrap());
        assert!(received == sent, "what was sent comes back");
        assert!(exchange.is_complete());
        assert_eq!((exchange.unsent(), exchange.received()), (0, sent.len() as u64));
    })
    .await;
}

#[tokio::test]
async fn a_server_that_takes_nothing_holds_the_request_up() {
    let (http2, mut peer) = connected().await;
    let mut post = begin(&http2, &mut whole("POST", Some(&pattern(MIB))));
    send_some(&mut post).await;
    let mut came = 0;
    // What a server lets come that says nothing (RFC 9113 6.9.2).
    while came < 65_535 {
        came += peer.next(DATA).await.payload.len();
    }
    assert_eq!(came, 65_535);
    let further = peer.settle().await;
    assert!(further.iter().all(|frame| frame.kind != DATA), "{further:?}");
    let held = MIB - post.unsent() - came;
    assert!(held <= SEND_BYTES_MAX + 16 * 1024, "hyper holds {held}");

    for stream in [0, 1] {
        peer.send(WINDOW_UPDATE, 0, stream, &(MIB as u32).to_be_bytes()).await;
    }
    let (_, came) = tokio::join!(flush(&mut post), async {
        loop {
            let frame = peer.next(DATA).await;
            came += frame.payload.len();
            if frame.flags & END_STREAM != 0 {
                return came;
            }
        }
    });
    assert_eq!((came, post.unsent()), (MIB, 0));
}

#[tokio::test]
async fn a_guest_that_reads_nothing_holds_the_response_up() {
    let (http2, mut peer) = connected().await;
    let mut get = begin(&http2, &mut whole("GET", None));
    send_some(&mut get).await;
    peer.next(HEADERS).await;
    peer.send(HEADERS, END_HEADERS, 1, STATUS_200).await;
    answer(&mut get, "GET").await.unwrap();
    for _ in 0..STREAM_WINDOW / 16_384 {
        peer.send(DATA, 0, 1, &[b'x'; 16_384]).await;
    }
    let before = peer.settle().await;
    assert!(before.iter().all(|frame| frame.stream != 1), "it may send no more: {before:?}");
    let mut body = 0;
    while body < STREAM_WINDOW as usize {
        body += read(&mut get, 10_000).await.unwrap().len();
    }
    let after = peer.settle().await;
    assert!(after.iter().any(|frame| (frame.kind, frame.stream) == (WINDOW_UPDATE, 1)), "{after:?}");
}

#[tokio::test]
async fn trailers_go_both_ways() {
    let handler = |request: Request<Incoming>| async {
        let collected = request.into_body().collect().await.unwrap();
        let mut trailers = collected.trailers().cloned().unwrap_or_default();
        trailers.insert("x-from", "server".parse().unwrap());
        let frames = [Frame::data(collected.to_bytes()), Frame::trailers(trailers)];
        let frames = tokio_stream::iter(frames.map(Ok::<_, Infallible>));
        Response::new(StreamBody::new(frames).boxed())
    };
    serving(handler, |http2| async move {
        let mut draft = draft("POST", "/", &[]);
        draft.write(b"data".to_vec(), false, 0).unwrap();
        draft.add_trailers(lines(&[("X-Sum", "1"), ("Proxy-Connection", "x")])).unwrap();
        draft.end(None).unwrap();
        let mut exchange = begin(&http2, &mut draft);
        answer(&mut exchange, "POST").await.unwrap();
        assert_eq!(exchange.trailers(), []);
        assert_eq!(read_all(&mut exchange).await.unwrap(), b"data");
        assert_eq!(exchange.trailers(), lines(&[("x-sum", "1"), ("x-from", "server")]));
    })
    .await;
}

#[tokio::test]
async fn requests_share_a_connection() {
    let connections = |http2: Http2| async move {
        let mut gets: Vec<_> = (0..250)
            .map(|number| {
                let mut draft = draft("GET", &format!("/{number}"), &[]);
                draft.end(None).unwrap();
                begin(&http2, &mut draft)
            })
            .collect();
        // The last first: they do not wait for each other.
        for get in &mut gets {
            send_some(get).await;
        }
        for (number, get) in gets.iter_mut().enumerate().rev() {
            assert_eq!(answer(get, "GET").await.unwrap().status, 200);
            assert_eq!(read_all(get).await.unwrap(), format!("/{number}").into_bytes());
        }
        assert!(!http2.is_idle());
        drop(gets);
        assert!(http2.is_idle() && http2.is_alive());
        assert_eq!(http2.requests(), 250);
    };
    let handler = |request: Request<Incoming>| async move {
        Response::new(Full::from(request.uri().path().to_owned()).boxed())
    };
    // It ends although the server closes nothing: the client does.
    serving(handler, connections).await;
}

#[tokio::test]
async fn the_last_exchange_keeps_a_connection_that_nobody_has() {
    let (http2, mut peer) = connected().await;
    let mut get = begin(&http2, &mut whole("GET", None));
    drop(http2);
    send_some(&mut get).await;
    peer.next(HEADERS).await;
    peer.send(HEADERS, END_HEADERS | END_STREAM, 1, STATUS_200).await;
    assert_eq!(answer(&mut get, "GET").await.unwrap().status, 200);
    drop(get);
    assert_eq!(within(peer.next(GOAWAY)).await.payload[4..8], NO_ERROR.to_be_bytes());
    assert_eq!(within(peer.any()).await, None);
}

#[tokio::test]
async fn responses_without_a_body_have_none() {
    let (http2, mut peer) = connected().await;
    for (number, method, code) in [(1, "HEAD", "200"), (3, "GET", "204"), (5, "GET", "304")] {
        let mut exchange = begin(&http2, &mut whole(method, None));
        send_some(&mut exchange).await;
        assert_eq!(peer.next(HEADERS).await.stream, number);
        let mut head = status(code);
        if code != "204" {
            // More than a body may have, but there is none.
            head.extend(literal("content-length", "99999999999"));
        }
        peer.send(HEADERS, END_HEADERS | END_STREAM, number, &head).await;
        let head = answer(&mut exchange, method).await.unwrap();
        assert_eq!(head.status.to_string(), code);
        assert!(exchange.is_complete());
        assert_eq!(read(&mut exchange, 10).await.unwrap(), b"");
    }
}

#[tokio::test]
async fn interim_responses_are_passed_over() {
    let (http2, mut peer) = connected().await;
    let mut get = begin(&http2, &mut whole("GET", None));
    send_some(&mut get).await;
    peer.next(HEADERS).await;
    for code in ["100", "103", "103"] {
        peer.send(HEADERS, END_HEADERS, 1, &status(code)).await;
    }
    peer.send(HEADERS, END_HEADERS | END_STREAM, 1, STATUS_200).await;
    assert_eq!(answer(&mut get, "GET").await.unwrap().status, 200);
}

/// What a guest is told when this comes after the head of its request, of
/// limits that it may not exceed.
async fn refused(frames: &[(u8, u8, &[u8])]) -> OutboundError {
    let (http2, mut peer) = connected().await;
    let mut get = begin(&http2, &mut whole("GET", None));
    send_some(&mut get).await;
    peer.next(HEADERS).await;
    for (kind, flags, payload) in frames {
        peer.send(*kind, *flags, 1, payload).await;
    }
    let error = match within(poll_fn(|cx| get.poll_head(cx, "GET", HEAD, 10))).await {
        Err(error) => error,
        Ok(_) => within(read_all(&mut get)).await.unwrap_err(),
    };
    assert_eq!(get.take_replay("GET"), None);
    assert!(!get.is_complete());
    drop(get);
    // The next one has a stream of its own.
    assert!(http2.is_alive(), "{frames:?} {error}");
    error
}

#[tokio::test]
async fn a_response_keeps_to_the_limits() {
    let limit = OutboundError::Limit;
    let head = |lines: Vec<Vec<u8>>| [STATUS_200.to_vec(), lines.concat()].concat();
    let long = head(vec![literal("content-length", "11")]);
    let body = limit("outbound_response_body_bytes_max");
    assert_eq!(refused(&[(HEADERS, END_HEADERS, &long)]).await, body);
    let stream = [(HEADERS, END_HEADERS, STATUS_200), (DATA, 0, b"123456"), (DATA, 0, b"78901")];
    assert_eq!(refused(&stream).await, body);
    let many = head(vec![literal("a", "b"); 21]);
    assert_eq!(refused(&[(HEADERS, END_HEADERS, &many)]).await, limit("outbound_header_count_max"));
    let value = "x".repeat(120);
    for (lines, error) in
        [(9, limit("outbound_head_bytes_max")), (30, OutboundError::Parse(NOT_HTTP2_OR_LARGE))]
    {
        let large = head(vec![literal("a", &value); lines]);
        assert_eq!(refused(&[(HEADERS, END_HEADERS, &large)]).await, error);
    }
    let trailers = vec![literal("a", "b"); 21].concat();
    let frames =
        [(HEADERS, END_HEADERS, STATUS_200), (HEADERS, END_HEADERS | END_STREAM, trailers.as_slice())];
    assert_eq!(refused(&frames).await, limit("outbound_header_count_max"));
}

#[tokio::test]
async fn a_response_that_is_none_is_told_from_a_hang_up() {
    let parse = OutboundError::Parse(NOT_HTTP2_OR_LARGE);
    let connection = [STATUS_200, &literal("connection", "close")].concat();
    let short = [STATUS_200, &literal("content-length", "9")].concat();
    for frames in [
        &[(HEADERS, END_HEADERS, connection.as_slice())][..],
        &[(HEADERS, END_HEADERS, short.as_slice()), (DATA, END_STREAM, b"12345678")],
        &[(HEADERS, END_HEADERS, b"")],
    ] {
        assert_eq!(refused(frames).await, parse, "{frames:?}");
    }
    // Cut without an end, whatever the reason says.
    for reason in [NO_ERROR, INTERNAL_ERROR, CANCEL] {
        let reason = reason.to_be_bytes();
        let frames =
            [(HEADERS, END_HEADERS, STATUS_200), (DATA, 0, &b"12345"[..]), (RST_STREAM, 0, &reason[..])];
        assert_eq!(refused(&frames).await, OutboundError::HangUp);
        assert_eq!(refused(&frames[2..]).await, OutboundError::HangUp);
    }
}

#[tokio::test]
async fn a_server_may_answer_before_it_has_the_request() {
    let (http2, mut peer) = connected().await;
    let mut draft = draft("POST", "/", &[]);
    draft.write(pattern(MIB), false, 0).unwrap();
    let mut post = begin(&http2, &mut draft);
    send_some(&mut post).await;
    peer.next(DATA).await;
    peer.send(HEADERS, END_HEADERS, 1, &status("413")).await;
    peer.send(DATA, END_STREAM, 1, b"too much").await;
    peer.reset(1, NO_ERROR).await;
    assert!(!within(flush(&mut post)).await, "it takes nothing more");
    post.forget_unsent();
    assert_eq!(post.unsent(), 0);
    assert_eq!(post.take_replay("POST"), None);
    assert_eq!(answer(&mut post, "POST").await.unwrap().status, 413);
    assert_eq!(read_all(&mut post).await.unwrap(), b"too much");
    assert!(post.is_complete());
}

#[tokio::test]
async fn what_the_server_did_not_take_is_sent_again() {
    for refused in [true, false] {
        let (http2, mut peer) = connected().await;
        let mut post = begin(&http2, &mut whole("POST", Some(b"body")));
        send_some(&mut post).await;
        peer.next(DATA).await;
        match refused {
            true => peer.reset(1, REFUSED_STREAM).await,
            false => peer.go_away(0, NO_ERROR).await,
        }
        assert_eq!(within(answer(&mut post, "POST")).await, Err(OutboundError::HangUp));
        assert_eq!(post.take_replay("POST"), Some(vec![b"body".to_vec()]));
        assert_eq!(post.take_replay("POST"), None, "once");
        drop(post);
        assert_eq!(http2.is_alive(), refused, "a refused stream says nothing of the next");
    }
}

#[tokio::test]
async fn a_server_that_goes_finishes_what_it_took() {
    let (http2, mut peer) = connected().await;
    let mut first = begin(&http2, &mut whole("GET", None));
    let mut second = begin(&http2, &mut whole("POST", Some(b"2")));
    send_some(&mut first).await;
    send_some(&mut second).await;
    peer.next(DATA).await;
    peer.go_away(1, NO_ERROR).await;
    assert_eq!(within(answer(&mut second, "POST")).await, Err(OutboundError::HangUp));
    assert_eq!(second.take_replay("POST"), Some(vec![b"2".to_vec()]));
    assert!(!http2.is_alive());
    // One that nobody told of it: it never leaves.
    let mut third = begin(&http2, &mut whole("POST", Some(b"3")));
    assert_eq!(within(answer(&mut third, "POST")).await, Err(OutboundError::HangUp));
    assert_eq!(third.take_replay("POST"), Some(vec![b"3".to_vec()]));
    peer.send(HEADERS, END_HEADERS, 1, STATUS_200).await;
    peer.send(DATA, END_STREAM, 1, b"done").await;
    assert_eq!(within(answer(&mut first, "GET")).await.unwrap().status, 200);
    assert_eq!(read_all(&mut first).await.unwrap(), b"done");
}

#[tokio::test]
async fn a_connection_that_breaks_is_tried_again_where_that_is_safe() {
    // Whether it had served, with which method, and whether it is sent again.
    for (served, method, again) in
        [(false, "GET", false), (true, "GET", true), (true, "PUT", true), (true, "POST", false)]
    {
        let (http2, mut peer) = connected().await;
        if served {
            let mut first = begin(&http2, &mut whole("GET", None));
            send_some(&mut first).await;
            peer.next(HEADERS).await;
            peer.send(HEADERS, END_HEADERS | END_STREAM, 1, STATUS_200).await;
            answer(&mut first, "GET").await.unwrap();
        }
        let mut next = begin(&http2, &mut whole(method, None));
        send_some(&mut next).await;
        peer.next(HEADERS).await;
        peer.settle().await;
        drop(peer);
        assert_eq!(within(answer(&mut next, method)).await, Err(OutboundError::HangUp));
        assert_eq!(next.take_replay(method).is_some(), again, "{served} {method}");
        drop(next);
        while http2.is_alive() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn too_much_to_keep_is_not_sent_again() {
    let (http2, mut peer) = connected().await;
    let mut post = begin(&http2, &mut whole("POST", Some(&pattern(65 * 1024))));
    send_some(&mut post).await;
    peer.next(HEADERS).await;
    peer.reset(1, REFUSED_STREAM).await;
    assert_eq!(within(answer(&mut post, "POST")).await, Err(OutboundError::HangUp));
    assert_eq!(post.take_replay("POST"), None);
}

#[tokio::test]
async fn a_server_of_another_protocol_is_no_connection() {
    let (listener, stream) = listener().await;
    let peer = stream.peer();
    let (http2, accepted) = tokio::join!(Http2::handshake(stream, HEAD), listener.accept());
    let (http2, (mut socket, _)) = (http2.unwrap(), accepted.unwrap());
    let mut get = begin(&http2, &mut whole("GET", None));
    send_some(&mut get).await;
    socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    let expected = OutboundError::Connect(format!("{peer} does not speak HTTP/2"));
    assert_eq!(within(answer(&mut get, "GET")).await, Err(expected));
    assert_eq!(get.take_replay("GET"), None);
}

#[tokio::test]
async fn what_breaks_the_framing_breaks_the_connection() {
    let (http2, mut peer) = connected().await;
    let mut one = begin(&http2, &mut whole("GET", None));
    let mut other = begin(&http2, &mut whole("GET", None));
    send_some(&mut one).await;
    send_some(&mut other).await;
    peer.settle().await;
    peer.send(HEADERS, END_HEADERS, 1, &[STATUS_200, &literal("X-A", "1")].concat()).await;
    for exchange in [&mut one, &mut other] {
        let error = within(answer(exchange, "GET")).await.unwrap_err();
        assert_eq!(error, OutboundError::Parse(NOT_HTTP2_OR_LARGE));
        assert_eq!(exchange.take_replay("GET"), None);
    }
    assert!(!http2.is_alive());
}

#[tokio::test]
async fn an_exchange_that_is_dropped_is_reset() {
    let (http2, mut peer) = connected().await;
    // Never answered.
    let mut get = begin(&http2, &mut whole("GET", None));
    send_some(&mut get).await;
    peer.next(HEADERS).await;
    drop(get);
    let reset = within(peer.next(RST_STREAM)).await;
    assert_eq!((reset.stream, reset.payload), (1, CANCEL.to_be_bytes().to_vec()));

    // Not read to its end.
    let mut get = begin(&http2, &mut whole("GET", None));
    send_some(&mut get).await;
    peer.next(HEADERS).await;
    peer.send(HEADERS, END_HEADERS, 3, STATUS_200).await;
    peer.send(DATA, 0, 3, b"some").await;
    answer(&mut get, "GET").await.unwrap();
    drop(get);
    let reset = within(peer.next(RST_STREAM)).await;
    assert_eq!((reset.stream, reset.payload), (3, CANCEL.to_be_bytes().to_vec()));

    // Not sent to its end; with an answer that is complete, and without one.
    for (stream, answered) in [(5, true), (7, false)] {
        let mut draft = draft("POST", "/", &[]);
        draft.write(b"a".to_vec(), false, 0).unwrap();
        let mut post = begin(&http2, &mut draft);
        send_some(&mut post).await;
        peer.next(DATA).await;
        if answered {
            peer.send(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200).await;
            answer(&mut post, "POST").await.unwrap();
            assert!(post.is_complete());
        }
        drop(post);
        let reset = within(peer.next(RST_STREAM)).await;
        assert_eq!(reset.stream, stream);
        assert!(
            [CANCEL, INTERNAL_ERROR].map(|reason| reason.to_be_bytes().to_vec()).contains(&reset.payload)
        );
    }
    assert!(http2.is_idle() && http2.is_alive());
}

#[tokio::test]
async fn one_that_waits_for_its_turn_can_be_dropped() {
    // SETTINGS_MAX_CONCURRENT_STREAMS of 1.
    let (http2, mut peer) = connected_to(&[0, 3, 0, 0, 0, 1]).await;
    peer.settle().await;
    let mut first = begin(&http2, &mut whole("GET", None));
    let mut second = begin(&http2, &mut whole("GET", None));
    let mut third = begin(&http2, &mut whole("GET", None));
    for exchange in [&mut first, &mut second, &mut third] {
        send_some(exchange).await;
    }
    assert_eq!(peer.next(HEADERS).await.stream, 1);
    assert!(peer.settle().await.iter().all(|frame| frame.kind != HEADERS));
    drop(second);
    peer.send(HEADERS, END_HEADERS | END_STREAM, 1, STATUS_200).await;
    answer(&mut first, "GET").await.unwrap();
    drop(first);
    // The second may still begin, to be reset at once.
    let serve_all = async {
        loop {
            let stream = peer.next(HEADERS).await.stream;
            peer.send(HEADERS, END_HEADERS | END_STREAM, stream, STATUS_200).await;
        }
    };
    let head = within(async {
        tokio::select! {
            head = answer(&mut third, "GET") => head,
            () = serve_all => unreachable!("it has no end"),
        }
    })
    .await;
    assert_eq!(head.unwrap().status, 200);
}

#[tokio::test]
async fn readiness_is_that_of_reading() {
    let (http2, mut peer) = connected().await;
    let mut get = begin(&http2, &mut whole("GET", None));
    send_some(&mut get).await;
    peer.next(HEADERS).await;
    peer.send(HEADERS, END_HEADERS, 1, STATUS_200).await;
    answer(&mut get, "GET").await.unwrap();
    let now = poll_fn(|cx| Poll::Ready(get.poll_readable(cx))).await;
    assert!(now.is_pending());
    peer.send(DATA, 0, 1, b"12").await;
    within(poll_fn(|cx| get.poll_readable(cx))).await;
    within(poll_fn(|cx| get.poll_readable(cx))).await;
    assert_eq!(read(&mut get, 1).await.unwrap(), b"1");
    assert_eq!(read(&mut get, 10).await.unwrap(), b"2");
    peer.send(DATA, END_STREAM, 1, b"").await;
    within(poll_fn(|cx| get.poll_readable(cx))).await;
    assert!(get.is_complete());
}
