//! Who asks: a bearer token, always. The operator's is in a file; those of
//! tenants are in the state directory, as hashes. What a tenant's token may not
//! see is not there for it.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::task::spawn_blocking;

use crate::admin::AdminState;
use crate::admin::views::ErrorView;
use crate::deploy::{Actor, DeployError};
use crate::state::{Scope, Sha256, StateError, Store, operator_token};

/// The tokens that open the administration.
pub(super) struct Tokens {
    /// The hash of the operator's: what is compared says nothing of what it is.
    operator: Sha256,
    store: Arc<Store>,
}

/// Why a request was not done.
pub(crate) struct Problem {
    status: StatusCode,
    message: String,
}

impl Tokens {
    /// Reads the operator's token, or makes it.
    ///
    /// # Errors
    /// A file that others can read, or that cannot be written.
    pub fn new(file: &Path, store: Arc<Store>) -> Result<Self> {
        let operator = Sha256::of(operator_token(file)?.as_bytes());
        Ok(Tokens { operator, store })
    }

    async fn actor(&self, token: &str) -> Result<Option<Actor>, StateError> {
        if Sha256::of(token.as_bytes()) == self.operator {
            return Ok(Some(Actor { scope: Scope::Operator, name: "operator".to_owned() }));
        }
        let (store, token) = (self.store.clone(), token.to_owned());
        let found = spawn_blocking(move || store.find_token(&token)).await;
        let found = found.map_err(|error| StateError::Io {
            action: "read",
            path: "the state".into(),
            source: std::io::Error::other(error),
        })??;
        Ok(found.map(|record| Actor { scope: record.scope, name: format!("token {}", record.id) }))
    }
}

impl FromRequestParts<Arc<AdminState>> for Actor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<AdminState>) -> Result<Self, Problem> {
        let value = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, token) = value.and_then(|value| value.split_once(' ')).unwrap_or_default();
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "a token is needed: `Authorization: Bearer TOKEN`; the operator's is in the host's admin-token file",
            ));
        }
        let actor = state.tokens.actor(token.trim()).await.map_err(DeployError::from)?;
        actor.ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, "this token opens nothing here"))
    }
}

impl Problem {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Problem { status, message: message.into() }
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn into_message(self) -> String {
        self.message
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Problem::new(StatusCode::BAD_REQUEST, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Problem::new(StatusCode::NOT_FOUND, message)
    }
}

/// Lets the operator pass, and nobody else.
pub(super) fn operator_only(actor: &Actor) -> Result<(), Problem> {
    if actor.scope == Scope::Operator {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "this is for the operator's token"))
}

impl From<DeployError> for Problem {
    fn from(error: DeployError) -> Self {
        let status = match &error {
            DeployError::NoApp(_) | DeployError::NoVersion { .. } => StatusCode::NOT_FOUND,
            DeployError::NoPrevious(_) | DeployError::OfFile(_) => StatusCode::CONFLICT,
            DeployError::Forbidden(_) => StatusCode::FORBIDDEN,
            DeployError::Refused(_) => StatusCode::BAD_REQUEST,
            DeployError::Unfit(_) => StatusCode::UNPROCESSABLE_ENTITY,
            DeployError::State(StateError::NoSpace { .. }) => StatusCode::INSUFFICIENT_STORAGE,
            DeployError::NoState | DeployError::State(_) | DeployError::Broken(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        let message = error.to_string();
        if status.is_server_error() {
            let error = anyhow::Error::from(error);
            tracing::error!("administration: {error:#}");
        }
        Problem::new(status, message)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Problem { status, message } = self;
        let mut response = (status, Json(ErrorView { error: message })).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = header::HeaderValue::from_static("Bearer realm=\"innkeeper\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
