//! The schemas of bodies and answers, as JSON Schema 2020-12 has them.

use serde_json::{Map, Value, json};

use crate::openapi::reference;

/// Returns all schemas by their names.
pub(super) fn all() -> Value {
    let mut all = sent();
    for more in [answered(), of_many(), of_hooks()] {
        if let (Some(members), Value::Object(more)) = (all.as_object_mut(), more) {
            members.extend(more);
        }
    }
    all
}

/// Returns the schema of a placeholder in a path.
pub(super) fn of_path(name: &str) -> Value {
    match name {
        "version" => reference("Number"),
        "hook" => json!({ "type": "string", "minLength": 1, "maxLength": 256 }),
        _ => document_name("team/plan"),
    }
}

/// A name of a document; that of a branch, a copy or a version is no other.
fn document_name(example: &str) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 256, "pattern": NAME, "examples": [example] })
}

/// No control characters. Tools read `\P{Cc}` each in their own way.
const NAME: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$";

/// A JSON pointer that leads at least to a root.
const POINTER: &str = "^(/([^/~]|~[01])*)+$";

/// Returns the schema of a member of the query.
pub(super) fn of_query(name: &str) -> Value {
    match name {
        "format" => json!({ "enum": ["json", "text", "markdown", "update", "state-vector", "automerge"] }),
        "limit" => json!({ "type": "integer", "minimum": 1, "maximum": 128 }),
        "from" => json!({ "$ref": reference("Number")["$ref"], "examples": [1] }),
        "commit" | "version" | "to" | "from_version" | "to_version" | "pause" => reference("Number"),
        "at" | "from_at" | "to_at" => reference("Time"),
        "existing" => json!({ "enum": ["merge", "skip", "fail"] }),
        "dry_run" => json!({ "type": "boolean" }),
        _ => json!({ "type": "string" }),
    }
}

/// An object of which these members must be there.
fn object(required: &[&str], members: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": members })
}

/// An object that has no other members.
fn only(required: &[&str], members: Value) -> Value {
    let mut only = object(required, members);
    only["additionalProperties"] = json!(false);
    only
}

fn list(of: Value) -> Value {
    json!({ "type": "array", "items": of })
}

/// An object of which nobody knows the members beforehand. Generators take a bare `object` for one that has none.
fn open_object(about: &str) -> Value {
    json!({ "type": "object", "additionalProperties": true, "description": about })
}

/// What a member says that may say nothing.
fn or_null(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}

fn sent() -> Value {
    let (number, path) = (
        reference("Number"),
        json!({ "type": "string", "pattern": POINTER, "description": "A JSON pointer (RFC 6901) whose first part names the root type." }),
    );
    let edit = |op: &str, required: &[&str], more: Value| {
        let mut members = json!({ "op": { "const": op }, "path": path });
        if let (Some(members), Value::Object(more)) = (members.as_object_mut(), more) {
            members.extend(more);
        }
        let required: Vec<&str> = ["op", "path"].into_iter().chain(required.iter().copied()).collect();
        only(&required, members)
    };
    let at = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX, "description": "In UTF-16 code units." });
    let one_of = ["add", "replace", "test"].map(|op| edit(op, &["value"], json!({ "value": {} })));
    let splice = json!({ "at": at, "remove": at, "insert": { "type": "string" }, "format": open_object("Marks of what is put in.") });
    let others = [edit("remove", &[], json!({})), edit("splice", &["at"], splice)];
    let edits: Vec<Value> = one_of.into_iter().chain(others).collect();
    let edited = json!({ "op": "splice", "path": "/text", "at": 0, "insert": "Well: " });
    let when = json!({ "commit": number, "at": reference("Time"), "version": number });
    let mut named = when.clone();
    named["name"] = document_name("team/draft");
    let mut copy = when.clone();
    copy["to"] = document_name("team/copy");
    json!({
        "Any": {},
        "Number": { "type": "integer", "minimum": 0, "maximum": 9_007_199_254_740_991_u64 },
        "Time": { "type": "string", "format": "date-time" },
        "Seed": seed(),
        "Edits": { "type": "array", "maxItems": 10_000, "items": { "oneOf": edits }, "examples": [[edited]] },
        "When": {
            "type": "object", "properties": when, "minProperties": 1, "maxProperties": 1, "additionalProperties": false,
            "examples": [{ "commit": 1 }],
        },
        "Copy": only(&["to"], copy),
        "NamedState": only(&["name"], named.clone()),
        "NewBranch": only(&[], named),
        "From": only(&["from"], json!({ "from": document_name("team/draft") })),
    })
}

