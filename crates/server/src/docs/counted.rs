//! How long each operation takes, and how it is answered.

use std::sync::Arc;

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};

use super::table::API;
use crate::{clock::Stopwatch, shared::Shared};

/// Counts a request by its operation. Of a stream the time until it begins counts.
pub(super) async fn count(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let asked = Stopwatch::start();
    let operation = operation_of(&request);
    let response = next.run(request).await;
    if let Some(operation) = operation {
        shared.metrics.docs.answered(operation, response.status().as_u16(), asked.seconds());
    }
    response
}

/// Returns what is asked for, by the name that generated clients have for it.
fn operation_of(request: &Request) -> Option<&'static str> {
    let path = request.extensions().get::<MatchedPath>()?.as_str().strip_prefix(API.base)?;
    let found = API.operations.iter().find(|it| it.path == path && it.method == request.method());
    found.map(|operation| operation.id)
}
