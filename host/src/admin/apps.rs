//! Apps: what there is, and making, changing and deleting those that are
//! deployed.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use tokio::time::Instant;

use crate::admin::auth::Problem;
use crate::admin::views::{AppView, CanaryView, HistoryView, LoadedView, time};
use crate::admin::{AdminState, to_its_end};
use crate::app::breaker::BreakerState;
use crate::app::served::{App, Origin};
use crate::app::version::{Canary, Version};
use crate::config::Name;
use crate::config::file::AppSpec;
use crate::deploy::Actor;
use crate::state::HistoryRecord;

/// Entries of the history that are told if nothing is said.
const HISTORY_DEFAULT: usize = 50;

#[derive(Deserialize)]
pub(super) struct Limit {
    limit: Option<usize>,
}

impl Limit {
    /// How many are wanted, or `default`.
    pub fn or(&self, default: usize) -> usize {
        self.limit.unwrap_or(default)
    }
}

pub(super) async fn list(State(state): State<Arc<AdminState>>, actor: Actor) -> Json<Vec<AppView>> {
    let apps = state.steering.apps().list();
    Json(apps.iter().filter(|app| actor.may(&app.tenant.name)).map(|app| view(app)).collect())
}

pub(super) async fn show(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Path(app): Path<String>,
) -> Result<Json<AppView>, Problem> {
    let app = find(&state, &actor, &app)?;
    Ok(Json(view(&app)))
}

pub(super) async fn put(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Json(spec): Json<AppSpec>,
) -> Result<Json<AppView>, Problem> {
    to_its_end(async move {
        let deployer = state.steering.deployer();
        let name = deployer.put_app(spec, &actor).await?;
        Ok(Json(view(&*deployer.app(&name, &actor)?)))
    })
    .await
}

pub(super) async fn delete(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Path(app): Path<String>,
) -> Result<StatusCode, Problem> {
    let name = find(&state, &actor, &app)?.name.clone();
    to_its_end(async move {
        state.steering.deployer().delete_app(&name, &actor).await?;
        tracing::info!(app = %name, by = actor.name, "deleted");
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

pub(super) async fn history(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Path(app): Path<String>,
    Query(limit): Query<Limit>,
) -> Result<Json<Vec<HistoryView>>, Problem> {
    let name = find(&state, &actor, &app)?.name.clone();
    let limit = limit.or(HISTORY_DEFAULT);
    // A name may have been another tenant's before.
    let seen = move |record: &HistoryRecord| {
        record.app.as_ref() == Some(&name) && record.tenant.as_ref().is_none_or(|tenant| actor.may(tenant))
    };
    let history = state.steering.deployer().in_state(move |store| store.history(seen, limit)).await?;
    Ok(Json(
        history
            .into_iter()
            .map(|record| HistoryView {
                sequence: record.sequence,
                at: time(record.at),
                by: record.by,
                app: record.app.map(String::from),
                action: serde_json::to_value(record.action)
                    .ok()
                    .and_then(|action| action.as_str().map(str::to_owned))
                    .unwrap_or_default(),
                detail: record.detail,
            })
            .collect(),
    ))
}

/// The app of this name, if the actor may see it.
pub(super) fn find(state: &AdminState, actor: &Actor, app: &str) -> Result<Arc<App>, Problem> {
    let name: Name = app.parse().map_err(Problem::bad_request)?;
    Ok(state.steering.deployer().app(&name, actor)?)
}

pub(super) fn view(app: &App) -> AppView {
    let wanted = app.wanted();
    let serving = app.serving();
    AppView {
        name: app.name.to_string(),
        tenant: app.tenant.name.to_string(),
        origin: match wanted.origin {
            Origin::File => "file",
            Origin::FileAndDeployed => "file-and-deployed",
            Origin::Deployed => "deployed",
        }
        .to_owned(),
        routes: wanted.config.routes.iter().map(ToString::to_string).collect(),
        current: serving.current.as_deref().map(loaded),
        canary: serving.canary.as_ref().map(canary),
        previous: serving.previous.as_deref().map(loaded),
    }
}

fn loaded(version: &Version) -> LoadedView {
    LoadedView {
        number: version.number,
        sha256: version.sha256.to_string(),
        breaker: match version.breaker.state(Instant::now()) {
            BreakerState::Closed { .. } => "closed",
            BreakerState::Open { .. } => "open",
            BreakerState::HalfOpen { .. } => "half-open",
        }
        .to_owned(),
        idle_instances: version.instances.idle_count() as u64,
    }
}

fn canary(canary: &Canary) -> CanaryView {
    let (answers, errors) = canary.version.health.counts();
    CanaryView {
        version: loaded(&canary.version),
        weight_percent: canary.terms.weight_percent,
        error_rate_max: canary.terms.error_rate_max,
        requests_min: canary.terms.requests_min,
        answers,
        errors,
    }
}
