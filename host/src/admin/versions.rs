//! Versions of apps: deploys, activations, roll-backs.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use crate::admin::apps::{find, view};
use crate::admin::auth::Problem;
use crate::admin::views::{AppView, DeployProgress, RolledBackView, VersionView, time};
use crate::admin::{AdminState, to_its_end};
use crate::config::Name;
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
    let read =
        state.steering.deployer().in_state(move |store| Ok((store.app(&name)?, store.versions(&name)?)));
    let (record, versions) = read.await?;
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
    state.steering.deployer().deployable(&name, &actor)?;
    let activation = query.activation()?;
    if body.size_hint().lower() > COMPONENT_BYTES_MAX {
        return Err(too_large());
    }
    let store = state.steering.deployer().store()?.clone();
    let upload = store.begin_upload().map_err(DeployError::from)?;
    let upload = receive(upload, body).await?;
    let (lines, receiver) = mpsc::channel(PROGRESS_LINES);
    let (uploaded, whether_uploaded) = oneshot::channel();
    tokio::spawn(async move {
        let finished = spawn_blocking(move || upload.finish()).await;
        let finished = finished.map_err(|error| DeployError::Broken(error.to_string()));
        let component = match finished.and_then(|finished| Ok(finished?)) {
            Ok(component) => component,
            Err(error) => {
                // Nobody may want to know.
                let _ = uploaded.send(Err(error));
                return;
            }
        };
        let _ = uploaded.send(Ok(()));
        carry_out(&state, &name, component, activation, query.note, &actor, lines).await;
    });
    let broken = |_| DeployError::Broken("the deploy broke off".to_owned());
    whether_uploaded.await.map_err(broken)??;
    let lines = ReceiverStream::new(receiver).map(|line| {
        let mut text = serde_json::to_string(&line).unwrap_or_default();
        text.push('\n');
        Ok::<_, Infallible>(Bytes::from(text))
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

/// Deploys what is there whole, and says how far it is.
async fn carry_out(
    state: &AdminState,
    name: &Name,
    component: (Sha256, u64),
    activation: Activation,
    note: String,
    actor: &Actor,
    lines: mpsc::Sender<DeployProgress>,
) {
    let say = |line: DeployProgress| {
        // Nobody listens any more: that stops nothing.
        let _ = lines.try_send(line);
    };
    let (sha256, bytes) = component;
    say(DeployProgress::Uploaded { sha256: sha256.to_string(), bytes });
    let progress = |stage| {
        say(match stage {
            Stage::Compiling => DeployProgress::Compiling,
            Stage::Recording => DeployProgress::Recording,
            Stage::Activating => DeployProgress::Activating,
        });
    };
    let deployed = state.steering.deployer().deploy(name, component, activation, note, actor, progress).await;
    match deployed {
        Ok(Deployed { version, active }) => {
            tracing::info!(app = %name, version = version.number, active, by = actor.name, "deployed");
            say(DeployProgress::Done { version: version_view(&version, &Serving::default()), active });
        }
        Err(error) => {
            tracing::warn!(app = %name, by = actor.name, "not deployed: {error}");
            let problem = Problem::from(error);
            say(DeployProgress::Failed { status: problem.status().as_u16(), error: problem.into_message() });
        }
    }
}

/// Writes the component down as it comes.
async fn receive(mut upload: Upload, body: Body) -> Result<Upload, Problem> {
    let mut pieces = body.into_data_stream();
    let mut received = 0_u64;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| {
            Problem::bad_request(format!("the component did not come to its end: {error}"))
        })?;
        received += piece.len() as u64;
        if received > COMPONENT_BYTES_MAX {
            return Err(too_large());
        }
        let written = spawn_blocking(move || upload.write(&piece).map(|()| upload)).await;
        upload =
            written.map_err(|error| DeployError::Broken(error.to_string()))?.map_err(DeployError::from)?;
    }
    if received == 0 {
        return Err(Problem::bad_request("there is no component in the body; send its bytes"));
    }
    Ok(upload)
}

fn too_large() -> Problem {
    let message =
        format!("a component has at most {COMPONENT_BYTES_MAX} bytes; build it without debug information");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

pub(super) async fn activate(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Path((app, version)): Path<(String, u64)>,
    Json(spec): Json<ActivationSpec>,
) -> Result<Json<AppView>, Problem> {
    let app = find(&state, &actor, &app)?;
    let activation = spec.activation()?;
    to_its_end(async move {
        state.steering.deployer().activate(&app.name, version, activation, &actor).await?;
        tracing::info!(app = %app.name, version, by = actor.name, "activated");
        Ok(Json(view(&app)))
    })
    .await
}

pub(super) async fn roll_back(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Path(app): Path<String>,
) -> Result<Json<RolledBackView>, Problem> {
    let app = find(&state, &actor, &app)?;
    to_its_end(async move {
        let version = state.steering.deployer().roll_back(&app.name, &actor).await?;
        tracing::info!(app = %app.name, version, by = actor.name, "rolled back");
        Ok(Json(RolledBackView { version }))
    })
    .await
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
