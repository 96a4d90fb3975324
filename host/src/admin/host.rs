//! The host itself: whether it lives, whether it is ready, what it has done,
//! and having it drain.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use crate::admin::AdminState;
use crate::admin::auth::{Problem, operator_only};
use crate::admin::tenants;
use crate::admin::views::{HostView, TopVersionView, TopView, UseView};
use crate::deploy::Actor;
use crate::state::Scope;

pub(super) async fn live() -> &'static str {
    "alive\n"
}

pub(super) async fn ready(State(state): State<Arc<AdminState>>) -> (StatusCode, &'static str) {
    if state.steering.is_ready() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    }
}

pub(super) async fn metrics(State(state): State<Arc<AdminState>>, actor: Actor) -> impl IntoResponse {
    let tenant = match &actor.scope {
        Scope::Operator => None,
        Scope::Tenant(name) => Some(name),
    };
    let text = state.steering.telemetry().metrics().encode(tenant);
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}

pub(super) async fn host(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
) -> Result<Json<HostView>, Problem> {
    operator_only(&actor)?;
    Ok(Json(view(&state)))
}

pub(super) async fn drain(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
) -> Result<(StatusCode, Json<HostView>), Problem> {
    operator_only(&actor)?;
    tracing::info!(target: "drain", by = actor.name, "draining: the administration was told to");
    state.steering.drain();
    Ok((StatusCode::ACCEPTED, Json(view(&state))))
}

pub(super) async fn top(State(state): State<Arc<AdminState>>, actor: Actor) -> Json<TopView> {
    let versions = state.steering.telemetry().metrics().snapshot();
    let seen = versions.into_iter().filter(|version| actor.may(&version.tenant));
    Json(TopView {
        host: (actor.scope == Scope::Operator).then(|| view(&state)),
        versions: seen
            .map(|version| TopVersionView {
                tenant: version.tenant.to_string(),
                app: version.app.to_string(),
                version: version.version,
                answers: version.requests,
                failed: version.failed,
                crashes: version.crashes,
                in_flight: version.in_flight,
                cpu_seconds: version.cpu_seconds,
                request_bytes: version.request_bytes,
                response_bytes: version.response_bytes,
                p50_seconds: version.duration_p50_seconds,
                p99_seconds: version.duration_p99_seconds,
            })
            .collect(),
        tenants: tenants::views(&state, &actor),
    })
}

fn view(state: &AdminState) -> HostView {
    let steering = &state.steering;
    let apps = steering.apps();
    let (exchanges, tunnels) = apps.gate().occupancy();
    let (running, waiting) = (apps.demotion().running(), apps.demotion().waiting());
    HostView {
        innkeeper: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_seconds: steering.uptime().as_secs_f64(),
        ready: steering.is_ready(),
        listen: steering.addresses().iter().map(ToString::to_string).collect(),
        connections: UseView {
            used: steering.connections() as u64,
            max: steering.limits().connections_max as u64,
        },
        exchanges: UseView { used: exchanges.in_flight.into(), max: exchanges.max.into() },
        queued: exchanges.queued.into(),
        tunnels: UseView { used: tunnels.in_flight.into(), max: tunnels.max.into() },
        idle_instances: apps.loader().sandbox().idle_count() as u64,
        demoted_running: running as u64,
        demoted_waiting: waiting as u64,
    }
}
