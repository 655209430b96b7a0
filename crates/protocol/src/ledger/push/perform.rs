//! How a decided op takes effect.

use std::sync::Arc;

use syncline_core::clock::Dot;
use syncline_core::entity::conflict::{Conflict, Draft};
use syncline_core::entity::{Decision, EntityKey, EntityType, Outcome, Record, Stamp, Trace, relate};
use syncline_core::time::WallMs;

use crate::ledger::machine::Ledger;
use crate::ledger::message::{Collision, ConflictId, Kept, OpResult, RecordState, Write};
use crate::ledger::{ContentHash, Written};

/// An op that was decided, and has not taken effect.
pub(in crate::ledger) struct Decided {
    pub(in crate::ledger) hash: ContentHash,
    pub(in crate::ledger) schema_v: u32,
    /// The entity as its author names it.
    pub(in crate::ledger) sent: EntityKey,
    pub(in crate::ledger) key: EntityKey,
    pub(in crate::ledger) creates: bool,
    pub(in crate::ledger) trace: Trace,
    pub(in crate::ledger) decision: Decision,
    /// What a handler has said.
    pub(in crate::ledger) detail: Option<String>,
    /// The conflict that it settles.
    pub(in crate::ledger) settles: Option<Collision>,
}

impl Decided {
    pub(super) const fn n(&self) -> u64 {
        self.trace.dot.counter
    }
}

impl Ledger {
    /// Gathers what an op does, with its result. The caller has its numbers stored in the same batch.
    pub(in crate::ledger) fn perform(&mut self, now: WallMs, decided: Decided) -> OpResult {
        let Decided { hash, schema_v, sent, key, creates, trace, decision, detail, settles } = decided;
        let dot = trace.dot;
        self.hlc = self.hlc.max(trace.hlc);
        // Where others have written since, its author cannot tell by the op alone what the record is now.
        let before = self.record(&key);
        let is_late = relate(&trace.context, before.as_ref()).is_stale();
        let is_superseded = decision.outcome == Outcome::Superseded;
        let superseded_by = is_superseded.then(|| self.winner(before.as_ref(), &decision));
        let record = match decision.change {
            Some(change) => {
                let mut record = change.into_record(before);
                record.schema_v = schema_v;
                Some(self.put_record(&key, record))
            }
            None => before.map(Arc::new),
        };
        if key != sent {
            self.name(dot, sent, &key);
        }
        let record = record.as_deref();
        let is_deleted = record.is_some_and(|record| record.deleted);
        let conflict = self.note_conflict(now, &key, is_deleted, decision.conflict).or(settles);
        let is_as_meant = decision.outcome == Outcome::Applied && !is_late;
        let result = OpResult {
            n: dot.counter,
            entity: key,
            is_duplicate: false,
            record: record.map(state),
            data: record.filter(|record| !is_as_meant && !record.deleted).map(Record::data),
            outcome: decision.outcome,
            detail,
            combined: decision.combined,
            conflict,
            superseded_by: superseded_by.flatten(),
        };
        let kept = Written::new(Kept { hash, creates, result: result.clone(), trace });
        let device = self.devices.entry(dot.replica).or_default();
        device.numbers.consume(dot.counter);
        device.keep(dot.counter, &kept);
        self.gathered.push(Write::Result(dot, kept));
        result
    }

    /// Keeps the id that an entity has got.
    fn name(&mut self, dot: Dot, sent: EntityKey, key: &EntityKey) {
        let device = self.devices.entry(dot.replica).or_default();
        if device.ids.get(&sent) != Some(&key.id) {
            device.ids.insert(sent.clone(), key.id.clone());
            self.gathered.push(Write::Named(dot.replica, sent, key.id.clone()));
        }
    }

    /// The latest write that an op has lost to.
    fn winner(&self, record: Option<&Record>, decision: &Decision) -> Option<Stamp> {
        let record = record?;
        let fields = decision.conflict.iter().flat_map(|draft| &draft.fields);
        let writes = fields.filter_map(|name| record.fields.get(name)).map(|slot| slot.stamp);
        Some(writes.max_by(|a, b| self.actors.compare(*a, *b)).unwrap_or(record.stamp()))
    }

    /// Opens, joins or closes a conflict of the entity.
    fn note_conflict(
        &mut self,
        now: WallMs,
        key: &EntityKey,
        is_deleted: bool,
        draft: Option<Draft>,
    ) -> Option<Collision> {
        if is_deleted {
            self.close_conflict(now, key);
        }
        let draft = draft?;
        let (kind, fields) = (draft.kind, draft.fields.clone());
        if draft.open
            && let Some(&id) = self.open.get(key)
        {
            let mut conflict = self.conflicts[&id].clone();
            conflict.join(draft, self.record(key).as_ref()).expect("it is open");
            // What joins is one of many, if it is about the same.
            let kind =
                if kind.is_of_writes() && conflict.kind().is_of_writes() { conflict.kind() } else { kind };
            self.keep_conflict(id, conflict);
            return Some(Collision { id, kind, fields });
        }
        let id = self.next_conflict();
        let ty: &EntityType = self.types.get(&key.kind)?;
        let conflict = Conflict::new(draft, key.clone(), ty.policy, now).due_within(ty.deadline_ms);
        self.keep_conflict(id, conflict);
        Some(Collision { id, kind, fields })
    }
}

impl Ledger {
    /// The id of a conflict that arises now.
    fn next_conflict(&self) -> ConflictId {
        let of_life = |n| ConflictId { epoch: self.epoch, n };
        let known = self.conflicts.range(of_life(0)..=of_life(u64::MAX)).next_back();
        of_life(known.map_or(0, |(last, _)| last.n).saturating_add(1))
    }
}

fn state(record: &Record) -> RecordState {
    let Record { epoch, ver, seq, dot, hlc, .. } = *record;
    RecordState { epoch, ver, vv: record.vv.clone(), dot, hlc, seq }
}
