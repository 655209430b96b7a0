//! How a ledger takes a push.

use syncline_core::clock::{Dot, ReplicaId};
use syncline_core::entity::conflict::{Conflict, Draft};
use syncline_core::entity::queue::{Fate, Linked, Standing, standing};
use syncline_core::entity::{
    Action, ActorName, ClaimedTime, ClientClock, Context, Decision, EntityKey, EntityType, Op, Outcome,
    Record, RefusalCode, Scene, ServerClock, Stamp, Trace, TraceEffect, decide,
};
use syncline_core::time::WallMs;

use super::device::Device;
use super::machine::Ledger;
use super::message::{Answer, ConflictId, Kept, OpResult, OpStatus, PushOp, PushSeen, RecordState, Write};
use super::{Numbered, Turn};

impl Ledger {
    pub(super) fn push(
        &mut self,
        now: WallMs,
        name: &ActorName,
        clock: ClientClock,
        ops: &[PushOp],
    ) -> Answer {
        let actor = self.number(name);
        let device = self.devices.entry(actor).or_default();
        let numbered: Vec<Numbered> = ops.iter().map(|op| op.numbered).collect();
        let turns = match device.numbers.turns(&numbered, |n| device.hash(n)) {
            Ok(turns) => turns,
            Err(refusal) => return Answer::Refused(refusal.into()),
        };
        let shift_ms = ServerClock { now, hlc: self.hlc }.shift_ms(clock);
        let mut results = Vec::with_capacity(ops.len());
        for (op, turn) in ops.iter().zip(&turns) {
            let result = match turn {
                Turn::Duplicate => self.again(Dot::new(actor, op.numbered.n)),
                Turn::New | Turn::Again => OpStatus::Done(Box::new(self.take(now, shift_ms, actor, op))),
            };
            results.push(result);
        }
        let device = self.devices.entry(actor).or_default();
        if turns.iter().any(|turn| *turn != Turn::Duplicate) {
            self.gathered.push(Write::Numbers(actor, device.numbers.clone()));
        }
        let (last_n, high_n) = (device.numbers.last(), device.numbers.high());
        Answer::Pushed { results, last_n, high_n, fence: self.log.head() }
    }

    fn again(&self, dot: Dot) -> OpStatus {
        match self.devices[&dot.replica].kept.get(&dot.counter) {
            Some(kept) => OpStatus::Done(Box::new(OpResult { is_duplicate: true, ..kept.result.clone() })),
            None => OpStatus::Aged { n: dot.counter },
        }
    }

    /// Decides an op and gathers what it does.
    fn take(&mut self, now: WallMs, shift_ms: i64, actor: ReplicaId, pushed: &PushOp) -> OpResult {
        let dot = Dot::new(actor, pushed.numbered.n);
        let server = ServerClock { now, hlc: self.hlc };
        let device = &self.devices[&actor];
        let record = self.records.get(&pushed.entity);
        let (context, seen, problem) = match context(device, record, pushed) {
            Ok((context, seen)) if pushed.unreadable => (context, seen, Some(RefusalCode::ValidationFailed)),
            Ok((context, seen)) => (context, seen, standing_of(device, pushed)),
            Err(code) => (Context::default(), None, Some(code)),
        };
        let hlc = server.effective(ClaimedTime { seen, ..pushed.time }, shift_ms);
        let stamp = Stamp { hlc, dot };
        let op = Op { stamp, context, action: pushed.action.clone(), was: pushed.was.clone() };
        let ty = self.types.get(&pushed.entity.kind);
        let decision = match (problem, ty) {
            (Some(code), _) => Decision::refused(code),
            (None, None) => Decision::refused(RefusalCode::UnknownType),
            (None, Some(ty)) => decide(&Scene { ty, actors: &self.actors, ruling: None }, record, &op),
        };
        self.hlc = self.hlc.max(hlc);
        self.perform(now, pushed, op, decision)
    }

