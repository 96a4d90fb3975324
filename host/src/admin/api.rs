//! All that the administration offers, in one list: the router is made of it,
//! and so is the OpenAPI document.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodRouter, delete, get, post, put};
use axum::{Json, Router};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::admin::views::{
    AppView, ConnectionView, CutView, DeployProgress, ErrorView, ExchangeView, HistoryView, HostView,
    LogLineView, NewTokenView, RolledBackView, TenantView, TokenSpec, TokenView, TopView, VersionView,
};
use crate::admin::{AdminState, apps, host, live, logs, tenants, versions};
use crate::config::file::{AppSpec, QuotaSpec};
use crate::deploy::{ActivationSpec, Actor};

/// Bytes of a request body other than a component.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Something that can be asked for.
struct Operation {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    query: &'static [(&'static str, &'static str)],
    /// What is sent: its media type and schema.
    request: Option<(&'static str, Schema)>,
    /// What comes back: status, media type and schema.
    answer: (u16, &'static str, Schema),
    /// Whether it takes a token.
    open: bool,
    handler: MethodRouter<Arc<AdminState>>,
}

/// Makes the schema of a type.
type Schema = fn(&mut SchemaGenerator) -> Value;

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
const TEXT: &str = "text/plain";

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

fn any(_: &mut SchemaGenerator) -> Value {
    json!({})
}

fn operation(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    answer: (u16, &'static str, Schema),
    handler: MethodRouter<Arc<AdminState>>,
) -> Operation {
    Operation { method, path, summary, query: &[], request: None, answer, open: false, handler }
}

impl Operation {
    fn takes(self, media_type: &'static str, schema: Schema) -> Self {
        Operation { request: Some((media_type, schema)), ..self }
    }

    fn query(self, query: &'static [(&'static str, &'static str)]) -> Self {
        Operation { query, ..self }
    }

    fn open(self) -> Self {
        Operation { open: true, ..self }
    }
}

fn operations() -> Vec<Operation> {
    vec![
        operation("get", "/livez", "Whether the process answers.", (200, TEXT, any), get(host::live)).open(),
        operation("get", "/readyz", "Whether requests should come here: 503 from the first word to stop on.", (200, TEXT, any), get(host::ready)).open(),
        operation("get", "/metrics", "Metrics as OpenMetrics text; with a tenant's token only the tenant's.", (200, "application/openmetrics-text", any), get(host::metrics)),
        operation("get", "/openapi.json", "This document.", (200, JSON, any), get(document)),
        operation("get", "/v1/host", "How the host is. For the operator.", (200, JSON, schema::<HostView>), get(host::host)),
        operation("get", "/v1/top", "What the versions of the apps have done since they were loaded.", (200, JSON, schema::<TopView>), get(host::top)),
        operation("post", "/v1/drain", "Has the host drain and end, as SIGTERM would. For the operator.", (202, JSON, schema::<HostView>), post(host::drain)),
        operation("get", "/v1/apps", "All apps.", (200, JSON, schema::<Vec<AppView>>), get(apps::list)),
        operation("put", "/v1/apps", "Makes an app, or changes its routes and settings. Its versions stay.", (200, JSON, schema::<AppView>), put(apps::put)).takes(JSON, schema::<AppSpec>),
        operation("get", "/v1/apps/{app}", "One app.", (200, JSON, schema::<AppView>), get(apps::show)),
        operation("delete", "/v1/apps/{app}", "Deletes an app that was deployed, with its versions.", (204, TEXT, any), delete(apps::delete)),
        operation("get", "/v1/apps/{app}/history", "What was done with an app, the newest first.", (200, JSON, schema::<Vec<HistoryView>>), get(apps::history)).query(&[("limit", "How many at most; 50 by default.")]),
        operation("get", "/v1/apps/{app}/versions", "The versions of an app, the newest first.", (200, JSON, schema::<Vec<VersionView>>), get(versions::list)),
        operation("post", "/v1/apps/{app}/versions", "Deploys a component as the next version: compiles, links and starts it, then has it answer. One line for each stage.", (200, LINES, schema::<DeployProgress>), post(versions::deploy))
            .takes("application/wasm", any)
            .query(&[
                ("activate", "`false` leaves it to a later activation."),
                ("weight_percent", "Requests of a hundred that it answers, as a canary, if less than 100."),
                ("error_rate_max", "The share of errors above which a canary is rolled back by itself, 0 to 1."),
                ("requests_min", "Answers before which its errors say nothing; 20 by default."),
                ("note", "What is to be said of it."),
            ]),
        operation("post", "/v1/apps/{app}/versions/{version}/activate", "Has a version answer all requests, or some as a canary.", (200, JSON, schema::<AppView>), post(versions::activate)).takes(JSON, schema::<ActivationSpec>),
        operation("post", "/v1/apps/{app}/rollback", "Ends a canary, or goes back to the version before.", (200, JSON, schema::<RolledBackView>), post(versions::roll_back)),
        operation("get", "/v1/apps/{app}/logs", "What the guests of an app have printed, one line each.", (200, LINES, schema::<LogLineView>), get(logs::logs)).query(&[("lines", "How many of the past; 100 by default."), ("follow", "`true` goes on with what comes.")]),
        operation("get", "/v1/tenants", "All tenants, their quotas and what of them is in use.", (200, JSON, schema::<Vec<TenantView>>), get(tenants::list)),
        operation("get", "/v1/tenants/{tenant}", "One tenant.", (200, JSON, schema::<TenantView>), get(tenants::show)),
        operation("put", "/v1/tenants/{tenant}/quotas", "Changes quotas of a tenant, beside what the configuration says; what is not named is as configured. For the operator.", (200, JSON, schema::<TenantView>), put(tenants::set_quotas)).takes(JSON, schema::<QuotaSpec>),
        operation("get", "/v1/connections", "Open connections, the oldest first. For the operator.", (200, JSON, schema::<Vec<ConnectionView>>), get(live::connections)).query(&[("limit", "How many at most; 100 by default.")]),
        operation("delete", "/v1/connections/{connection}", "Cuts a connection. For the operator.", (200, JSON, schema::<CutView>), delete(live::cut_connection)),
        operation("get", "/v1/exchanges", "Exchanges in flight, the oldest connection first.", (200, JSON, schema::<Vec<ExchangeView>>), get(live::exchanges)).query(&[("app", "Only of this app."), ("limit", "How many at most; 100 by default.")]),
        operation("delete", "/v1/exchanges/{exchange}", "Cuts an exchange, and with it its connection.", (200, JSON, schema::<CutView>), delete(live::cut_exchange)),
        operation("get", "/v1/tokens", "Tokens, without what opens. For the operator.", (200, JSON, schema::<Vec<TokenView>>), get(tenants::tokens)),
        operation("post", "/v1/tokens", "Makes a token, for a tenant or for an operator. For the operator.", (201, JSON, schema::<NewTokenView>), post(tenants::make_token)).takes(JSON, schema::<TokenSpec>),
        operation("delete", "/v1/tokens/{token}", "Revokes a token. For the operator.", (204, TEXT, any), delete(tenants::revoke_token)),
    ]
}

/// The router of all of it.
pub(super) fn router(state: Arc<AdminState>) -> Router {
    let mut router = Router::new();
    for Operation { path, handler, .. } in operations() {
        router = router.route(path, handler);
    }
    router.layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).with_state(state)
}

async fn document(_: Actor) -> Json<Value> {
    Json(openapi())
}

/// The OpenAPI document (3.1) of the administration.
pub fn openapi() -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let error = schema::<ErrorView>(&mut generator);
    let mut paths = Map::new();
    for operation in operations() {
        let item = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(operation.method.to_owned(), describe(&operation, &error, &mut generator));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Innkeeper administration",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Apps, versions, tenants and what is in flight, of one host.",
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn describe(operation: &Operation, error: &Value, generator: &mut SchemaGenerator) -> Value {
    let in_path =
        operation.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<_> = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters.extend(operation.query.iter().map(|(name, description)| {
        json!({ "name": name, "in": "query", "description": description, "schema": { "type": "string" } })
    }));
    let (status, media_type, schema) = operation.answer;
    let answer = match status {
        204 => json!({ "description": "Done." }),
        _ => json!({ "description": "Done.", "content": { media_type: { "schema": schema(generator) } } }),
    };
    let mut described = json!({
        "summary": operation.summary,
        "parameters": parameters,
        "responses": {
            status.to_string(): answer,
            "default": { "description": "Not done.", "content": { JSON: { "schema": error } } },
        },
        "security": if operation.open { json!([]) } else { json!([{ "token": [] }]) },
    });
    if let (Some((media_type, schema)), Some(described)) = (operation.request, described.as_object_mut()) {
        let body = json!({ "required": true, "content": { media_type: { "schema": schema(generator) } } });
        described.insert("requestBody".to_owned(), body);
    }
    described
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_described_and_every_reference_leads_somewhere() {
        let document = openapi();
        for Operation { method, path, .. } in operations() {
            assert!(document["paths"][path][method]["summary"].is_string(), "{method} {path}");
        }
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
