//! What the server answers over HTTP.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get},
};

use crate::{access, entities, lobby, page, shared::Shared, upgrade};

const PROMETHEUS_TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Returns everything that the server answers.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .merge(entities::routes(&shared))
        .merge(access::routes(&shared))
        .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/rooms", get(lobby::rooms))
        .route("/rooms/events", get(lobby::events))
        .route("/yjs/{*room}", any(upgrade::yjs))
        .route("/automerge", any(upgrade::automerge))
        .route("/automerge/", any(upgrade::automerge))
        .route("/hocuspocus", any(upgrade::hocuspocus))
        .route("/hocuspocus/", any(upgrade::hocuspocus))
        .fallback(page::serve)
        .method_not_allowed_fallback(async || {
            problem(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "this path takes other methods")
        })
        .with_state(shared)
}

/// Returns an error as JSON: a stable word in kebab case, and a sentence for people.
pub(crate) fn problem(status: StatusCode, error: &'static str, message: &str) -> Response {
    (status, Json(BTreeMap::from([("error", error), ("message", message)]))).into_response()
}

/// Returns the token that the sender of a request shows, or an empty text.
pub(crate) fn bearer(headers: &HeaderMap) -> &str {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    shown.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default()
}

async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    match shared.epoch() {
        Some(_) => "ready\n".into_response(),
        None => (StatusCode::SERVICE_UNAVAILABLE, "the store is not open\n").into_response(),
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let now = shared.clock.now().wall;
    if let Some(ledger) = shared.epoch().and_then(|epoch| epoch.ledger().cloned())
        && let Ok(devices) = ledger.look(move |ledger| ledger.device_statuses(now)).await
    {
        shared.metrics.sync.note_devices(&devices);
    }
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], shared.encode_metrics()).into_response()
}
