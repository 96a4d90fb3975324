//! The baseline of the benchmarks: bare hyper on tokio, answering from memory.
//!
//! `/` is the twelve bytes of the example `hello`, `/1m` is 1 MiB, and `/echo`
//! sends the request's body back after having read all of it. `/1g` is 1 GiB,
//! and `/count` tells the length of the request's body; neither is ever in
//! memory. Prints its address as the host does.

mod gibibyte;

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::LazyLock;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use gibibyte::Gibibyte;

static MEBIBYTE: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(vec![b'a'; 1024 * 1024]));

#[tokio::main]
async fn main() -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("cannot bind a port")?;
    println!("listening on http://{}/", listener.local_addr().context("cannot tell the port")?);
    loop {
        let (stream, _) = listener.accept().await.context("cannot accept")?;
        // As the host does; without it hyper would look slower than it is.
        stream.set_nodelay(true).context("cannot set TCP_NODELAY")?;
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service_fn(answer));
            // A client that goes away is no fault of the baseline.
            let _ = connection.await;
        });
    }
}

type Body = Either<Full<Bytes>, Gibibyte>;

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let body = match request.uri().path() {
        "/" => whole(Bytes::from_static(b"Hello world\n")),
        "/1m" => whole(MEBIBYTE.clone()),
        "/1g" => Either::Right(Gibibyte::of(MEBIBYTE.clone())),
        "/echo" => match request.into_body().collect().await {
            Ok(body) => whole(body.to_bytes()),
            Err(_) => return Ok(status(StatusCode::BAD_REQUEST)),
        },
        "/count" => match gibibyte::count(request.into_body()).await {
            Ok(bytes) => whole(bytes.to_string().into()),
            Err(_) => return Ok(status(StatusCode::BAD_REQUEST)),
        },
        _ => return Ok(status(StatusCode::NOT_FOUND)),
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

fn whole(bytes: Bytes) -> Body {
    Either::Left(Full::new(bytes))
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = status;
    response
}
