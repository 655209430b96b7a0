//! What the server answers over HTTP.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::from_fn_with_state,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use futures_util::future::join_all;

use crate::{
    access, docs, edge, entities, lobby, openapi::LINES, page, quota::TooFast, shared::Shared, upgrade,
};

const PROMETHEUS_TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Returns everything that the server answers.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .merge(entities::routes(&shared))
        .merge(access::routes(&shared))
        .merge(docs::routes(&shared))
        .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/rooms", get(lobby::rooms))
        .route("/rooms/events", get(lobby::events))
        .route("/yjs/{*room}", any(upgrade::yjs))
        .route("/d/{document}/ws/{*again}", any(upgrade::y_sweet))
        .route("/doc/ws/{*document}", any(upgrade::y_sweet))
        .route("/automerge", any(upgrade::automerge))
        .route("/automerge/", any(upgrade::automerge))
        .route("/hocuspocus", any(upgrade::hocuspocus))
        .route("/hocuspocus/", any(upgrade::hocuspocus))
        .fallback(page::serve)
        .method_not_allowed_fallback(async || {
            problem(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "this path takes other methods")
        })
        .layer(from_fn_with_state(Arc::clone(&shared), edge::enter))
        .with_state(shared)
}

/// Returns lines of JSON as they come.
pub(crate) fn lines(body: Body) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(LINES))], body).into_response()
}

/// Returns an error as JSON: a stable word in kebab case, and a sentence for people. Whoever may come again is told when, and
/// whoever has to show a token which kind.
pub(crate) fn problem(status: StatusCode, error: &'static str, message: &str) -> Response {
    let mut response =
        (status, Json(BTreeMap::from([("error", error), ("message", message)]))).into_response();
    let headers = response.headers_mut();
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        _ => {}
    }
    response
}

/// What someone is told who comes too fast, but on `/sync/v1`, which has a code of its own for it.
pub(crate) const TOO_MANY: &str = "too-many-requests";

/// Returns the answer to someone who comes too fast, as a problem of RFC 9457.
pub(crate) fn too_many(code: &str, too_fast: &TooFast) -> Response {
    let TooFast { wait_ms, .. } = *too_fast;
    let body = serde_json::json!({
        "type": format!("urn:syncline:problem:{code}"),
        "title": "There are too many requests",
        "status": StatusCode::TOO_MANY_REQUESTS.as_u16(),
        "detail": too_fast.to_string(),
        "code": code,
        "retry": "after",
        "retry_after_ms": wait_ms,
    });
    let kind = [(header::CONTENT_TYPE, "application/problem+json")];
    let mut response = (StatusCode::TOO_MANY_REQUESTS, kind, body.to_string()).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, wait_ms.div_ceil(1_000).into());
    response
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
    if let Some(epoch) = shared.epoch() {
        let looks = epoch.ledgers.all().into_iter().map(|ledger| async move {
            let devices = ledger.look(move |ledger| ledger.device_statuses(now)).await.ok()?;
            Some((ledger.tenant().clone(), devices))
        });
        let looked = join_all(looks).await.into_iter().flatten().collect::<Vec<_>>();
        shared.metrics.sync.note_devices(&looked);
    }
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], shared.encode_metrics()).into_response()
}
