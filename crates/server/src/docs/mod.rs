//! `/docs/v1`: documents over HTTP, for programs that are no editors.
//!
//! * `caller`: who asks, for which document; `refusal`: what they are told if it cannot be.
//! * `state`: the document as it is, in its room, and as it was, from what is stored.
//! * `content`, `edit`, `past`, `versions`, `list`: the operations.
//!
//! Who may not read a document is told that there is none. A program that writes is a collaborator: what it changes goes through
//! the room, and everyone there sees it.

mod caller;
mod content;
mod edit;
mod list;
mod past;
mod refusal;
mod state;
mod versions;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware::from_fn_with_state,
    routing::{get, post},
};

use crate::{
    access::check_signatures,
    entities::{dress, preflight},
    limits::SYNC_BODY_BYTES_MAX,
    shared::Shared,
};

/// Returns everything below `/docs/v1`.
pub(crate) fn routes(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    let document = get(content::read).put(edit::create).patch(edit::patch).options(preflight);
    let version = get(versions::read).delete(versions::delete).options(preflight);
    Router::new()
        .route("/docs/v1/documents", get(list::list).options(preflight))
        .route("/docs/v1/documents/{name}", document)
        .route("/docs/v1/documents/{name}/history", get(past::history).options(preflight))
        .route("/docs/v1/documents/{name}/authors", get(past::authors).options(preflight))
        .route("/docs/v1/documents/{name}/diff", get(past::diff).options(preflight))
        .route("/docs/v1/documents/{name}/restore", post(past::restore).options(preflight))
        .route(
            "/docs/v1/documents/{name}/versions",
            get(versions::list).post(versions::create).options(preflight),
        )
        .route("/docs/v1/documents/{name}/versions/{version}", version)
        .layer(DefaultBodyLimit::max(SYNC_BODY_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(shared), check_signatures))
        .route_layer(from_fn_with_state(Arc::clone(shared), dress))
}