/// What exports and imports say, line by line. Which members a line has says which line it is.
fn of_many() -> Value {
    let count = json!({ "type": "integer", "minimum": 0 });
    let (text, name) = (json!({ "type": "string" }), document_name("team/plan"));
    let kind = json!({ "enum": ["yjs", "automerge"] });
    let first = object(
        &["format", "version"],
        json!({ "format": { "const": "syncline-documents" }, "version": { "const": 1 }, "documents": count }),
    );
    let state =
        json!({ "type": "string", "contentEncoding": "base64", "description": "The whole document." });
    let document = object(
        &["name", "kind", "state"],
        json!({ "name": name, "kind": kind, "commit": reference("Number"), "bytes": count, "state": state }),
    );
    let unreadable =
        object(&["name", "error"], json!({ "name": name, "kind": kind, "error": text, "message": text }));
    let end = object(
        &["end", "documents", "unreadable"],
        json!({ "end": { "const": true }, "documents": count, "unreadable": count }),
    );
    let results = json!({ "enum": ["created", "merged", "unchanged", "skipped"] });
    let taken =
        object(&["line", "name", "result"], json!({ "line": count, "name": text, "result": results }));
    let refused = object(
        &["line", "error", "message"],
        json!({ "line": count, "name": text, "error": text, "message": text }),
    );
    let sum = ["created", "merged", "unchanged", "skipped", "failed"];
    let mut last = object(
        &[&["end", "whole"], &sum[..]].concat(),
        json!({ "end": { "const": true }, "whole": { "type": "boolean" }, "error": text, "message": text }),
    );
    sum.iter().for_each(|member| last["properties"][member] = count.clone());
    json!({
        "ExportedLine": { "anyOf": [first, document, unreadable, end] },
        "ImportedLine": { "anyOf": [taken, refused, last] },
    })
}

/// What a document begins with. An Automerge document has entries of any kind.
fn seed() -> Value {
    let root = json!({ "oneOf": [
        { "type": "string" }, { "type": "object", "additionalProperties": true }, { "type": "array", "items": {} },
    ] });
    let roots = "Root types: a text makes a text, an object a map, an array an array.";
    let roots =
        json!({ "type": "object", "minProperties": 1, "additionalProperties": root, "description": roots });
    let mut entries = open_object("Entries.");
    entries["minProperties"] = json!(1);
    let mut yjs = object(&["json"], json!({ "kind": { "const": "yjs" }, "json": roots }));
    let mut automerge =
        object(&["kind", "json"], json!({ "kind": { "const": "automerge" }, "json": entries }));
    yjs["additionalProperties"] = json!(false);
    automerge["additionalProperties"] = json!(false);
    let example = json!({ "json": { "text": "Hello", "todo": ["milk"] } });
    json!({ "oneOf": [yjs, automerge], "examples": [example] })
}

