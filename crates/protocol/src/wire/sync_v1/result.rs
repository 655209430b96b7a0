//! Results of ops.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::clock::{Dot, VectorClock};
use syncline_core::entity::conflict::ConflictKind;
use syncline_core::entity::{
    Actors, EntityKey, FieldName, FieldRule, Outcome, RecordVersion, Stamp, Value, Values,
};

use super::fault::OpFault;
use super::problem::Problem;
use super::resolve::conflict_name;
use super::words;
use super::write::{Object, quoted_u64, string};
use crate::ledger::{self, ConflictId, OpResult, RecordState};

/// What a device is told of one of its ops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told<'a> {
    /// Its number.
    pub n: u64,
    /// What became of it.
    pub status: Status<'a>,
    /// The entity, if it is known.
    pub entity: Option<&'a EntityKey>,
    /// The record after it; none if there is none.
    pub record: Option<&'a RecordState>,
    /// The values of the record, where it may not be what the author meant.
    pub data: Option<&'a Values>,
    /// Fields whose new value no author wrote, and the rule that made it.
    pub combined: Option<&'a BTreeMap<FieldName, (FieldRule, Value)>>,
    /// What it has collided in.
    pub collision: Option<Collision<'a>>,
    /// The write that it has lost to, if it was superseded.
    pub by: Option<Stamp>,
}

/// What a result says of a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collision<'a> {
    /// The conflict.
    pub id: ConflictId,
    /// What collided.
    pub kind: ConflictKind,
    /// The fields in which it did.
    pub fields: &'a BTreeSet<FieldName>,
}

impl<'a> Collision<'a> {
    /// Returns what is told of a collision.
    #[must_use]
    pub const fn of(collision: &'a ledger::Collision) -> Self {
        Self { id: collision.id, kind: collision.kind, fields: &collision.fields }
    }
}

/// What became of an op, in one word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status<'a> {
    /// The record is as its author meant.
    Applied,
    /// The record has changed, and differs from what the author meant.
    Merged,
    /// The record is as it was.
    Superseded,
    /// People decide.
    Conflict,
    /// It is refused for ever.
    Rejected(Problem),
    /// It is to be sent again.
    Deferred(Problem),
    /// It had its result before; none if that is no longer known.
    Duplicate(Option<Box<Told<'a>>>),
}

impl<'a> Told<'a> {
    /// Returns what is told of a result.
    #[must_use]
    pub fn of(result: &'a OpResult, entity: Option<&'a EntityKey>) -> Self {
        let status = match &result.outcome {
            Outcome::Applied => Status::Applied,
            Outcome::Merged => Status::Merged,
            Outcome::Superseded => Status::Superseded,
            Outcome::Conflict => Status::Conflict,
            Outcome::Rejected(refusal) => {
                let problem = Problem::from(refusal);
                Status::Rejected(Problem { detail: result.detail.clone().or(problem.detail), ..problem })
            }
        };
        let told = Self {
            n: result.n,
            status,
            entity,
            record: result.record.as_ref(),
            data: result.data.as_ref(),
            combined: Some(&result.combined).filter(|combined| !combined.is_empty()),
            collision: result.conflict.as_ref().map(Collision::of),
            by: result.superseded_by,
        };
        if result.is_duplicate { Self::bare(result.n, Status::Duplicate(Some(Box::new(told)))) } else { told }
    }

    /// Says what is wrong with an op that was refused for it.
    #[must_use]
    pub fn with_faults(self, faults: &[OpFault]) -> Self {
        let status = match self.status {
            Status::Rejected(_) if !faults.is_empty() => Status::Rejected(Problem::of_faults(faults)),
            Status::Duplicate(Some(of)) => Status::Duplicate(Some(Box::new(of.with_faults(faults)))),
            as_it_is @ (Status::Applied
            | Status::Merged
            | Status::Superseded
            | Status::Conflict
            | Status::Rejected(_)
            | Status::Deferred(_)
            | Status::Duplicate(None)) => as_it_is,
        };
        Self { status, ..self }
    }

    /// Returns what is told of an op of which nothing but its status is known.
    #[must_use]
    pub const fn bare(n: u64, status: Status<'a>) -> Self {
        Self { n, status, entity: None, record: None, data: None, combined: None, collision: None, by: None }
    }

