//! The schemas of bodies and answers, as JSON Schema 2020-12 has them.

use serde_json::{Map, Value, json};

use super::openapi;

const POLICIES: [&str; 13] = [
    "append_only",
    "lww",
    "field_merge",
    "server_authoritative",
    "server_wins",
    "client_wins",
    "first_write_wins",
    "additive",
    "max",
    "min",
    "rules",
    "manual",
    "crdt",
];

/// Returns all schemas by their names.
pub(super) fn all() -> Value {
    let parts =
        [names(), requests(), parts_of_requests(), records(), results(), conflicts(), management(), bulk()];
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

/// An object that is sent: members that need not be there may be `null`, which is the same.
fn sent(required: &[&str], members: Value) -> Value {
    let nullable = members.as_object().into_iter().flatten().map(|(name, it)| {
        let is_required = required.contains(&name.as_str());
        let it = if is_required { it.clone() } else { json!({ "anyOf": [it, { "type": "null" }] }) };
        (name.clone(), it)
    });
    object(required, Value::Object(nullable.collect()))
}

fn names() -> Named {
    vec![
        (
            "U64",
            json!({ "type": "string", "pattern": "^(0|[1-9][0-9]{0,19})$", "description": "A number of 64 bits, in decimal." }),
        ),
        (
            "Number",
            json!({
                "description": "A number of 64 bits, in decimal; below 2^53 also as a number.",
                "anyOf": [reference("U64"), { "type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_u64 }],
            }),
        ),
        ("Count", reference("Number")),
        ("Label", json!({ "type": "string", "minLength": 1, "maxLength": 128 })),
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
                    "retry_after_ms": { "type": "integer" }, "expected_n": reference("U64"), "n": reference("U64"),
                    "reason": { "type": "string" }, "last_n": reference("U64"), "errors": { "type": "array" },
                    "min": { "type": "integer" }, "max": { "type": "integer" },
                }),
            ),
        ),
    ]
}

fn requests() -> Named {
    let device = json!({ "device_id": reference("EntityId"), "client_now": reference("Time"), "rtt_ms": reference("Count") });
    let with = |more: Value| merged(&device, more);
    let backlog =
        json!({ "pending": reference("Count"), "oldest_at": reference("Time"), "dead": reference("Count") });
    vec![
        (
            "Push",
            sent(
                &["device_id"],
                with(json!({ "ops": list(reference("Op")), "from_n": reference("Number") })),
            ),
        ),
        (
            "Pull",
            sent(
                &["device_id"],
                with(json!({
                    "wait_ms": reference("Count"), "scopes": list(reference("PullScope")), "ack": list(reference("AckedCursor")),
                })),
            ),
        ),
        (
            "Ack",
            sent(
                &["device_id"],
                json!({
                    "device_id": reference("EntityId"), "cursors": list(reference("AckedCursor")), "results_through": reference("Number"),
                    "backlog": sent(&[], backlog),
                }),
            ),
        ),
        (
            "Reconcile",
            sent(
                &["device_id"],
                with(json!({
                    "ops": list(reference("Op")), "scopes": list(reference("PullScope")), "cursors": list(reference("AckedCursor")),
                    "results_through": reference("Number"), "last_ack_version": { "type": ["string", "integer"] },
                    "mutations": list(reference("Mutation")),
                })),
            ),
        ),
        (
            "Resolve",
            sent(
                &["conflict_id", "resolution_id", "expect", "choice"],
                json!({
                    "conflict_id": { "type": "string" }, "resolution_id": reference("Label"),
                    "expect": sent(&["conflict_rev", "entity_ver"], json!({ "conflict_rev": reference("Number"), "entity_ver": reference("Number") })),
                    "choice": { "type": "string", "pattern": "^(server|client|merged|discard|candidate:[0-9]{1,9})$" },
                    "value": reference("Values"), "rationale": { "type": "string" }, "approve": { "type": "boolean" },
                }),
            ),
        ),
    ]
}

