//! What documents were, as JSON tells it: to programs over HTTP, and to those who ask a command for JSON.

use serde_json::{Value, json};
use syncline_core::{
    doc::{Change, WorkSession, Written, WrittenRange},
    log::Author,
};
use syncline_protocol::wire::sync_v1::time_text;
use syncline_store::records::{Branch, Version};

/// Returns what is told of a time in which a document was worked on.
#[must_use]
pub fn session_json(session: &WorkSession) -> Value {
    json!({
        "first": session.first.0,
        "last": session.last.0,
        "from": time_text(session.from),
        "to": time_text(session.to),
        "authors": session.authors.iter().map(author_json).collect::<Vec<_>>(),
        "updates": session.updates,
        "bytes": session.bytes,
    })
}

/// Returns what is told of a stretch of a text.
#[must_use]
pub fn range_json(range: &WrittenRange) -> Value {
    json!({
        "path": range.path,
        "at": range.at,
        "text": range.text,
        "written": range.written.as_ref().map(written),
    })
}

/// Returns what is told of a difference between two states.
#[must_use]
pub fn change_json(change: &Change) -> Value {
    match change {
        Change::Text(text) => json!({
            "kind": "text", "path": text.path, "at": text.at, "removed": text.removed, "inserted": text.inserted,
        }),
        Change::Format { path } => json!({ "kind": "format", "path": path }),
        Change::Items(items) => json!({
            "kind": "items", "path": items.path, "at": items.at, "removed": items.removed, "inserted": items.inserted,
        }),
        Change::Value { path, before, after } => {
            json!({ "kind": "value", "path": path, "before": before, "after": after })
        }
        // A later core may tell more.
        _ => json!({ "kind": "other" }),
    }
}

/// Returns what is told of a state that was given a name.
#[must_use]
pub fn version_json(version: &Version) -> Value {
    json!({
        "version": version.number,
        "name": version.name,
        "commit": version.commit.0,
        "named_by": version.entry.author.user.as_deref(),
        "named_at": time_text(version.entry.at),
    })
}

/// Returns what is told of a branch.
#[must_use]
pub fn branch_json(branch: &Branch) -> Value {
    json!({ "name": branch.name.as_str(), "commit": branch.commit.0, "branched_at": time_text(branch.at) })
}

/// Returns what is told of the document that a branch is of.
#[must_use]
pub fn origin_json(branch: &Branch) -> Value {
    json!({ "name": branch.of_name.as_str(), "commit": branch.commit.0, "branched_at": time_text(branch.at) })
}

/// Returns what is told of who made a change.
pub(crate) fn author_json(author: &Author) -> Value {
    json!({ "user": author.user.as_deref(), "device": author.device.as_deref() })
}

fn written(written: &Written) -> Value {
    json!({ "by": author_json(&written.author), "at": time_text(written.at), "commit": written.commit.0 })
}
