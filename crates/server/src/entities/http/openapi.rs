//! The description of `/sync/v1` in OpenAPI 3.1.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use syncline_protocol::wire::sync_v1::Code;

use super::{
    description::{Content, EXPORT_LINE, Operation, Parameter},
    export::LINES,
    schemas,
};

/// Where all operations are.
pub(super) const BASE: &str = "/sync/v1";

/// Returns the description of these operations.
pub(super) fn describe<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> Value {
    let mut paths = Map::new();
    for operation in operations {
        let path = paths.entry(format!("{BASE}{}", operation.path)).or_insert_with(|| json!({}));
        path[operation.method.as_str().to_ascii_lowercase()] = describe_one(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Syncline: /sync/v1",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0" },
            "description": "Offline-first sync of entities. What each member means is told in docs/sync-v1.md.",
        },
        "servers": [{ "url": "/" }],
        "security": [{}, { "bearer": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
            "schemas": schemas::all(),
        },
    })
}

fn describe_one(operation: &Operation) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": parameters(operation),
        "responses": responses(operation),
    });
    if let Some(schema) = operation.body {
        let media = if schema == EXPORT_LINE { LINES } else { "application/json" };
        described["requestBody"] = json!({
            "required": true,
            "content": { media: { "schema": reference(schema) } },
        });
    }
    described
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let in_path = operation.path.split('{').skip(1).filter_map(|part| part.split('}').next());
    let in_path = in_path.map(
        |name| json!({ "name": name, "in": "path", "required": true, "schema": schemas::of_path(name) }),
    );
    let in_query = operation.query.iter().map(|Parameter { name, required, repeats, summary }| {
        let text = json!({ "type": "string" });
        let schema = if *repeats { json!({ "type": "array", "items": text }) } else { text };
        json!({ "name": name, "in": "query", "required": required, "description": summary, "schema": schema })
    });
    // Whoever may be refused for the schema may say which one it uses.
    let in_header = operation.codes.contains(&Code::SchemaUnsupported).then(|| {
        json!({
            "name": "Sync-Schema",
            "in": "header",
            "required": false,
            "description": "The version of the schema that the client uses.",
            "schema": { "type": "integer", "minimum": 0, "maximum": u32::MAX },
        })
    });
    in_path.chain(in_query).chain(in_header).collect()
}

fn responses(operation: &Operation) -> Value {
    let mut responses = Map::new();
    for (status, content) in operation.answers {
        let described = match content {
            Content::Json(schema) => json!({
                "description": "All is well.",
                "content": { "application/json": { "schema": reference(schema) } },
            }),
            Content::Lines(schema) => json!({
                "description": "Lines, each of which is JSON.",
                "content": { LINES: { "schema": reference(schema) } },
            }),
            Content::Socket => json!({ "description": "The connection is a WebSocket from now on." }),
            Content::Events => json!({
                "description": "Events, as they come.",
                "content": { "text/event-stream": { "schema": { "type": "string" } } },
            }),
        };
        // One answer may come in two forms.
        let told = responses.entry(status.to_string()).or_insert_with(|| described.clone());
        let forms = told.get_mut("content").and_then(Value::as_object_mut);
        if let (Some(forms), Some(form)) = (forms, described["content"].as_object()) {
            forms.extend(form.clone());
        }
    }
    let mut refusals: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for code in operation.all_codes() {
        let codes = refusals.entry(code.status()).or_default();
        if !codes.contains(&code.as_str()) {
            codes.push(code.as_str());
        }
    }
    for (status, codes) in refusals {
        responses.insert(
            status.to_string(),
            json!({
                "description": codes.join(", "),
                "content": { "application/problem+json": { "schema": reference("Problem") } },
            }),
        );
    }
    Value::Object(responses)
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

/// Returns all codes, as a schema lists them.
pub(super) fn codes() -> Vec<&'static str> {
    Code::ALL.iter().map(|code| code.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::http::table::OPERATIONS;

    /// Whoever makes clients of it takes a member that is there for one that says something.
    #[test]
    fn nothing_in_it_is_null() {
        fn nulls(value: &Value) -> usize {
            match value {
                Value::Null => 1,
                Value::Array(items) => items.iter().map(nulls).sum(),
                Value::Object(members) => members.values().map(nulls).sum(),
                Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
            }
        }
        assert_eq!(nulls(&describe(OPERATIONS)), 0);
    }
}