fn parts_of_requests() -> Named {
    let reference_to =
        sent(&["type", "id"], json!({ "type": reference("TypeName"), "id": reference("EntityId") }));
    let seen = json!({ "ver": reference("Number"), "vv": { "type": "object", "additionalProperties": reference("Number") }, "hlc": reference("Hlc"), "after": reference("Number") });
    vec![
        (
            "Op",
            sent(
                &["n", "op"],
                json!({
                    "n": reference("Number"), "type": reference("TypeName"), "id": reference("EntityId"),
                    "op": { "enum": ["create", "update", "delete", "restore", "delta", "crdt", "noop"] },
                    "ctx": sent(&[], seen), "set": reference("Values"), "unset": list(json!({ "type": "string" })),
                    "delta": { "type": "object", "additionalProperties": { "type": "number" } },
                    "update": { "type": "string", "contentEncoding": "base64" }, "was": reference("Values"),
                    "hlc": reference("Hlc"), "at": reference("Time"), "deps": list(reference("Number")), "tx": { "type": "string" },
                    "refs": list(reference_to), "schema_v": reference("Count"), "meta": {},
                }),
            ),
        ),
        (
            "AckedCursor",
            sent(
                &["scope", "cursor"],
                json!({ "scope": reference("TypeName"), "cursor": { "type": "string" } }),
            ),
        ),
        (
            "PullScope",
            sent(
                &["scope"],
                json!({
                    "scope": reference("TypeName"), "cursor": { "type": "string" },
                    "params": { "type": "object", "additionalProperties": { "type": ["string", "number", "boolean"] } },
                    "limit": reference("Count"), "priority": reference("Count"),
                    "have": { "type": "object", "additionalProperties": { "type": "string" } },
                }),
            ),
        ),
        (
            "Mutation",
            sent(
                &["type", "operation"],
                json!({
                    "client_mutation_id": reference("Label"), "temp_id": reference("Label"), "entity_id": reference("EntityId"),
                    "type": reference("TypeName"), "operation": { "enum": ["create", "update", "delete", "restore"] },
                    "payload": reference("Values"), "version": reference("Number"), "occurred_at": reference("Time"),
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
                    "checksum": { "type": "object" }, "progress": object(&["done", "total"], json!({ "done": { "type": "integer" }, "total": { "type": "integer" } })),
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
                    "type": reference("TypeName"), "id": reference("EntityId"), "epoch": reference("U64"),
                    "ver": reference("U64"), "vv": reference("Vector"), "dot": reference("Dot"), "hlc": reference("Hlc"),
                    "seq": reference("U64"), "data": reference("Values"), "conflict_id": { "type": "string" }, "problem": { "type": "object" }, "of": { "type": ["object", "null"] },
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
                    "others": { "type": "array" }, "options": { "type": "array" }, "comments": { "type": "array" },
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
                    "app": { "type": "string", "minLength": 1, "maxLength": 128 }, "public_key": reference("PublicKey"),
                }),
            ),
        ),
        ("DeviceKey", object(&["public_key"], json!({ "public_key": reference("PublicKey") }))),
        ("PublicKey", json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$" })),
        (
            "Bound",
            object(
                &["device_id", "bound", "bound_at"],
                json!({
                    "device_id": reference("EntityId"), "bound": { "type": "boolean" }, "bound_at": reference("Time"),
                    "public_key": reference("PublicKey"),
                }),
            ),
        ),
        (
            "Erase",
            sent(
                &[],
                json!({ "type": reference("TypeName"), "id": reference("EntityId"), "user": { "type": "string", "minLength": 1, "maxLength": 256 } }),
            ),
        ),
        (
            "Erased",
            object(
                &["purged", "vacuum"],
                json!({
                    "type": reference("TypeName"), "id": reference("EntityId"), "purged": { "const": true }, "at": reference("Time"),
                    "known_as": { "type": "string" }, "devices": list(reference("EntityId")), "vacuum": { "enum": ["pending", "done"] },
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
        ("Type", object(&["policy"], json!({ "policy": { "enum": POLICIES } }))),
        (
            "Assign",
            sent(&["assignee"], json!({ "assignee": { "type": "string" }, "deadline": reference("Time") })),
        ),
        ("Comment", sent(&["text"], json!({ "text": { "type": "string" } }))),
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

fn bulk() -> Named {
    let refused = json!({ "type": reference("TypeName"), "id": reference("EntityId"), "problem": { "type": "object" } });
    vec![
        ("ExportLine", exported()),
        (
            "ImportLine",
            json!({ "type": "object", "description": "With `lines` how far the import has come, through which record; the last line is `Imported` or a `Problem`." }),
        ),
        (
            "Imported",
            object(
                &["imported", "unchanged", "merged", "refused", "refused_beyond"],
                json!({
                    "imported": { "type": "integer" }, "unchanged": { "type": "integer" },
                    "merged": { "type": "integer" },
                    "refused": list(object(&["type", "id", "problem"], refused)), "refused_beyond": { "type": "integer" },
                }),
            ),
        ),
    ]
}

/// Returns the members of both.
fn merged(one: &Value, other: Value) -> Value {
    let mut all = one.as_object().cloned().unwrap_or_default();
    all.extend(other.as_object().cloned().unwrap_or_default());
    Value::Object(all)
}

/// A line of an export. Which members it has says which line it is.
fn exported() -> Value {
    let count = json!({ "type": "integer", "minimum": 0 });
    let types = json!({ "type": "object", "additionalProperties": reference("Type") });
    let first = object(
        &["format", "types"],
        json!({ "format": { "const": 1 }, "epoch": reference("U64"), "as_of": reference("U64"), "types": types, "records": count }),
    );
    let document =
        json!({ "type": "object", "description": "With `bytes` how long the document is that comes next." });
    let members = json!({
        "type": reference("TypeName"), "id": reference("EntityId"), "ver": reference("U64"), "hlc": reference("Hlc"), "dot": reference("Dot"),
        "schema_v": { "type": "integer", "minimum": 0 }, "data": reference("Values"), "document": document,
        "deleted": { "type": "boolean" },
    });
    let [alive, dead] =
        ["data", "deleted"].map(|more| object(&["type", "id", "hlc", "schema_v", more], members.clone()));
    let bytes = json!({ "type": "string", "contentEncoding": "base64", "description": "The next bytes of the document." });
    let piece = object(&["update"], json!({ "update": bytes }));
    let end = object(&["sha256", "records"], json!({ "sha256": { "type": "string" }, "records": count }));
    json!({ "anyOf": [first, alive, dead, piece, end] })
}
