//! A guest of our own contract that asks the server in its target through
//! `wasi:http/outgoing-handler`, as crates do that know only the standard; it
//! answers with the status and the body, or with the error code.

use innkeeper_guest::{IncomingMessage, Result, ServerResponse, handler};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{ErrorCode, Fields, OutgoingRequest, Scheme};

#[handler]
fn relay(req: IncomingMessage, res: ServerResponse) -> Result<()> {
    let told = ask(req.url().trim_start_matches('/')).unwrap_or_else(|code| format!("{code:?}"));
    Ok(res.end(told)?)
}

fn ask(authority: &str) -> std::result::Result<String, ErrorCode> {
    let request = OutgoingRequest::new(Fields::new());
    request.set_scheme(Some(&Scheme::Http)).expect("it is one");
    request.set_authority(Some(authority)).expect("it is one");
    request.set_path_with_query(Some("/")).expect("it is one");
    let future = outgoing_handler::handle(request, None)?;
    future.subscribe().block();
    let response = future.get().expect("it is ready").expect("it was not taken before")?;
    let body = response.consume().expect("nobody has taken it");
    let stream = body.stream().expect("nobody has taken it");
    let mut read = Vec::new();
    while let Ok(piece) = stream.blocking_read(1024) {
        read.extend(piece);
    }
    Ok(format!("{} {}", response.status(), String::from_utf8_lossy(&read)))
}
