//! What the description of `/auth/v1` says besides its table.

use serde_json::{Value, json};

use super::table::{LINKS, OPERATIONS};
use crate::{
    http::TOO_MANY,
    openapi::{Api, Operation, PROBLEM, Refused, Word, of_signature, reference},
};

pub(super) const API: Api<Word> = Api {
    base: "/auth/v1",
    title: "Syncline: /auth/v1",
    about: "What is done about credentials. What each member means is told in docs/security.md.",
    is_for_bearers: true,
    operations: OPERATIONS,
    links: LINKS,
    schemas,
    of_path: |_| json!({ "type": "string", "minLength": 1 }),
    of_query: |_| json!({ "type": "string" }),
    headers: |_| Vec::new(),
    answer_headers: |_, _| None,
    refusals,
};

/// The refusals that each operation knows.
const REFUSALS: &[Word] = &[
    (401, "unauthorized"),
    (401, "signature-required"),
    (403, "origin-not-allowed"),
    (403, "not-local"),
    (403, "forbidden"),
    (404, "not-found"),
    (429, TOO_MANY),
    (503, "store-down"),
    (503, "unavailable"),
];

fn refusals(operation: &Operation<Word>) -> Vec<Refused> {
    let refused = |(status, code): Word| {
        let is_problem = code == TOO_MANY;
        let (media, schema) = if is_problem { (PROBLEM, "Problem") } else { ("application/json", "Refusal") };
        Refused { status, code, media, schema }
    };
    let own = REFUSALS.iter().chain(operation.codes).copied().map(refused);
    own.chain(of_signature(!operation.body.is_empty())).collect()
}

fn schemas() -> Value {
    let name = json!({ "type": "string", "minLength": 1, "maxLength": 256 });
    let (text, count) = (json!({ "type": "string" }), json!({ "type": "integer", "minimum": 0 }));
    let time = json!({ "type": "string", "format": "date-time" });
    let object = |required: &[&str], members: Value| json!({ "type": "object", "required": required, "properties": members });
    let closed =
        |members: Value| json!({ "type": "object", "additionalProperties": false, "properties": members });
    let revocation = json!({
        // The kind of what is revoked stands before its name.
        "id": { "type": "string" }, "user": name, "device": name, "token_id": name, "revoked_at": time, "until": time,
    });
    // One of them is named, and what is revoked has an end.
    let revoke = |(member, more): (&str, &[&str])| {
        let mut one = closed(json!({}));
        one["required"] = json!([member]);
        one["properties"][member] = name.clone();
        for member in more {
            one["properties"][*member] = time.clone();
        }
        one
    };
    let until: &[&str] = &["until"];
    let revokes = [("user", until), ("device", until), ("token_id", until), ("room", &[])].map(revoke);
    json!({
        "Ticket": object(&["ticket", "expires_at"], json!({ "ticket": name, "expires_at": time })),
        "Revoke": { "oneOf": revokes },
        "Revocation": object(&["id", "revoked_at", "until"], revocation),
        "Revocations": object(
            &["revocations"],
            json!({ "revocations": { "type": "array", "items": reference("Revocation") } }),
        ),
        "Closed": object(&["room", "closed"], json!({ "room": name, "closed": count })),
        "Forget": closed(json!({ "user": name, "resource": name })),
        "Forgotten": object(&["forgotten"], json!({ "forgotten": count })),
        "Problem": object(
            &["type", "title", "status", "code"],
            json!({ "type": text, "title": text, "status": count, "code": text }),
        ),
        "Refusal": object(&["error", "message"], json!({ "error": text, "message": text })),
    })
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::{super::Refusal, *};
    use crate::{
        access::{Unauthenticated, tickets::TooManyTickets},
        openapi::tests::{check_links, check_references, check_that_nothing_is_null},
        quota::{Limit, TooFast},
        tenants::TooManyTenants,
    };

    #[test]
    fn the_description_is_whole() {
        check_that_nothing_is_null(&API);
        check_references(&API);
        check_links(&API);
    }

    /// Whatever is refused, the description knows of: its status and its word are those of some operation, or of each.
    #[test]
    fn each_refusal_is_described() {
        let known: Vec<Word> = OPERATIONS.iter().flat_map(|it| it.codes).chain(REFUSALS).copied().collect();
        for refusal in [
            Refusal::NoTokens,
            Refusal::Origin,
            Refusal::Unauthenticated(Unauthenticated::Missing),
            Refusal::Unauthenticated(Unauthenticated::Unsigned),
            Refusal::Unauthenticated(Unauthenticated::Unavailable),
            Refusal::TooManyTickets(TooManyTickets),
            Refusal::TooFast(TooFast { limit: Limit::UserRate, wait_ms: 1 }),
            Refusal::Forbidden,
            Refusal::Body,
            Refusal::Unread(String::new()),
            Refusal::Name,
            Refusal::Until,
            Refusal::Unknown,
            Refusal::StoreDown,
            Refusal::TooManyRevocations,
            Refusal::TooManyTenants(TooManyTenants),
            Refusal::NoRandomness,
        ] {
            let (status, word): (StatusCode, _) = refusal.status();
            assert!(known.contains(&(status.as_u16(), word)), "{refusal:?}");
        }
    }
}
