//! What is connected and in flight right now, and cutting it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;

use crate::admin::AdminState;
use crate::admin::apps::Limit;
use crate::admin::auth::{Problem, operator_only};
use crate::admin::views::{ConnectionView, CutView, ExchangeView};
use crate::deploy::Actor;
use crate::state::Scope;
use crate::wire::exchange::Exchange;
use crate::wire::roster::Presence;

/// How many are told if nothing is said.
const DEFAULT: usize = 100;

#[derive(Deserialize)]
pub(super) struct Wanted {
    app: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn connections(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Query(limit): Query<Limit>,
) -> Result<Json<Vec<ConnectionView>>, Problem> {
    operator_only(&actor)?;
    let present = state.steering.roster().list(limit.or(DEFAULT), |_| true);
    Ok(Json(present.iter().map(|presence| connection_view(presence)).collect()))
}

pub(super) async fn cut_connection(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Path(id): Path<u64>,
) -> Result<Json<CutView>, Problem> {
    operator_only(&actor)?;
    let presence = state.steering.roster().find(id);
    let presence = presence.ok_or_else(|| Problem::not_found(format!("there is no connection {id}")))?;
    Ok(Json(cut(&presence, &actor)))
}

pub(super) async fn exchanges(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Query(wanted): Query<Wanted>,
) -> Json<Vec<ExchangeView>> {
    let shown = |exchange: &Exchange| {
        let owner = exchange.owner();
        let app = owner.map(|owner| owner.app.as_str());
        sees(&actor, exchange) && wanted.app.as_deref().is_none_or(|wanted| app == Some(wanted))
    };
    let present = state.steering.roster().list(wanted.limit.unwrap_or(DEFAULT), |presence| {
        presence.exchange().is_some_and(|exchange| shown(&exchange))
    });
    let view = |presence: &Arc<Presence>| Some(exchange_view(presence, &presence.exchange()?));
    Json(present.iter().filter_map(view).collect())
}

pub(super) async fn cut_exchange(
    State(state): State<Arc<AdminState>>,
    actor: Actor,
    Path(id): Path<u64>,
) -> Result<Json<CutView>, Problem> {
    let is_it = |presence: &Presence| {
        presence.exchange().is_some_and(|exchange| exchange.id() == id && sees(&actor, &exchange))
    };
    let present = state.steering.roster().list(1, is_it);
    let presence =
        present.first().ok_or_else(|| Problem::not_found(format!("there is no exchange {id} in flight")))?;
    Ok(Json(cut(presence, &actor)))
}

/// Whether an exchange is there for this actor.
fn sees(actor: &Actor, exchange: &Exchange) -> bool {
    match exchange.owner() {
        Some(owner) => actor.may(&owner.tenant),
        None => actor.scope == Scope::Operator,
    }
}

fn cut(presence: &Presence, actor: &Actor) -> CutView {
    let exchange = presence.exchange().map(|exchange| exchange.id());
    tracing::warn!(connection = presence.id(), exchange, by = actor.name, "connection cut");
    presence.socket().cut();
    CutView { connection: presence.id() }
}

fn connection_view(presence: &Presence) -> ConnectionView {
    let socket = presence.socket();
    ConnectionView {
        id: presence.id(),
        peer: socket.peer().to_string(),
        local: socket.local().to_string(),
        age_seconds: socket.opened().elapsed().as_secs_f64(),
        bytes_read: socket.bytes_read(),
        bytes_written: socket.bytes_written(),
        exchange: presence.exchange().map(|exchange| exchange_view(presence, &exchange)),
    }
}

fn exchange_view(presence: &Presence, exchange: &Exchange) -> ExchangeView {
    let owner = exchange.owner();
    ExchangeView {
        id: exchange.id(),
        connection: presence.id(),
        tenant: owner.map(|owner| owner.tenant.to_string()),
        app: owner.map(|owner| owner.app.to_string()),
        version: owner.map(|owner| owner.version.clone()),
        method: exchange.head().method().to_owned(),
        url: exchange.head().original_target().to_owned(),
        peer: exchange.socket().peer().to_string(),
        age_seconds: exchange.started().elapsed().as_secs_f64(),
        tunnel: exchange.is_tunnel(),
    }
}
