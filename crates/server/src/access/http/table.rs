//! Every operation of `/auth/v1`: the router and the description in OpenAPI are both made of it.

use std::sync::Arc;

use axum::{
    http::Method,
    routing::{MethodRouter, delete, get, post},
};

use super::{forget, revocations, tickets};
use crate::shared::Shared;

/// One operation on one path.
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// How generated clients call it.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    /// The schema of the body, if it has one.
    pub(super) body: Option<&'static str>,
    /// What is answered when all is well, and the schemas of that.
    pub(super) answers: &'static [(u16, Option<&'static str>)],
    /// The refusals that are its own, besides those that each operation knows.
    pub(super) refusals: &'static [(u16, &'static str)],
    pub(super) serve: fn() -> MethodRouter<Arc<Shared>>,
}

/// The refusals that each operation knows.
pub(super) const REFUSALS: &[(u16, &str)] = &[
    (401, "unauthorized"),
    (401, "signature-required"),
    (403, "origin-not-allowed"),
    (403, "forbidden"),
    (404, "not-found"),
    (503, "store-down"),
    (503, "unavailable"),
];

/// What is told of a body that cannot be read.
const BODY: (u16, &str) = (400, "bad-request");

pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        method: Method::POST,
        path: "/auth/v1/tickets",
        id: "issueTicket",
        summary: "Issues a ticket that stands for the token of the request in the URL of a socket, once and for 30 s.",
        body: None,
        answers: &[(201, Some("Ticket"))],
        refusals: &[(429, "too-many-tickets"), (500, "internal")],
        serve: || post(tickets::issue),
    },
    Operation {
        method: Method::POST,
        path: "/auth/v1/revocations",
        id: "revoke",
        summary: "Revokes the tokens of a user or a device, or one token; or closes everyone in a room, once.",
        body: Some("Revoke"),
        answers: &[(200, Some("Closed")), (201, Some("Revocation"))],
        refusals: &[BODY, (400, "bad-name"), (400, "bad-until"), (507, "too-many-revocations")],
        serve: || post(revocations::revoke),
    },
    Operation {
        method: Method::GET,
        path: "/auth/v1/revocations",
        id: "listRevocations",
        summary: "Lists the revocations that are in force.",
        body: None,
        answers: &[(200, Some("Revocations"))],
        refusals: &[],
        serve: || get(revocations::list),
    },
    Operation {
        method: Method::DELETE,
        path: "/auth/v1/revocations/{id}",
        id: "takeBackRevocation",
        summary: "Takes a revocation back.",
        body: None,
        answers: &[(204, None)],
        refusals: &[(400, "bad-request"), (404, "unknown-revocation")],
        serve: || delete(revocations::take_back),
    },
    Operation {
        method: Method::POST,
        path: "/auth/v1/forget",
        id: "forgetDecisions",
        summary: "Forgets what an application has decided that keeps rights itself, of a user, a resource, both, or all.",
        body: Some("Forget"),
        answers: &[(200, Some("Forgotten"))],
        refusals: &[BODY, (400, "bad-name")],
        serve: || post(forget::forget),
    },
];