    /// Returns the list of a reconciliation that it is in; what is deferred is in none.
    pub(super) fn group(&self) -> Option<Group> {
        match &self.status {
            Status::Applied | Status::Merged => Some(Group::Applied),
            Status::Superseded | Status::Conflict => Some(Group::Conflicts),
            Status::Rejected(_) => Some(Group::Rejected),
            Status::Deferred(_) => None,
            Status::Duplicate(of) => of.as_ref().map_or(Some(Group::Applied), |of| of.group()),
        }
    }

    pub(super) fn write(&self, o: &mut Object<'_>, actors: &Actors) {
        o.u64("n", self.n);
        o.text("status", self.status.as_str());
        if let Some(entity) = self.entity {
            o.text("type", entity.kind.as_str());
            o.text("id", entity.id.as_str());
        }
        if let Some(record) = self.record {
            state(o, record, actors);
        }
        if let Some(collision) = self.collision {
            o.text("conflict_id", &conflict_name(collision.id));
            o.text("kind", collision.kind.as_str());
        }
        match &self.status {
            Status::Applied => {}
            Status::Merged => self.combined.into_iter().for_each(|fields| combined(o, fields)),
            Status::Superseded => {
                self.by.into_iter().for_each(|by| o.object("by", |o| stamp(o, by, actors)));
            }
            Status::Conflict => self.write_conflict(o),
            Status::Rejected(problem) | Status::Deferred(problem) => {
                o.object("problem", |o| problem.write(o))
            }
            Status::Duplicate(None) => o.null("of"),
            Status::Duplicate(Some(told)) => o.object("of", |o| told.write(o, actors)),
        }
        if let Some(data) = self.data {
            o.values("data", data);
        }
    }

    fn write_conflict(&self, o: &mut Object<'_>) {
        if let Some(collision) = self.collision {
            o.list("fields", collision.fields, |out, field| string(out, field.as_str()));
        }
        o.object("server", |o| {
            let ver = self.record.map_or(RecordVersion(0), |record| record.ver);
            o.u64("ver", ver.0);
            self.data.into_iter().for_each(|data| o.values("data", data));
        });
    }
}

/// A list of a reconciliation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    /// What took effect.
    Applied,
    /// What lost, or waits for people.
    Conflicts,
    /// What was refused.
    Rejected,
}

impl Group {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Conflicts => "conflicts",
            Self::Rejected => "rejected",
        }
    }
}

impl Status<'_> {
    /// Returns the word for it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Merged => "merged",
            Self::Superseded => "superseded",
            Self::Conflict => "conflict",
            Self::Rejected(_) => "rejected",
            Self::Deferred(_) => "deferred",
            Self::Duplicate(_) => "duplicate",
        }
    }
}

fn state(o: &mut Object<'_>, record: &RecordState, actors: &Actors) {
    o.u64("epoch", record.epoch.0);
    o.u64("ver", record.ver.0);
    vector(o.key("vv"), &record.vv, actors);
    dot(o.key("dot"), record.dot, actors);
    o.hlc("hlc", record.hlc);
    o.u64("seq", record.seq.0);
}

fn stamp(o: &mut Object<'_>, stamp: Stamp, actors: &Actors) {
    dot(o.key("dot"), stamp.dot, actors);
    o.hlc("hlc", stamp.hlc);
}

fn combined(o: &mut Object<'_>, fields: &BTreeMap<FieldName, (FieldRule, Value)>) {
    o.object("fields", |o| {
        for (field, (rule, value)) in fields {
            o.object(field.as_str(), |o| {
                o.text("rule", words::rule(*rule));
                o.value("value", value);
            });
        }
    });
}

/// Writes a dot as the name of its actor and its number.
pub(super) fn dot(out: &mut String, dot: Dot, actors: &Actors) {
    out.push('[');
    string(out, name(dot, actors));
    out.push(',');
    quoted_u64(out, dot.counter);
    out.push(']');
}

/// Writes a vector by the names of its actors, in their order.
pub(super) fn vector(out: &mut String, vv: &VectorClock, actors: &Actors) {
    let named = vv.iter().filter_map(|(actor, n)| Some((actors.name(actor)?, n)));
    let mut named: Vec<_> = named.collect();
    named.sort_unstable();
    super::write::object(out, |o| named.iter().for_each(|(name, n)| o.u64(name.as_str(), *n)));
}

/// The name of who wrote; a table of actors that numbered it has it.
pub(super) fn name(dot: Dot, actors: &Actors) -> &str {
    actors.name(dot.replica).map_or("", |name| name.as_str())
}