    fn perform(&mut self, now: WallMs, pushed: &PushOp, op: Op, decision: Decision) -> OpResult {
        let dot = op.stamp.dot;
        let key = &pushed.entity;
        let changed = decision.change.is_some();
        if let Some(change) = &decision.change {
            let mut record = change.applied_to(self.records.get(key));
            record.schema_v = pushed.schema_v;
            self.put_record(key, record);
        }
        let conflict = self.note_conflict(now, key, decision.conflict);
        let record = self.records.get(key);
        let is_as_meant = decision.outcome == Outcome::Applied;
        let result = OpResult {
            n: dot.counter,
            is_duplicate: false,
            record: record.map(state),
            data: record.filter(|record| !is_as_meant && !record.deleted).map(Record::data),
            outcome: decision.outcome,
            conflict,
        };
        let creates = matches!(op.action, Action::Create(_));
        let effect = match record {
            _ if changed => TraceEffect::Changed,
            Some(record) if creates && is_as_meant => TraceEffect::Matched(record.vv.clone()),
            Some(_) | None => TraceEffect::Nothing,
        };
        let trace = Trace { context: op.context, hlc: op.stamp.hlc, dot, effect };
        let hash = pushed.numbered.hash;
        let kept = Kept { hash, entity: key.clone(), creates, result: result.clone(), trace };
        self.gathered.push(Write::Result(dot, Box::new(kept.clone())));
        let device = self.devices.entry(dot.replica).or_default();
        device.numbers.consume(dot.counter);
        device.keep(dot.counter, kept);
        result
    }

    /// Opens, joins or closes a conflict of the entity.
    fn note_conflict(&mut self, now: WallMs, key: &EntityKey, draft: Option<Draft>) -> Option<ConflictId> {
        let is_deleted = self.records.get(key).is_some_and(|record| record.deleted);
        if is_deleted && let Some(id) = self.open.remove(key) {
            let conflict = self.conflicts.get_mut(&id).expect("what is open is there");
            conflict.delete(now).expect("it is open");
            self.gathered.push(Write::Conflict(id, Box::new(conflict.clone())));
        }
        let draft = draft?;
        if draft.open
            && let Some(&id) = self.open.get(key)
        {
            let conflict = self.conflicts.get_mut(&id).expect("what is open is there");
            conflict.join(draft).expect("it is open");
            self.gathered.push(Write::Conflict(id, Box::new(conflict.clone())));
            return Some(id);
        }
        let id = ConflictId(self.conflicts.last_key_value().map_or(1, |(last, _)| last.0 + 1));
        let policy = self.types.get(&key.kind).map(|ty: &EntityType| ty.policy)?;
        if draft.open {
            self.open.insert(key.clone(), id);
        }
        let conflict = Conflict::new(draft, key.clone(), policy, now);
        self.gathered.push(Write::Conflict(id, Box::new(conflict.clone())));
        self.conflicts.insert(id, conflict);
        Some(id)
    }
}

type Seen = (Context, Option<syncline_core::clock::HybridTime>);

/// What the author of an op had seen, and the time of that.
fn context(device: &Device, record: Option<&Record>, op: &PushOp) -> Result<Seen, RefusalCode> {
    match &op.seen {
        PushSeen::Record(claim) => Ok((claim.resolve(record), claim.hlc)),
        PushSeen::After(n) if *n >= op.numbered.n => Err(RefusalCode::ValidationFailed),
        PushSeen::After(n) => {
            let kept = device.kept.get(n).ok_or(RefusalCode::ContextUnknown)?;
            if kept.entity != op.entity {
                return Err(RefusalCode::ValidationFailed);
            }
            Ok((kept.trace.context_after(), Some(kept.trace.hlc)))
        }
    }
}

fn standing_of(device: &Device, op: &PushOp) -> Option<RefusalCode> {
    let creations = op.refs.iter().chain([&op.entity]).filter_map(|key| device.created.get(key));
    let earlier = op.deps.iter().chain(creations).filter_map(|n| device.kept.get_key_value(n));
    let earlier: Vec<(Linked, Fate)> = earlier.map(|(&n, kept)| (linked(n, kept), fate(kept))).collect();
    let own = Linked {
        n: op.numbered.n,
        entity: op.entity.clone(),
        creates: matches!(op.action, Action::Create(_)),
        deps: op.deps.clone(),
        refs: op.refs.clone(),
        tx: None,
    };
    match standing(&own, earlier.iter().map(|(linked, fate)| (linked, *fate))) {
        Standing::Free => None,
        Standing::Misnamed => Some(RefusalCode::ValidationFailed),
        // Nothing here defers yet: all that is kept has its result.
        Standing::Waits { .. } | Standing::Fails { .. } => Some(RefusalCode::DependencyFailed),
    }
}

fn linked(n: u64, kept: &Kept) -> Linked {
    let (deps, refs) = Default::default();
    Linked { n, entity: kept.entity.clone(), creates: kept.creates, deps, refs, tx: None }
}

const fn fate(kept: &Kept) -> Fate {
    match kept.result.outcome {
        Outcome::Rejected(_) => Fate::Rejected,
        Outcome::Applied | Outcome::Merged | Outcome::Superseded | Outcome::Conflict => Fate::Done,
    }
}

fn state(record: &Record) -> RecordState {
    RecordState { ver: record.ver, vv: record.vv.clone(), dot: record.dot, hlc: record.hlc, seq: record.seq }
}
