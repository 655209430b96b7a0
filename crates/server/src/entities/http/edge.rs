//! What every answer of `/sync/v1`, `/auth/v1` and `/docs/v1` carries, and what browsers ask before they let a page ask.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use syncline_protocol::wire::sync_v1::time_text;

use super::{openapi::BASE, reply::Waited, table::OPERATIONS};
use crate::{clock::Stopwatch, shared::Shared};

/// How long a browser remembers what a page may ask, in seconds.
const PREFLIGHT_AGE_S: &str = "600";

/// Dresses an answer.
pub(crate) async fn dress(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let asked = Stopwatch::start();
    let operation = operation_of(&request);
    let origin = request.headers().get(header::ORIGIN).cloned();
    let origin = origin.filter(|_| shared.pages.may_ask(request.headers()));
    let mut response = next.run(request).await;
    if let Some(operation) = operation {
        let waited = response.extensions().get::<Waited>().map_or(0.0, |waited| waited.0.as_secs_f64());
        let seconds = (asked.seconds() - waited).max(0.0);
        shared.metrics.sync.answered(operation, response.status().as_u16(), seconds);
    }
    let headers = response.headers_mut();
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("etag, retry-after, sync-server-time"),
        );
    }
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(now) = HeaderValue::from_str(&time_text(shared.clock.now().wall)) {
        headers.insert("sync-server-time", now);
    }
    response
}

/// Returns what is asked for, by the name that generated clients have for it.
fn operation_of(request: &Request) -> Option<&'static str> {
    let path = request.extensions().get::<MatchedPath>()?.as_str().strip_prefix(BASE)?;
    let found = OPERATIONS.iter().find(|it| it.path == path && it.method == request.method());
    found.map(|operation| operation.id)
}

/// Answers what a browser asks before it lets a page ask.
pub(crate) async fn preflight(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    if !headers.contains_key(header::ORIGIN) || !shared.pages.may_ask(&headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let may = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-digest, content-type, if-match, if-none-match, signature, signature-input, sync-client, \
             sync-protocol, sync-schema, sync-user, traceparent",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE_S),
    ];
    (StatusCode::NO_CONTENT, may).into_response()
}