fn answered() -> Value {
    let (number, time) = (reference("Number"), reference("Time"));
    let (text, count) = (json!({ "type": "string" }), json!({ "type": "integer", "minimum": 0 }));
    let flag = json!({ "type": "boolean" });
    json!({
        "Documents": object(&["documents", "next"], json!({ "documents": list(reference("Document")), "next": or_null("string") })),
        "Document": object(
            &["name", "bytes", "edited_at", "commit", "kind"],
            json!({
                "name": text, "bytes": count, "edited_at": or_null("string"), "commit": number,
                "kind": { "enum": ["yjs", "automerge"] },
            }),
        ),
        "Created": object(&["name", "created"], json!({ "name": text, "created": flag })),
        "Changed": object(&["changed"], json!({ "changed": flag })),
        "History": object(&["first", "last", "sessions"], json!({ "first": number, "last": number, "sessions": list(reference("Session")) })),
        "Session": object(
            &["first", "last", "from", "to", "authors", "updates", "bytes"],
            json!({
                "first": number, "last": number, "from": time, "to": time,
                "authors": list(reference("Author")), "updates": count, "bytes": count,
            }),
        ),
        "Author": object(&["user", "device"], json!({ "user": or_null("string"), "device": or_null("string") })),
        "Authors": object(&["ranges"], json!({ "ranges": list(reference("Range")) })),
        "Range": object(
            &["path", "at", "text", "written"],
            json!({ "path": text, "at": count, "text": text, "written": { "anyOf": [reference("Written"), { "type": "null" }] } }),
        ),
        "Written": object(&["by", "at", "commit"], json!({ "by": reference("Author"), "at": time, "commit": number })),
        "Diff": object(&["from", "to", "changes"], json!({ "from": number, "to": number, "changes": list(reference("Change")) })),
        "Change": changes(),
        "Versions": object(&["versions"], json!({ "versions": list(reference("Version")) })),
        "Version": object(
            &["version", "name", "commit", "named_by", "named_at"],
            json!({ "version": number, "name": text, "commit": number, "named_by": or_null("string"), "named_at": time }),
        ),
        "Branch": object(&["name", "commit", "branched_at"], json!({ "name": text, "commit": number, "branched_at": time })),
        "Branches": object(
            &["origin", "branches"],
            json!({ "origin": { "anyOf": [reference("Branch"), { "type": "null" }] }, "branches": list(reference("Branch")) }),
        ),
        "Merged": object(&["changed"], json!({ "changed": flag, "changes": list(reference("Change")) })),
        "Refusal": object(&["error", "message"], json!({ "error": text, "message": text })),
        "Problem": object(&["type", "title", "status", "code"], json!({ "type": text, "title": text, "status": count, "code": text })),
    })
}

fn of_hooks() -> Value {
    let (text, count) = (json!({ "type": "string" }), json!({ "type": "integer", "minimum": 0 }));
    let (time, event) =
        (reference("Time"), json!({ "enum": ["document.created", "document.changed", "document.deleted"] }));
    json!({
        "Hooks": object(&["hooks"], json!({ "hooks": list(reference("Hook")) })),
        "Hook": object(
            &["name", "documents", "events", "unwanted"],
            json!({
                "name": text, "documents": list(text.clone()), "events": list(event.clone()),
                "unwanted": { "type": "boolean", "description": "Whether it has answered 410: it is told nothing until the server starts again." },
            }),
        ),
        "DeadLetters": object(&["dead"], json!({ "dead": list(reference("DeadLetter")) })),
        "DeadLetter": object(
            &["id", "type", "document", "generation", "commit", "at", "attempts", "tried_at", "status", "why"],
            json!({
                "id": text, "type": event, "document": text, "generation": text, "commit": or_null("integer"), "at": time,
                "attempts": count, "tried_at": time, "status": or_null("integer"), "why": text,
            }),
        ),
        "Count": object(&["count"], json!({ "count": count })),
    })
}

/// What differs, by its kind.
fn changes() -> Value {
    let (text, any) = (json!({ "type": "string" }), json!({ "type": "array", "items": {} }));
    let count = json!({ "type": "integer", "minimum": 0 });
    let kinds = [
        ("text", json!({ "path": text, "at": count, "removed": text, "inserted": text })),
        ("format", json!({ "path": text })),
        ("items", json!({ "path": text, "at": count, "removed": any, "inserted": any })),
        // What was not there, or is not there any more, is null.
        ("value", json!({ "path": text, "before": {}, "after": {} })),
        ("other", json!({})),
    ];
    let one = |(kind, mut members): (&str, Value)| {
        members["kind"] = json!({ "const": kind });
        let required: Vec<String> = members.as_object().into_iter().flat_map(Map::keys).cloned().collect();
        json!({ "type": "object", "required": required, "properties": members })
    };
    json!({ "oneOf": kinds.map(one) })
}
