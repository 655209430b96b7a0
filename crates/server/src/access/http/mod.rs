//! `/auth/v1`: what is done about credentials.

mod forget;
mod openapi;
mod revocations;
mod table;
mod tickets;

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use syncline_core::access::{Action, Identity, Resource};

use super::{
    Unauthenticated,
    signed::{Signed, admit, check},
    stored::PutError,
    tickets::TooManyTickets,
};
use crate::{
    entities::dress,
    http::{TOO_MANY, bearer, problem, too_many},
    limits::REVOCATION_BODY_BYTES_MAX,
    quota::TooFast,
    shared::Shared,
    tenants::TooManyTenants,
};

/// Returns everything below `/auth/v1`.
pub(crate) fn routes(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    openapi::API
        .routes()
        .layer(from_fn_with_state(Arc::clone(shared), check))
        .route_layer(from_fn_with_state(Arc::clone(shared), dress))
}

/// Why a request about credentials is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("no token is asked for here, so there is nothing to do about one")]
    NoTokens,
    #[error("pages of this origin may not ask; an operator can allow it with --allow-origin")]
    Origin,
    #[error("{0}; send one as `Authorization: Bearer TOKEN`")]
    Unauthenticated(Unauthenticated),
    #[error(transparent)]
    TooManyTickets(#[from] TooManyTickets),
    #[error(transparent)]
    TooFast(#[from] TooFast),
    #[error("this needs a token that may administer `server`")]
    Forbidden,
    #[error("name one of `user`, `device`, `token_id` and `room`, and perhaps `until`, but not for a room")]
    Body,
    #[error("the body is not understood: {0}")]
    Unread(String),
    #[error("nobody and nothing can have this name")]
    Name,
    #[error("`until` is a time to come, as 2027-01-31T00:00:00.000Z")]
    Until,
    #[error("nothing of this id is revoked")]
    Unknown,
    #[error("the store is not open; come again")]
    StoreDown,
    #[error("there are as many revocations as may be; take some back")]
    TooManyRevocations,
    #[error(transparent)]
    TooManyTenants(#[from] TooManyTenants),
    #[error("the system gives no random bytes")]
    NoRandomness,
}

impl Refusal {
    const fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NoTokens => (StatusCode::NOT_FOUND, "not-found"),
            Self::Origin => (StatusCode::FORBIDDEN, "origin-not-allowed"),
            Self::Unauthenticated(Unauthenticated::Unavailable) => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            }
            Self::Unauthenticated(Unauthenticated::Unsigned) => {
                (StatusCode::UNAUTHORIZED, "signature-required")
            }
            Self::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::TooManyTickets(_) => (StatusCode::TOO_MANY_REQUESTS, "too-many-tickets"),
            Self::TooFast(_) => (StatusCode::TOO_MANY_REQUESTS, TOO_MANY),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::Body | Self::Unread(_) => (StatusCode::BAD_REQUEST, "bad-request"),
            Self::Name => (StatusCode::BAD_REQUEST, "bad-name"),
            Self::Until => (StatusCode::BAD_REQUEST, "bad-until"),
            Self::Unknown => (StatusCode::NOT_FOUND, "unknown-revocation"),
            Self::StoreDown => (StatusCode::SERVICE_UNAVAILABLE, "store-down"),
            Self::TooManyRevocations => (StatusCode::INSUFFICIENT_STORAGE, "too-many-revocations"),
            Self::TooManyTenants(_) => (StatusCode::INSUFFICIENT_STORAGE, "too-many-tenants"),
            Self::NoRandomness => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

impl From<PutError> for Refusal {
    fn from(error: PutError) -> Self {
        match error {
            PutError::TooMany => Self::TooManyRevocations,
            PutError::Down => Self::StoreDown,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if let Self::TooFast(too_fast) = &self {
            return too_many(TOO_MANY, too_fast);
        }
        let (status, error) = self.status();
        problem(status, error, &self.to_string())
    }
}

/// Who asks. A ticket is no token here.
struct Caller(Arc<Identity>);

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        if !shared.gate.asks_token() {
            return Err(Refusal::NoTokens);
        }
        if !shared.pages.may_ask(&parts.headers) {
            return Err(Refusal::Origin);
        }
        let now = shared.clock.now().wall;
        let identity = shared.gate.identify(bearer(&parts.headers), None, now).await;
        let identity = identity.map_err(Refusal::Unauthenticated)?;
        shared.admit(&shared.payer(&identity), 0)?;
        let signed = parts.extensions.get::<Signed>().cloned().unwrap_or_default();
        Ok(Self(admit(shared, identity, &signed).await.map_err(Refusal::Unauthenticated)?))
    }
}

/// Reads a body: an object of members that are known.
async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    let body = to_bytes(body, REVOCATION_BODY_BYTES_MAX).await;
    let body = body.map_err(|error| Refusal::Unread(error.to_string()))?;
    serde_json::from_slice(&body).map_err(|error| Refusal::Unread(error.to_string()))
}

/// Returns who asks, if they may administer the server.
fn admin(Caller(identity): Caller) -> Result<Arc<Identity>, Refusal> {
    if identity.may(Action::Admin, Resource::Server) { Ok(identity) } else { Err(Refusal::Forbidden) }
}
