//! Every operation of `/auth/v1`: the router and the description in OpenAPI are both made of it.

use axum::{
    http::Method,
    routing::{delete, get, post},
};

use super::{forget, revocations, tickets};
use crate::openapi::{Content, Link, Operation, Word};

/// What is told of a body that cannot be read.
const BODY: Word = (400, "bad-request");

/// Something is stored.
const TENANTS: Word = (507, "too-many-tenants");

pub(super) const OPERATIONS: &[Operation<Word>] = &[
    Operation {
        method: Method::POST,
        path: "/tickets",
        id: "issueTicket",
        summary: "Issues a ticket that stands for the token of the request in the URL of a socket, once and for 30 s.",
        query: &[],
        body: &[],
        answers: &[(201, Content::Json("Ticket"))],
        codes: &[(429, "too-many-tickets"), (500, "internal")],
        serve: || post(tickets::issue),
    },
    Operation {
        method: Method::POST,
        path: "/revocations",
        id: "revoke",
        summary: "Revokes the tokens of a user or a device, or one token; or closes everyone in a room, once.",
        query: &[],
        body: &[Content::Json("Revoke")],
        answers: &[(200, Content::Json("Closed")), (201, Content::Json("Revocation"))],
        codes: &[BODY, (400, "bad-name"), (400, "bad-until"), TENANTS, (507, "too-many-revocations")],
        serve: || post(revocations::revoke),
    },
    Operation {
        method: Method::GET,
        path: "/revocations",
        id: "listRevocations",
        summary: "Lists the revocations that are in force.",
        query: &[],
        body: &[],
        answers: &[(200, Content::Json("Revocations"))],
        codes: &[],
        serve: || get(revocations::list),
    },
    Operation {
        method: Method::DELETE,
        path: "/revocations/{id}",
        id: "takeBackRevocation",
        summary: "Takes a revocation back.",
        query: &[],
        body: &[],
        answers: &[(204, Content::Nothing)],
        codes: &[TENANTS, (404, "unknown-revocation")],
        serve: || delete(revocations::take_back),
    },
    Operation {
        method: Method::POST,
        path: "/forget",
        id: "forgetDecisions",
        summary: "Forgets what an application has decided that keeps rights itself, of a user, a resource, both, or all.",
        query: &[],
        body: &[Content::Json("Forget")],
        answers: &[(200, Content::Json("Forgotten"))],
        codes: &[BODY, (400, "bad-name")],
        serve: || post(forget::forget),
    },
];

/// Whoever has revoked something, or sees it in the list, may take it back.
pub(super) const LINKS: &[Link] = &[
    Link {
        from: ("revoke", 201),
        to: "takeBackRevocation",
        parameters: &[("id", "$response.body#/id")],
        body: &[],
    },
    Link {
        from: ("listRevocations", 200),
        to: "takeBackRevocation",
        parameters: &[("id", "$response.body#/revocations/0/id")],
        body: &[],
    },
];
