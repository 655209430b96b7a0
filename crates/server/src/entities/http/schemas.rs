//! The schemas of bodies and answers, as JSON Schema 2020-12 has them.

use serde_json::{Map, Value, json};

use super::openapi;

/// Returns all schemas by their names.
pub(super) fn all() -> Value {
    let parts = [names(), requests(), records(), results(), conflicts(), management()];
    let all: Map<String, Value> = parts.into_iter().flatten().map(|(name, it)| (name.into(), it)).collect();
    Value::Object(all)
}

/// Returns the schema of a placeholder in a path.
pub(super) fn of_path(name: &str) -> Value {
    match name {
        "type" | "scope" => reference("TypeName"),
        "device_id" => reference("EntityId"),
        _ => json!({ "type": "string", "minLength": 1, "maxLength": 128 }),
    }
}

type Named = Vec<(&'static str, Value)>;

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn list(of: Value) -> Value {
    json!({ "type": "array", "items": of })
}

/// An object of which these members must be there.
fn object(required: &[&str], members: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": members })
}

fn names() -> Named {
    vec![
        (
            "U64",
            json!({ "type": "string", "pattern": "^(0|[1-9][0-9]{0,19})$", "description": "A number of 64 bits, in decimal." }),
        ),
        ("EntityId", json!({ "type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,128}$" })),
        ("TypeName", json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$" })),
        (
            "Hlc",
            json!({ "type": "string", "pattern": "^[0-9a-fA-F]{16}$", "description": "A hybrid time: 48 bits of milliseconds, 16 of a counter." }),
        ),
        ("Time", json!({ "type": "string", "format": "date-time" })),
        ("Vector", json!({ "type": "object", "additionalProperties": reference("U64") })),
        (
            "Dot",
            json!({ "type": "array", "prefixItems": [{ "type": "string" }, reference("U64")], "minItems": 2, "maxItems": 2 }),
        ),
        ("Values", json!({ "type": "object", "description": "Values of fields, any JSON." })),
        (
            "Problem",
            object(
                &["type", "title", "status", "code", "retry"],
                json!({
                    "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
                    "detail": { "type": "string" }, "code": { "enum": openapi::codes() }, "retry": { "type": "string" },
                    "retry_after_ms": { "type": "integer" }, "expected_n": reference("U64"), "errors": { "type": "array" },
                }),
            ),
        ),
    ]
}

fn requests() -> Named {
    let scope = object(
        &["scope"],
        json!({
            "scope": reference("TypeName"), "cursor": { "type": ["string", "null"] },
            "params": { "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } },
            "limit": { "type": "integer", "minimum": 1 }, "priority": { "type": "integer", "minimum": 0 },
            "have": { "type": "object", "additionalProperties": { "type": "string" } },
        }),
    );
    let cursor = object(
        &["scope", "cursor"],
        json!({ "scope": reference("TypeName"), "cursor": { "type": "string" } }),
    );
    let op = object(
        &["n", "op"],
        json!({
            "n": reference("U64"), "type": reference("TypeName"), "id": reference("EntityId"),
            "op": { "enum": ["create", "update", "delete", "restore", "delta", "crdt", "noop"] },
            "ctx": { "type": "object", "properties": { "ver": reference("U64"), "vv": reference("Vector"), "hlc": reference("Hlc"), "after": reference("U64") } },
            "set": reference("Values"), "unset": list(json!({ "type": "string" })),
            "delta": { "type": "object", "additionalProperties": { "type": "number" } },
            "update": { "type": "string", "contentEncoding": "base64" }, "was": reference("Values"),
            "hlc": reference("Hlc"), "at": reference("Time"), "deps": list(reference("U64")), "tx": { "type": "string" },
            "refs": list(object(&["type", "id"], json!({ "type": reference("TypeName"), "id": reference("EntityId") }))),
            "schema_v": { "type": "integer", "minimum": 0 }, "meta": {},
        }),
    );
    let device = json!({ "device_id": reference("EntityId"), "client_now": reference("Time"), "rtt_ms": { "type": "integer", "minimum": 0 } });
    let with = |more: Value| merged(&device, more);
    vec![
        ("Op", op),
        ("AckedCursor", cursor),
        ("PullScope", scope),
        (
            "Push",
            object(&["device_id"], with(json!({ "ops": list(reference("Op")), "from_n": reference("U64") }))),
        ),
        (
            "Pull",
            object(
                &["device_id"],
                with(json!({
                    "wait_ms": { "type": "integer", "minimum": 0 }, "scopes": list(reference("PullScope")), "ack": list(reference("AckedCursor")),
                })),
            ),
        ),
        (
            "Ack",
            object(
                &["device_id"],
                json!({
                    "device_id": reference("EntityId"), "cursors": list(reference("AckedCursor")), "results_through": reference("U64"),
                    "backlog": object(&[], json!({ "pending": { "type": "integer", "minimum": 0 }, "oldest_at": reference("Time"), "dead": { "type": "integer", "minimum": 0 } })),
                }),
            ),
        ),
        (
            "Reconcile",
            object(
                &["device_id"],
                with(json!({
                    "ops": list(reference("Op")), "scopes": list(reference("PullScope")), "cursors": list(reference("AckedCursor")),
                    "results_through": reference("U64"), "last_ack_version": { "type": ["string", "integer"] },
                    "mutations": list(object(&["type", "operation"], json!({
                        "client_mutation_id": { "type": "string" }, "temp_id": { "type": "string" }, "entity_id": reference("EntityId"),
                        "type": reference("TypeName"), "operation": { "enum": ["create", "update", "delete", "restore"] },
                        "payload": reference("Values"), "version": reference("U64"), "occurred_at": reference("Time"),
                    }))),
                })),
            ),
        ),
        (
            "Resolve",
            object(
                &["conflict_id", "resolution_id", "expect", "choice"],
                json!({
                    "conflict_id": { "type": "string" }, "resolution_id": { "type": "string", "minLength": 1, "maxLength": 128 },
                    "expect": object(&["conflict_rev", "entity_ver"], json!({ "conflict_rev": { "type": "integer", "minimum": 0 }, "entity_ver": reference("U64") })),
                    "choice": { "type": "string", "pattern": "^(server|client|merged|discard|candidate:[0-9]+)$" },
                    "value": reference("Values"), "rationale": { "type": "string" }, "approve": { "type": "boolean" },
                }),
            ),
        ),
    ]
}

fn records() -> Named {
    let head = json!({
        "type": reference("TypeName"), "id": reference("EntityId"), "op": { "enum": ["put", "delete", "evict", "crdt"] },
        "epoch": reference("U64"), "ver": reference("U64"), "seq": reference("U64"), "vv": reference("Vector"), "dot": reference("Dot"),
        "hlc": reference("Hlc"), "schema_v": { "type": "integer" }, "data": reference("Values"), "reason": { "type": "string" },
        "update": { "type": "string" }, "state_vector": { "type": "string" },
    });
    vec![
        ("Change", object(&["op", "type", "id"], head)),
        (
            "ScopePage",
            object(
                &["scope", "reset", "changes", "cursor", "has_more", "up_to_date"],
                json!({
                    "scope": reference("TypeName"), "reset": { "type": ["object", "null"] }, "changes": list(reference("Change")),
                    "cursor": { "type": "string" }, "has_more": { "type": "boolean" }, "up_to_date": { "type": "boolean" },
                    "checksum": { "type": "object" }, "progress": { "type": "object" },
                }),
            ),
        ),
        (
            "Pulled",
            object(
                &[
                    "epoch",
                    "as_of",
                    "server_hlc",
                    "last_n",
                    "high_n",
                    "scopes",
                    "results",
                    "conflicts_open",
                    "hints",
                ],
                json!({
                    "epoch": reference("U64"), "as_of": reference("U64"), "server_hlc": reference("Hlc"), "last_n": reference("U64"),
                    "high_n": reference("U64"), "scopes": list(reference("ScopePage")), "results": list(reference("Result")),
                    "conflicts_open": { "type": "integer" }, "hints": { "type": "object" },
                }),
            ),
        ),
    ]
}

fn results() -> Named {
    vec![
        (
            "Result",
            object(
                &["n", "status"],
                json!({
                    "n": reference("U64"),
                    "status": { "enum": ["applied", "merged", "conflict", "superseded", "rejected", "duplicate", "deferred"] },
                    "type": reference("TypeName"), "id": reference("EntityId"), "ver": reference("U64"), "vv": reference("Vector"),
                    "dot": reference("Dot"), "hlc": reference("Hlc"), "seq": reference("U64"), "data": reference("Values"),
                    "conflict_id": { "type": "string" }, "problem": { "type": "object" }, "of": { "type": ["object", "null"] },
                }),
            ),
        ),
        (
            "Pushed",
            object(
                &["epoch", "last_n", "high_n", "done_beyond", "fence", "results", "id_map"],
                json!({
                    "epoch": reference("U64"), "last_n": reference("U64"), "high_n": reference("U64"), "done_beyond": list(reference("U64")),
                    "fence": reference("U64"), "results": list(reference("Result")), "id_map": { "type": "object" },
                }),
            ),
        ),
        (
            "Acknowledged",
            object(
                &["acked", "floor"],
                json!({
                    "acked": list(object(&["scope", "pos"], json!({ "scope": reference("TypeName"), "pos": reference("U64") }))),
                    "floor": reference("U64"),
                }),
            ),
        ),
        (
            "Reconciled",
            object(
                &["applied", "conflicts", "checkpoint"],
                json!({
                    "ack": { "type": ["object", "null"] }, "push": { "type": "object" }, "pull": { "type": "object" },
                    "applied": { "type": "array" }, "conflicts": { "type": "array" }, "rejected": { "type": "array" },
                    "checkpoint": { "type": ["string", "null"] },
                }),
            ),
        ),
    ]
}

fn conflicts() -> Named {
    vec![
        (
            "Conflict",
            object(
                &["conflict_id", "rev", "state", "type", "entity_id", "kind"],
                json!({
                    "conflict_id": { "type": "string" }, "rev": { "type": "integer" },
                    "state": { "enum": ["auto", "open", "assigned", "escalated", "resolved", "expired"] },
                    "type": reference("TypeName"), "entity_id": reference("EntityId"), "kind": { "type": "string" },
                }),
            ),
        ),
        ("OneConflict", object(&["conflict"], json!({ "conflict": reference("Conflict") }))),
        (
            "Conflicts",
            object(
                &["conflicts", "cursor"],
                json!({
                    "conflicts": list(reference("Conflict")), "cursor": { "type": ["string", "null"] },
                }),
            ),
        ),
        (
            "Resolved",
            object(
                &["conflict", "result"],
                json!({ "conflict": reference("Conflict"), "result": { "type": ["object", "null"] } }),
            ),
        ),
    ]
}

fn management() -> Named {
    vec![
        (
            "Device",
            object(
                &["device_id"],
                json!({
                    "device_id": reference("EntityId"), "name": { "type": "string", "minLength": 1, "maxLength": 128 },
                    "app": { "type": "string", "minLength": 1, "maxLength": 128 }, "public_key": { "type": "string" },
                }),
            ),
        ),
        (
            "Bound",
            object(
                &["device_id", "bound", "bound_at"],
                json!({
                    "device_id": reference("EntityId"), "bound": { "type": "boolean" }, "bound_at": reference("Time"),
                }),
            ),
        ),
        ("Devices", object(&["devices"], json!({ "devices": { "type": "array" } }))),
        (
            "Status",
            object(
                &["device", "scopes", "results_unacked", "conflicts", "server_time", "protocol"],
                json!({
                    "device": { "type": "object" }, "scopes": { "type": "array" }, "results_unacked": { "type": "integer" },
                    "conflicts": { "type": "object" }, "limits": { "type": "object" }, "server_time": reference("Time"), "protocol": { "type": "object" },
                }),
            ),
        ),
        ("Type", object(&["policy"], json!({ "policy": { "type": "string" } }))),
        ("Types", object(&["types"], json!({ "types": { "type": "array" } }))),
        (
            "Scope",
            object(
                &["types"],
                json!({ "types": { "type": "array", "items": reference("TypeName"), "minItems": 1 }, "bucket": { "type": "string", "minLength": 1, "maxLength": 128 } }),
            ),
        ),
        ("Scopes", object(&["scopes"], json!({ "scopes": { "type": "array" } }))),
    ]
}

/// Returns the members of both.
fn merged(one: &Value, other: Value) -> Value {
    let mut all = one.as_object().cloned().unwrap_or_default();
    all.extend(other.as_object().cloned().unwrap_or_default());
    Value::Object(all)
}
