//! What `/sync/v1` offers, as data: the router and the OpenAPI description are both made of it.

use std::sync::Arc;

use axum::{http::Method, routing::MethodRouter};
use syncline_protocol::wire::sync_v1::Code;

use crate::shared::Shared;

/// The schema of one line of an export, the only body that is not JSON as a whole.
pub(super) const EXPORT_LINE: &str = "ExportLine";

/// One operation on one path.
pub(super) struct Operation {
    pub(super) method: Method,
    /// Below `/sync/v1`, with placeholders in braces.
    pub(super) path: &'static str,
    /// How generated clients call it.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    /// Members of the query, and headers, with what is to be known of each.
    pub(super) query: &'static [Parameter],
    /// The schema of the body, if it has one.
    pub(super) body: Option<&'static str>,
    /// What is answered when all is well.
    pub(super) answers: &'static [(u16, Content)],
    /// The refusals that are its own, besides those that each operation knows.
    pub(super) codes: &'static [Code],
    pub(super) serve: fn() -> MethodRouter<Arc<Shared>>,
}

/// A member of the query.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) required: bool,
    /// Whether it may come several times.
    pub(super) repeats: bool,
    pub(super) summary: &'static str,
}

/// What an answer holds.
#[derive(Clone, Copy)]
pub(super) enum Content {
    /// JSON of a schema.
    Json(&'static str),
    /// Lines of JSON of a schema.
    Lines(&'static str),
    /// Server-sent events.
    Events,
    /// None: the connection becomes a WebSocket.
    Socket,
}

impl Operation {
    /// Returns the refusals that there may be, those of every operation included.
    pub(super) fn all_codes(&self) -> impl Iterator<Item = Code> {
        let common = [
            Code::Unauthenticated,
            Code::SignatureRequired,
            Code::SignatureInvalid,
            Code::ForbiddenOp,
            Code::ProtocolUnsupported,
            Code::StorageFull,
            Code::RateLimited,
            Code::ReadOnly,
        ];
        let of_body = [Code::MalformedRequest, Code::PayloadTooLarge];
        let of_query = [Code::MalformedRequest];
        let body = self.body.is_some().then_some(of_body).into_iter().flatten();
        let query = (!self.query.is_empty()).then_some(of_query).into_iter().flatten();
        common.into_iter().chain(body).chain(query).chain(self.codes.iter().copied())
    }
}
