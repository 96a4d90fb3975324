//! Tenants: their quotas, what of them is in use, and the tokens that open what
//! is theirs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::admin::auth::{Problem, operator_only};
use crate::admin::views::{NewTokenView, TenantView, TokenSpec, TokenView, UseView, time};
use crate::admin::{AdminState, to_its_end};
use crate::app::tenant::Tenant;
use crate::config::Name;
use crate::config::file::QuotaSpec;
use crate::deploy::Actor;
use crate::state::{Scope, TokenRecord};

pub(super) async fn list(State(state): State<Arc<AdminState>>, actor: Actor) -> Json<Vec<TenantView>> {
    Json(views(&state, &actor))
}

/// All tenants that the actor may see.
pub(super) fn views(state: &AdminState, actor: &Actor) -> Vec<TenantView> {
    let tenants = state.steering.apps().tenants();
    tenants.iter().filter(|tenant| actor.may(&tenant.name)).map(|tenant| view(tenant)).collect()
}

pub(super) async fn show(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Path(tenant): Path<String>,
) -> Result<Json<TenantView>, Problem> {
    let name: Name = tenant.parse().map_err(Problem::bad_request)?;
    let tenant = state.steering.apps().find_tenant(&name).filter(|_| actor.may(&name));
    tenant
        .map(|tenant| Json(view(&tenant)))
        .ok_or_else(|| Problem::not_found(format!("there is no tenant {name}")))
}

pub(super) async fn set_quotas(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Path(tenant): Path<String>,
    Json(quotas): Json<QuotaSpec>,
) -> Result<Json<TenantView>, Problem> {
    operator_only(&actor)?;
    let name: Name = tenant.parse().map_err(Problem::bad_request)?;
    if state.steering.apps().find_tenant(&name).is_none() {
        return Err(Problem::not_found(format!("there is no tenant {name}; one begins with its first app")));
    }
    to_its_end(async move {
        state.steering.deployer().set_quotas(&name, &quotas, &actor).await?;
        show(State(state), actor, Path(tenant)).await
    })
    .await
}

pub(super) async fn tokens(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
) -> Result<Json<Vec<TokenView>>, Problem> {
    operator_only(&actor)?;
    let tokens = state.steering.deployer().in_state(|store| store.tokens()).await?;
    Ok(Json(tokens.into_iter().map(token_view).collect()))
}

pub(super) async fn make_token(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Json(spec): Json<TokenSpec>,
) -> Result<(StatusCode, Json<NewTokenView>), Problem> {
    operator_only(&actor)?;
    let scope = match spec.tenant {
        Some(tenant) => Scope::Tenant(tenant.parse().map_err(Problem::bad_request)?),
        None => Scope::Operator,
    };
    let by = actor.name.clone();
    let (token, record) =
        state.steering.deployer().in_state(move |store| store.make_token(scope, &spec.label, &by)).await?;
    tracing::info!(id = record.id, by = actor.name, "token made");
    Ok((StatusCode::CREATED, Json(NewTokenView { token, record: token_view(record) })))
}

pub(super) async fn revoke_token(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    operator_only(&actor)?;
    let (asked, by) = (id.clone(), actor.name.clone());
    let revoked = state.steering.deployer().in_state(move |store| store.revoke_token(&asked, &by)).await?;
    let record = revoked.ok_or_else(|| Problem::not_found(format!("there is no token {id}")))?;
    tracing::info!(id = record.id, by = actor.name, "token revoked");
    Ok(StatusCode::NO_CONTENT)
}

fn view(tenant: &Tenant) -> TenantView {
    let terms = tenant.terms();
    let quotas = &terms.quotas;
    let occupancy = tenant.lane.occupancy();
    let account = &tenant.account;
    TenantView {
        name: tenant.name.to_string(),
        hosts: terms.hosts.iter().map(ToString::to_string).collect(),
        exchanges: UseView { used: occupancy.in_flight.into(), max: occupancy.max.into() },
        queued: UseView { used: occupancy.queued.into(), max: quotas.queue_max.into() },
        memory_bytes: UseView { used: account.memory.used(), max: account.memory.max() },
        connections: UseView { used: tenant.connections(), max: quotas.connections_max.into() },
        outbound_connections: UseView { used: account.outbound.used(), max: account.outbound.max() },
        cpu_seconds: account.cpu.used().as_secs_f64(),
        cpu_per_second: quotas.cpu_per_second.map(|time| time.as_secs_f64()),
        cpu_debt_seconds: account.cpu.debt().map(|debt| debt.as_secs_f64()),
        log_bytes_per_second: quotas.log_bytes_per_second,
    }
}

fn token_view(record: TokenRecord) -> TokenView {
    TokenView {
        id: record.id,
        tenant: match record.scope {
            Scope::Operator => None,
            Scope::Tenant(name) => Some(name.to_string()),
        },
        label: record.label,
        created: time(record.created),
    }
}
