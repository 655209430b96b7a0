//! `/docs/v1`: documents over HTTP, for programs that are no editors.
//!
//! * `caller`: who asks, for which document; `refusal`: what they are told if it cannot be.
//! * `state`: the document as it is, in its room, and as it was, from what is stored.
//! * `table`: what there is, of which the routes and the description in OpenAPI are made; `schemas`: what is sent and answered.
//! * `links`: what of an answer other operations take.
//! * `counted`: how long each takes, for metrics.
//! * `bulk`: many documents at once, out of here and back.
//! * `content`, `edit`, `copy`, `delete`, `past`, `versions`, `list`, `events`, `branches`, `hooks`: the operations.
//! * `y_sweet`: what y-sweet's clients ask for, at the paths where they ask for it.
//!
//! Who may not read a document is told that there is none. A program that writes is a collaborator: what it changes goes through
//! the room, and everyone there sees it.

mod branches;
mod bulk;
mod caller;
mod content;
mod copy;
mod counted;
mod delete;
mod edit;
mod events;
mod hooks;
mod kind;
mod links;
mod list;
mod past;
mod places;
mod refusal;
mod schemas;
mod state;
mod table;
mod versions;
mod y_sweet;

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, middleware::from_fn_with_state};

use crate::{access::check_signatures, entities::dress, limits::SYNC_BODY_BYTES_MAX, shared::Shared};

pub use self::bulk::{
    DocumentsExported, DocumentsImported, Existing, ExportedLine, ImportedLine, NoExport, NotTaken,
    OfflineDocuments, OfflineDocumentsError, Taken,
};

/// Returns everything below `/docs/v1`.
pub(crate) fn routes(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    table::API
        .routes()
        .merge(y_sweet::routes())
        .layer(DefaultBodyLimit::max(SYNC_BODY_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(shared), check_signatures))
        .route_layer(from_fn_with_state(Arc::clone(shared), dress))
        .route_layer(from_fn_with_state(Arc::clone(shared), counted::count))
}
