//! Versions of apps: deploys, activations, roll-backs.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use crate::admin::AdminState;
use crate::admin::apps::{find, view};
use crate::admin::auth::Problem;
use crate::admin::views::{AppView, DeployProgress, RolledBackView, VersionView, time};
use crate::deploy::{Activation, ActivationSpec, Actor, DeployError, Deployed, Stage};
use crate::state::{Serving, Sha256, Upload, VersionRecord};

/// Bytes of a component.
const COMPONENT_BYTES_MAX: u64 = 256 << 20;

/// Lines of progress that wait for a client that does not read them: all that
/// there are.
const PROGRESS_LINES: usize = 8;

#[derive(Deserialize)]
pub(super) struct DeployQuery {
    activate: Option<bool>,
    #[serde(default)]
    note: String,
    weight_percent: Option<u8>,
    error_rate_max: Option<f64>,
    requests_min: Option<u32>,
}

impl DeployQuery {
    fn activation(&self) -> Result<Activation, DeployError> {
        let &DeployQuery { weight_percent, error_rate_max, requests_min, .. } = self;
        let activation = ActivationSpec { weight_percent, error_rate_max, requests_min }.activation()?;
        Ok(if self.activate == Some(false) { Activation::None } else { activation })
    }
}

pub(super) async fn list(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Path(app): Path<String>,
) -> Result<Json<Vec<VersionView>>, Problem> {
    let name = find(&state, &actor, &app)?.name.clone();
    let store = state.steering.deployer().store()?.clone();
    let read = spawn_blocking(move || Ok((store.app(&name)?, store.versions(&name)?))).await;
    let read: Result<_, DeployError> = read.map_err(|error| DeployError::Broken(error.to_string()))?;
    let (record, versions) = read?;
    let serving = record.map(|record| record.serving).unwrap_or_default();
    Ok(Json(versions.iter().rev().map(|version| version_view(version, &serving)).collect()))
}

/// Takes the component in while it comes, then answers with a line for each
/// stage. A client that goes away does not stop what has begun.
pub(super) async fn deploy(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Path(app): Path<String>,
    Query(query): Query<DeployQuery>,
    body: Body,
) -> Result<Response, Problem> {
    let name = find(&state, &actor, &app)?.name.clone();
    let activation = query.activation()?;
    let store = state.steering.deployer().store()?.clone();
    let upload = store.begin_upload().map_err(DeployError::from)?;
    let (sha256, bytes) = receive(upload, body).await?;
    let (lines, receiver) = mpsc::channel(PROGRESS_LINES);
    let say = move |line: DeployProgress| {
        // Nobody listens any more: that stops nothing.
        let _ = lines.try_send(line);
    };
    say(DeployProgress::Uploaded { sha256: sha256.to_string(), bytes });
    tokio::spawn(async move {
        let deployer = state.steering.deployer();
        let progress = |stage| {
            say(match stage {
                Stage::Compiling => DeployProgress::Compiling,
                Stage::Recording => DeployProgress::Recording,
                Stage::Activating => DeployProgress::Activating,
            });
        };
        let deployed =
            deployer.deploy(&name, (sha256, bytes), activation, query.note, &actor, progress).await;
        match deployed {
            Ok(Deployed { version, active }) => {
                tracing::info!(app = %name, version = version.number, active, by = actor.name, "deployed");
                say(DeployProgress::Done { version: version_view(&version, &Serving::default()), active });
            }
            Err(error) => {
                tracing::warn!(app = %name, by = actor.name, "not deployed: {error}");
                say(DeployProgress::Failed { error: error.to_string() });
            }
        }
    });
    let lines = ReceiverStream::new(receiver).map(|line| {
        let mut text = serde_json::to_string(&line).unwrap_or_default();
        text.push('\n');
        Ok::<_, Infallible>(Bytes::from(text))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

/// Writes the component down as it comes.
async fn receive(mut upload: Upload, body: Body) -> Result<(Sha256, u64), Problem> {
    let mut pieces = body.into_data_stream();
    let mut received = 0_u64;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| {
            Problem::bad_request(format!("the component did not come to its end: {error}"))
        })?;
        received += piece.len() as u64;
        if received > COMPONENT_BYTES_MAX {
            let message = format!(
                "a component has at most {COMPONENT_BYTES_MAX} bytes; build it without debug information"
            );
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        let written = spawn_blocking(move || upload.write(&piece).map(|()| upload)).await;
        upload =
            written.map_err(|error| DeployError::Broken(error.to_string()))?.map_err(DeployError::from)?;
    }
    if received == 0 {
        return Err(Problem::bad_request("there is no component in the body; send its bytes"));
    }
    let finished = spawn_blocking(move || upload.finish()).await;
    Ok(finished.map_err(|error| DeployError::Broken(error.to_string()))?.map_err(DeployError::from)?)
}

pub(super) async fn activate(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Path((app, version)): Path<(String, u64)>,
    Json(spec): Json<ActivationSpec>,
) -> Result<Json<AppView>, Problem> {
    let app = find(&state, &actor, &app)?;
    state.steering.deployer().activate(&app.name, version, spec.activation()?, &actor).await?;
    tracing::info!(app = %app.name, version, by = actor.name, "activated");
    Ok(Json(view(&app)))
}

pub(super) async fn roll_back(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Path(app): Path<String>,
) -> Result<Json<RolledBackView>, Problem> {
    let app = find(&state, &actor, &app)?;
    let version = state.steering.deployer().roll_back(&app.name, &actor).await?;
    tracing::info!(app = %app.name, version, by = actor.name, "rolled back");
    Ok(Json(RolledBackView { version }))
}

fn version_view(version: &VersionRecord, serving: &Serving) -> VersionView {
    let number = Some(version.number);
    let canary = serving.canary.as_ref().map(|canary| canary.version);
    let roles = [(serving.current, "current"), (canary, "canary"), (serving.previous, "previous")];
    VersionView {
        number: version.number,
        sha256: version.sha256.to_string(),
        bytes: version.bytes,
        created: time(version.created),
        by: version.by.clone(),
        note: version.note.clone(),
        serves_as: roles.iter().find(|(role, _)| *role == number).map(|(_, name)| (*name).to_owned()),
    }
}
