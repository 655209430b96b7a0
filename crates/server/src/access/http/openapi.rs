//! The description of `/auth/v1` in OpenAPI 3.1.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::table::{Operation, REFUSALS};

/// Returns the description of these operations.
pub(super) fn describe<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> Value {
    let mut paths = Map::new();
    for operation in operations {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_ascii_lowercase()] = describe_one(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Syncline: /auth/v1",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0" },
            "description": "What is done about credentials. What each member means is told in docs/security.md.",
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas(),
        },
    })
}

fn describe_one(operation: &Operation) -> Value {
    let in_path = operation.path.split('{').skip(1).filter_map(|part| part.split('}').next());
    let in_path = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }));
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": in_path.collect::<Vec<_>>(),
        "responses": responses(operation),
    });
    if let Some(schema) = operation.body {
        described["requestBody"] = json!({
            "required": true,
            "content": { "application/json": { "schema": reference(schema) } },
        });
    }
    described
}

fn responses(operation: &Operation) -> Value {
    let mut responses = Map::new();
    for (status, schema) in operation.answers {
        let mut described = json!({ "description": "All is well." });
        if let Some(schema) = schema {
            described["content"] = json!({ "application/json": { "schema": reference(schema) } });
        }
        responses.insert(status.to_string(), described);
    }
    let mut refusals: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for (status, word) in REFUSALS.iter().chain(operation.refusals) {
        refusals.entry(*status).or_default().push(word);
    }
    for (status, words) in refusals {
        let mut content = json!({ "application/json": { "schema": reference("Refusal") } });
        // What stands before each operation looks at signatures alike, wherever they come.
        if matches!(status, 401 | 503) {
            content["application/problem+json"] = json!({ "schema": { "type": "object" } });
        }
        responses.insert(status.to_string(), json!({ "description": words.join(", "), "content": content }));
    }
    Value::Object(responses)
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn schemas() -> Value {
    let name = json!({ "type": "string", "minLength": 1, "maxLength": 256 });
    let time = json!({ "type": "string", "format": "date-time" });
    let object = |required: &[&str], members: Value| json!({ "type": "object", "required": required, "properties": members });
    let closed =
        |members: Value| json!({ "type": "object", "additionalProperties": false, "properties": members });
    let revocation = json!({
        "id": name, "user": name, "device": name, "token_id": name, "revoked_at": time, "until": time,
    });
    json!({
        "Ticket": object(&["ticket", "expires_at"], json!({ "ticket": name, "expires_at": time })),
        "Revoke": closed(json!({ "user": name, "device": name, "token_id": name, "room": name, "until": time })),
        "Revocation": object(&["id", "revoked_at", "until"], revocation),
        "Revocations": object(
            &["revocations"],
            json!({ "revocations": { "type": "array", "items": reference("Revocation") } }),
        ),
        "Closed": object(&["room", "closed"], json!({ "room": name, "closed": { "type": "integer", "minimum": 0 } })),
        "Forget": closed(json!({ "user": name, "resource": name })),
        "Forgotten": object(&["forgotten"], json!({ "forgotten": { "type": "integer", "minimum": 0 } })),
        "Refusal": object(&["error", "message"], json!({ "error": name, "message": { "type": "string" } })),
    })
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::{super::Refusal, *};
    use crate::access::{Unauthenticated, http::table::OPERATIONS, tickets::TooManyTickets};

    /// Whatever is refused, the description knows of: its status and its word are those of some operation, or of each.
    #[test]
    fn each_refusal_is_described() {
        let known: Vec<(u16, &str)> =
            OPERATIONS.iter().flat_map(|it| it.refusals).chain(REFUSALS).copied().collect();
        for refusal in [
            Refusal::NoTokens,
            Refusal::Origin,
            Refusal::Unauthenticated(Unauthenticated::Missing),
            Refusal::Unauthenticated(Unauthenticated::Unsigned),
            Refusal::Unauthenticated(Unauthenticated::Unavailable),
            Refusal::TooManyTickets(TooManyTickets),
            Refusal::Forbidden,
            Refusal::Body,
            Refusal::Unread(String::new()),
            Refusal::Name,
            Refusal::Until,
            Refusal::Unknown,
            Refusal::StoreDown,
            Refusal::TooManyRevocations,
            Refusal::NoRandomness,
        ] {
            let (status, word): (StatusCode, _) = refusal.status();
            assert!(known.contains(&(status.as_u16(), word)), "{refusal:?}");
        }
        let described = describe(OPERATIONS);
        for operation in OPERATIONS {
            let method = operation.method.as_str().to_ascii_lowercase();
            assert_eq!(described["paths"][operation.path][method]["operationId"], operation.id);
        }
    }
}
