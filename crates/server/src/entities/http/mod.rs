//! `/sync/v1` over HTTP.
//!
//! * [`routes`]: what there is, from one table, of which the description in OpenAPI is made, too;
//! * `ask`: who asks, and the way to the ledger; `refusal`, `reply`: the way back;
//! * `push`, `pull` and the others: one request each.

mod ack;
mod ask;
mod conflicts;
mod cursors;
mod devices;
mod documents;
mod edge;
mod erase;
mod events;
mod export;
mod import;
mod live;
mod news;
mod openapi;
mod pull;
mod push;
mod reconcile;
mod refusal;
mod reply;
mod resolve;
mod schemas;
mod scopes;
mod status;
mod suggest;
mod table;
mod types;
mod unpack;
mod ws;

use std::sync::Arc;

use axum::{
    Router,
    http::{Extensions, HeaderMap, StatusCode, Version},
    middleware::{from_fn, from_fn_with_state},
};
use tower_http::{
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, Predicate},
    },
    decompression::RequestDecompressionLayer,
};

pub(crate) use self::{
    edge::{dress, preflight},
    refusal::refused,
};
use crate::{access::check_signatures, shared::Shared};

/// Returns everything below `/sync/v1`.
pub(crate) fn routes(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    openapi::API
        .routes()
        .layer(RequestDecompressionLayer::new())
        .layer(from_fn(unpack::unpack))
        .layer(CompressionLayer::new().compress_when(DefaultPredicate::new().and(may_be_packed)))
        // What is signed is the body as it is sent.
        .layer(from_fn_with_state(Arc::clone(shared), check_signatures))
        .route_layer(from_fn_with_state(Arc::clone(shared), edge::dress))
}

fn may_be_packed(_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions) -> bool {
    extensions.get::<reply::PieceByPiece>().is_none()
}
