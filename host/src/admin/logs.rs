//! What the guests of an app print, as it was and as it comes.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use crate::admin::AdminState;
use crate::admin::apps::find;
use crate::admin::auth::Problem;
use crate::admin::views::{LogLineView, time};
use crate::deploy::Actor;
use crate::guest::log::GuestLine;

/// Lines of the past that are told if nothing is said.
const LINES_DEFAULT: usize = 100;

#[derive(Deserialize)]
pub(super) struct LogQuery {
    lines: Option<usize>,
    #[serde(default)]
    follow: bool,
}

pub(super) async fn logs(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Path(app): Path<String>,
    Query(query): Query<LogQuery>,
) -> Result<Response, Problem> {
    let app = find(&state, &actor, &app)?;
    // Followed first, so that no line is missed; those of both are told once.
    let followed = query.follow.then(|| app.log.follow());
    let past = app.log.tail(query.lines.unwrap_or(LINES_DEFAULT));
    let last = past.last().map(|line| line.sequence);
    let past = tokio_stream::iter(past.into_iter().map(|line| text_of(&line)).collect::<Vec<_>>());
    let lines: std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Bytes> + Send>> = match followed {
        Some(receiver) => {
            let fresh = BroadcastStream::new(receiver).filter_map(move |line| match line {
                Ok(line) if last.is_some_and(|last| line.sequence <= last) => None,
                Ok(line) => Some(text_of(&line)),
                Err(BroadcastStreamRecvError::Lagged(lost)) => Some(lost_lines(lost)),
            });
            Box::pin(past.chain(fresh))
        }
        None => Box::pin(past),
    };
    let body = Body::from_stream(lines.map(Ok::<_, Infallible>));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

fn text_of(line: &GuestLine) -> Bytes {
    said(&LogLineView {
        at: time(line.at),
        stream: line.stream.name().to_owned(),
        exchange: line.exchange,
        text: line.text.clone(),
    })
}

/// What a follower reads who was too slow.
fn lost_lines(lost: u64) -> Bytes {
    said(&LogLineView {
        at: time(std::time::SystemTime::now()),
        stream: "host".to_owned(),
        exchange: None,
        text: format!("{lost} lines were left out: they came faster than they were read"),
    })
}

fn said(line: &LogLineView) -> Bytes {
    let mut text = serde_json::to_string(line).unwrap_or_default();
    text.push('\n');
    Bytes::from(text)
}
