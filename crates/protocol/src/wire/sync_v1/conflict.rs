//! Conflicts as clients see them.

use std::collections::BTreeMap;

use syncline_core::entity::conflict::{Candidate, Choice, Conflict, Request, Resolution};
use syncline_core::entity::{Action, Actors, FieldName, Value};
use syncline_core::time::WallMs;

use super::problem::Problem;
use super::resolve::conflict_name;
use super::result::{Told, dot, name};
use super::words;
use super::write::{Object, document, string, value};
use crate::ledger::{Comment, ConflictId, Proposal};

/// Returns the body of the answer about one conflict, with what was said about it.
#[must_use]
pub fn conflict_body(id: ConflictId, conflict: &Conflict, said: &[Comment], actors: &Actors) -> String {
    document(|o| {
        o.object("conflict", |o| {
            write(o, id, conflict, actors);
            o.objects("options", said.iter().filter_map(option), |o, (by, at, proposal)| {
                o.values("values", &proposal.set);
                o.text("description", &proposal.description);
                o.text("impact", &proposal.impact);
                o.text("by", by);
                o.time("at", at);
            });
            let comments = said.iter().filter(|comment| comment.proposal.is_none());
            o.objects("comments", comments, |o, comment| {
                o.text("by", &comment.by);
                o.text("text", &comment.text);
                o.time("at", comment.at);
            });
        });
    })
}

/// Returns the body of a list of conflicts. `cursor` is where to go on, if there are more.
#[must_use]
pub fn conflicts_body<'a>(
    conflicts: impl IntoIterator<Item = (ConflictId, &'a Conflict)>,
    cursor: Option<&str>,
    actors: &Actors,
) -> String {
    document(|o| {
        o.objects("conflicts", conflicts, |o, (id, conflict)| write(o, id, conflict, actors));
        match cursor {
            Some(cursor) => o.text("cursor", cursor),
            None => o.null("cursor"),
        }
    })
}

/// Returns the body of the answer to a resolution: the conflict, and the result of the op that was made for it.
#[must_use]
pub fn resolved_body(
    id: ConflictId,
    conflict: &Conflict,
    result: Option<&Told<'_>>,
    actors: &Actors,
) -> String {
    document(|o| {
        o.object("conflict", |o| write(o, id, conflict, actors));
        match result {
            Some(told) => o.object("result", |o| told.write(o, actors)),
            None => o.null("result"),
        }
    })
}

/// Returns the body of the refusal of a resolution: the problem, and the conflict as it is now.
#[must_use]
pub fn unresolved_body(
    problem: &Problem,
    (id, conflict): (ConflictId, &Conflict),
    actors: &Actors,
    trace_id: Option<&str>,
) -> String {
    document(|o| {
        problem.write_head(o);
        problem.write(o);
        o.object("conflict", |o| write(o, id, conflict, actors));
        trace_id.into_iter().for_each(|trace_id| o.text("trace_id", trace_id));
    })
}

/// Returns what someone wanted of a record, as an object.
#[must_use]
pub fn wish_text(action: &Action) -> String {
    document(|o| wish(o, action))
}

/// Returns values of fields as an object, `null` for those that are absent.
#[must_use]
pub fn fields_text(values: &BTreeMap<FieldName, Option<Value>>) -> String {
    document(|o| fields(o, values))
}

pub(super) fn write(o: &mut Object<'_>, id: ConflictId, conflict: &Conflict, actors: &Actors) {
    let draft = conflict.draft();
    o.text("conflict_id", &conflict_name(id));
    o.count("rev", conflict.rev());
    o.text("state", words::state(conflict.state()));
    o.text("type", conflict.entity().kind.as_str());
    o.text("entity_id", conflict.entity().id.as_str());
    o.text("kind", conflict.kind().as_str());
    o.text("policy", words::policy(conflict.policy()));
    o.time("detected_at", conflict.detected_at());
    o.list("fields", &draft.fields, |out, field| string(out, field.as_str()));
    o.object("base", |o| fields(o, &draft.base));
    o.object("server", |o| fields(o, &draft.standing));
    o.objects("candidates", conflict.candidates(), |o, it| candidate(o, it, actors));
    o.count("candidates_beyond", conflict.candidates_beyond());
    o.objects("others", &draft.others, |o, other| {
        o.text("type", other.kind.as_str());
        o.text("id", other.id.as_str());
    });
    match conflict.assignee() {
        Some(assignee) => o.text("assignee", assignee),
        None => o.null("assignee"),
    }
    match conflict.deadline() {
        Some(deadline) => o.time("deadline", deadline),
        None => o.null("deadline"),
    }
    match conflict.resolution() {
        Some(it) => o.object("resolution", |o| resolution(o, it)),
        None => o.null("resolution"),
    }
}

fn option(comment: &Comment) -> Option<(&str, WallMs, &Proposal)> {
    Some((&comment.by, comment.at, comment.proposal.as_ref()?))
}

fn candidate(o: &mut Object<'_>, it: &Candidate, actors: &Actors) {
    o.text("source", words::origin(it.origin));
    o.text("device", name(it.stamp.dot, actors));
    dot(o.key("dot"), it.stamp.dot, actors);
    o.hlc("hlc", it.stamp.hlc);
    wish(o, &it.wish);
}

fn resolution(o: &mut Object<'_>, it: &Resolution) {
    o.text("method", words::method(it.method));
    o.time("at", it.at);
    if let Some(request) = &it.request {
        asked(o, request);
    }
    if let Some(action) = &it.action {
        wish(o, action);
    }
}

fn asked(o: &mut Object<'_>, request: &Request) {
    o.text("id", &request.resolution_id);
    let choice = match &request.choice {
        Choice::Server => "server".to_owned(),
        Choice::Client => "client".to_owned(),
        Choice::Candidate(at) => format!("candidate:{at}"),
        Choice::Merged(_) => "merged".to_owned(),
        Choice::Discard => "discard".to_owned(),
    };
    o.text("choice", &choice);
    o.text("rationale", &request.rationale);
    o.text("by", &request.by);
    o.bool("approval", request.approval);
}

/// Writes what someone wanted of a record, under the names that it has in an op; what is set are its `values`.
fn wish(o: &mut Object<'_>, action: &Action) {
    match action {
        Action::Create(set) | Action::Restore(set) => o.values("values", set),
        Action::Update { set, unset } => {
            o.values("values", set);
            if !unset.is_empty() {
                o.list("unset", unset, |out, field| string(out, field.as_str()));
            }
        }
        Action::Delta(amounts) => o.object("delta", |o| {
            amounts.iter().for_each(|(field, amount)| o.value(field.as_str(), &(*amount).into()));
        }),
        Action::Delete => o.bool("delete", true),
        Action::Document(update) => o.bytes("update", update),
        Action::Noop => {}
    }
}

/// Writes values of fields, `null` for those that are absent.
pub(super) fn fields(o: &mut Object<'_>, values: &BTreeMap<FieldName, Option<Value>>) {
    for (field, it) in values {
        value(o.key(field.as_str()), it.as_ref().unwrap_or(&Value::Null));
    }
}

/// Writes values of fields as a member.
pub(super) fn optional_values(o: &mut Object<'_>, member: &str, values: &BTreeMap<FieldName, Option<Value>>) {
    o.object(member, |o| fields(o, values));
}
