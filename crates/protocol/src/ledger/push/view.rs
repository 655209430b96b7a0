//! What the ops of a unit see while they are decided.

use std::borrow::Cow;
use std::collections::BTreeMap;

use syncline_core::clock::{Dot, HybridTime, ReplicaId};
use syncline_core::entity::queue::{Fate, Standing};
use syncline_core::entity::{
    Action, ClaimedTime, Context, Decision, EntityKey, EntityType, Hearing, Op, Outcome, Policy, Promises,
    Record, RefusalCode, Rule, Ruling, Scene, ServerClock, Stamp, Trace, TraceEffect, Verdict, decide,
};
use syncline_core::limits::RETRY_AFTER_MS;
use syncline_core::time::WallMs;

use super::asked::{Asked, Guard, Judged, Question, amend};
use super::temporary::{Rewritten, creates};
use super::{Decided, fails};
use crate::ledger::Packed;
use crate::ledger::device::Device;
use crate::ledger::documents::MergeOutcome;
use crate::ledger::machine::Ledger;
use crate::ledger::message::{Deferral, DeferralCode, PushOp, PushSeen};
use crate::ledger::ties::Surroundings;

/// When a push came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) now: WallMs,
    /// What the server's clock is ahead of the device's.
    pub(super) shift_ms: i64,
}

/// The ledger, and over it what the ops of one unit have done so far.
pub(super) struct View<'a> {
    pub(super) ledger: &'a Ledger,
    pub(super) device: &'a Device,
    pub(super) actor: ReplicaId,
    /// What became of the update of the op that is decided.
    pub(super) merged: Option<MergeOutcome>,
    decided: Vec<Decided>,
    /// What those ops have left, and what is there where an op is to be decided.
    records: BTreeMap<EntityKey, Record>,
    hlc: HybridTime,
}

/// What became of an op in a view.
pub(super) enum Step {
    Decided,
    Deferred(Deferral),
    Asks(Box<Question>),
    Merges(Box<PushOp>),
}

/// An op that is ready to be decided, or not to be.
pub(super) struct Prepared {
    /// Without its action, and the values that its author saw.
    rewritten: Rewritten,
    op: Op,
    problem: Option<Problem>,
}

#[derive(Clone, Copy)]
enum Problem {
    Refused(RefusalCode),
    Waits,
}

type Seen = (Context, Option<HybridTime>);

impl<'a> View<'a> {
    pub(super) fn new(ledger: &'a Ledger, actor: ReplicaId) -> Self {
        let device = &ledger.devices[&actor];
        let (merged, decided, records) = Default::default();
        Self { ledger, device, actor, merged, decided, records, hlc: ledger.hlc }
    }

    /// Decides the next op of the unit.
    pub(super) fn decide(
        &mut self,
        arrival: Arrival,
        sent: &PushOp,
        is_last: bool,
        asked: &BTreeMap<u64, Asked>,
    ) -> Step {
        let rewritten = self.rewrite(sent);
        self.fetch(&rewritten.op.entity);
        let mut prepared = self.prepare(arrival, rewritten);
        let ty = self.ledger.types.get(&sent.entity.kind);
        let (decision, detail) = match (prepared.problem, ty) {
            _ if sent.action == Action::Noop => (noop(), None),
            _ if self.ledger.erased.contains_key(&prepared.rewritten.op.entity) => {
                (Decision::refused(RefusalCode::EntityDeleted), None)
            }
            (Some(Problem::Waits), _) => return Step::Deferred(waits(DeferralCode::DependencyFailed)),
            (Some(Problem::Refused(code)), _) => (Decision::refused(code), None),
            (None, None) => (Decision::refused(RefusalCode::UnknownType), None),
            (None, Some(ty)) if !ty.schema_range().contains(sent.schema_v) => {
                (Decision::refused(RefusalCode::SchemaUnsupported(ty.schema_range())), None)
            }
            (None, Some(ty)) => {
                let judged = self.judge(arrival.now, ty, &prepared.rewritten.op, &prepared.op);
                let (decision, detail) = judged;
                if decision.change.as_ref().is_some_and(|change| change.document) {
                    match self.merge(&prepared, decision) {
                        Ok(merged) => merged,
                        Err(step) => return step,
                    }
                } else if decision.change.is_some() && self.ledger.is_handled(ty) {
                    match self.ask_handler(arrival.now, ty, &mut prepared, decision, asked) {
                        Ok(judged) => judged,
                        Err(step) => return step,
                    }
                } else {
                    (decision, detail)
                }
            }
        };
        self.hlc = self.hlc.max(prepared.op.stamp.hlc);
        let decided = self.finish(sent, prepared, decision, detail);
        // Nobody looks at what the last op has left.
        if let Some(change) = decided.decision.change.as_ref().filter(|_| !is_last) {
            let record = change.applied_to(self.record(&decided.key).as_deref());
            self.records.insert(decided.key.clone(), record);
        }
        self.decided.push(decided);
        Step::Decided
    }

    /// Returns the op that was decided last, if a transaction stops at it.
    pub(super) fn failed(&mut self) -> Option<Decided> {
        let is_failed = self.decided.last().is_some_and(|last| fails(&last.decision.outcome));
        if is_failed { self.decided.pop() } else { None }
    }

    pub(super) fn into_decided(self) -> Vec<Decided> {
        self.decided
    }

    /// Returns an op that is not decided here.
    pub(super) fn with_decision(&self, arrival: Arrival, sent: &PushOp, decision: Decision) -> Decided {
        self.finish(sent, self.prepare(arrival, self.rewrite(sent)), decision, None)
    }

    /// Returns an op at which a transaction stops: it was decided, and writes nothing.
    pub(super) fn unwritten(&self, arrival: Arrival, sent: &PushOp, decision: Decision) -> Decided {
        let prepared = self.prepare(arrival, self.rewrite(sent));
        let record = self.record(&prepared.rewritten.op.entity);
        let decision = decision.unwritten(&prepared.op, record.as_deref());
        self.finish(sent, prepared, decision, None)
    }

    pub(super) fn record(&self, key: &EntityKey) -> Option<Cow<'_, Record>> {
        let here = self.records.get(key).map(Cow::Borrowed);
        here.or_else(|| self.ledger.record(key).map(Cow::Owned))
    }

    /// Unpacks a record once for all who look at it.
    fn fetch(&mut self, key: &EntityKey) {
        if !self.records.contains_key(key)
            && let Some(record) = self.ledger.record(key)
        {
            self.records.insert(key.clone(), record);
        }
    }

    pub(super) fn decided(&self) -> &[Decided] {
        &self.decided
    }

    /// Decides an op by its type; of one that a rule has vetoed, with the reason.
    fn judge(&self, now: WallMs, ty: &EntityType, pushed: &PushOp, op: &Op) -> (Decision, Option<String>) {
        let key = &pushed.entity;
        let (record, actors) = (self.record(key), &self.ledger.actors);
        let record = record.as_deref();
        let ruleset = self.ledger.rulesets.get(&ty.name).filter(|_| ty.policy == Policy::Rules);
        let judged = ruleset.and_then(|ruleset| ruleset.judge(&Hearing { ty, actors, record, op, now }));
        let ruling = judged.as_ref().map(|judged| &judged.ruling);
        let reason = match (ruling, judged.as_ref().and_then(|judged| ty.rules.get(judged.rule?))) {
            (Some(Ruling::Veto), Some(Rule { verdict: Verdict::Veto(reason), .. })) => Some(reason.clone()),
            _ => None,
        };
        let scene = Scene { ty, actors, ruling };
        let others = Surroundings { ledger: self.ledger, changed: &self.records };
        // What is done together with others is done whole.
        let may_wait = pushed.tx.is_none();
        let promises = Promises { scene: &scene, others: &others, key, record, may_wait };
        (promises.keep(op, decide(&scene, record, op)), reason)
    }

    /// Returns what a handler makes of a decision, or what must happen before that is known.
    fn ask_handler(
        &self,
        now: WallMs,
        ty: &EntityType,
        prepared: &mut Prepared,
        decision: Decision,
        asked: &BTreeMap<u64, Asked>,
    ) -> Result<(Decision, Option<String>), Step> {
        let pushed = &prepared.rewritten.op;
        let record = self.record(&pushed.entity);
        let guard = Guard::new(&pushed.entity, record.as_deref());
        match Judged::new(asked.get(&pushed.numbered.n), &guard) {
            Judged::Not if self.ledger.asks.is_full() => {
                Err(Step::Deferred(waits(DeferralCode::HandlerUnavailable)))
            }
            Judged::Not => {
                let server = record.map(Cow::into_owned).map(Box::new);
                Err(Step::Asks(Box::new(Question { guard, op: prepared.pushed(), server })))
            }
            Judged::Deferred(deferral) => Err(Step::Deferred(deferral)),
            Judged::Refused(code, detail) => {
                let detail = Some(detail.to_owned()).filter(|detail| !detail.is_empty());
                Ok((Decision::refused(code), detail))
            }
            Judged::Accepted(set) => {
                let op = &mut prepared.op;
                let Some(action) = amend(&op.action, set) else {
                    return Ok((Decision::refused(RefusalCode::ValidationFailed), None));
                };
                if action == op.action {
                    return Ok((decision, None));
                }
                op.action = action;
                let (mut decision, detail) = self.judge(now, ty, pushed, op);
                if decision.outcome == Outcome::Applied {
                    decision.outcome = Outcome::Merged;
                }
                Ok((decision, detail))
            }
        }
    }

    fn prepare(&self, arrival: Arrival, mut rewritten: Rewritten) -> Prepared {
        let pushed = &rewritten.op;
        let record = self.record(&pushed.entity);
        let (context, seen, problem) = match self.context(record.as_deref(), pushed) {
            Ok((context, seen)) if pushed.unreadable => {
                (context, seen, Some(Problem::Refused(RefusalCode::ValidationFailed)))
            }
            Ok((context, seen)) => (context, seen, self.problem(&rewritten)),
            Err(problem) => (Context::default(), None, Some(problem)),
        };
        let server = ServerClock { now: arrival.now, hlc: self.hlc };
        let hlc = server.effective(ClaimedTime { seen, ..pushed.time }, arrival.shift_ms);
        let stamp = Stamp { hlc, dot: Dot::new(self.actor, pushed.numbered.n) };
        let (action, was) = (
            std::mem::replace(&mut rewritten.op.action, Action::Noop),
            std::mem::take(&mut rewritten.op.was),
        );
        Prepared { rewritten, op: Op { stamp, context, action, was }, problem }
    }

    /// What the author of an op had seen, and the time of that.
    fn context(&self, record: Option<&Record>, op: &PushOp) -> Result<Seen, Problem> {
        let n = match &op.seen {
            PushSeen::Record(claim) => return Ok((claim.resolve(record), claim.hlc)),
            PushSeen::After(n) if *n >= op.numbered.n => {
                return Err(Problem::Refused(RefusalCode::ValidationFailed));
            }
            PushSeen::After(n) => *n,
        };
        if self.device.numbers.is_hole(n) && !self.decided.iter().any(|op| op.n() == n) {
            return Err(Problem::Waits);
        }
        let (key, trace) = self.trace(n).ok_or(Problem::Refused(RefusalCode::ContextUnknown))?;
        if key != op.entity {
            return Err(Problem::Refused(RefusalCode::ValidationFailed));
        }
        Ok((trace.context_after(), Some(trace.hlc)))
    }

    /// What an earlier op of the device has left.
    fn trace(&self, n: u64) -> Option<(EntityKey, Trace)> {
        let here = self.decided.iter().find(|op| op.n() == n).map(|op| (op.key.clone(), op.trace.clone()));
        let kept = || self.device.kept.get(&n).map(Packed::read);
        here.or_else(|| kept().map(|kept| (kept.result.entity, kept.trace)))
    }

    fn problem(&self, rewritten: &Rewritten) -> Option<Problem> {
        match self.standing(&rewritten.op) {
            Standing::Free if rewritten.is_dangling => Some(Problem::Refused(RefusalCode::DependencyFailed)),
            Standing::Free => None,
            Standing::Misnamed => Some(Problem::Refused(RefusalCode::ValidationFailed)),
            Standing::Waits { .. } => Some(Problem::Waits),
            Standing::Fails { .. } => Some(Problem::Refused(RefusalCode::DependencyFailed)),
        }
    }

    fn finish(
        &self,
        sent: &PushOp,
        prepared: Prepared,
        decision: Decision,
        detail: Option<String>,
    ) -> Decided {
        let Prepared { rewritten, op, .. } = prepared;
        let is_refused = matches!(decision.outcome, Outcome::Rejected(_));
        // An op that was refused has named nothing.
        let key = if is_refused { self.named(&sent.entity) } else { rewritten.op.entity };
        let creates = creates(&sent.action);
        // SUBTLE: where the order of ops is to leave no trace, an author who created the same has not seen what is there. Had it
        // come first, what is there would not have been there yet, and time would decide between it and the next op.
        let ty = self.ledger.types.get(&key.kind);
        let has_seen = creates && ty.is_some_and(|ty| !ty.policy.ignores_order());
        let effect = match self.record(&key) {
            _ if decision.change.is_some() => TraceEffect::Changed,
            Some(record) if has_seen && decision.outcome == Outcome::Applied => {
                TraceEffect::Matched(record.vv.clone())
            }
            Some(_) | None => TraceEffect::Nothing,
        };
        Decided {
            hash: sent.numbered.hash,
            schema_v: sent.schema_v,
            sent: sent.entity.clone(),
            key,
            creates,
            trace: Trace { context: op.context, hlc: op.stamp.hlc, dot: op.stamp.dot, effect },
            decision,
            detail,
            settles: None,
        }
    }
}

impl Prepared {
    /// Returns the op as it was pushed, with the names of entities here.
    pub(super) fn pushed(&self) -> PushOp {
        let Op { action, was, .. } = self.op.clone();
        PushOp { action, was, ..self.rewritten.op.clone() }
    }

    pub(super) const fn is_in_tx(&self) -> bool {
        self.rewritten.op.tx.is_some()
    }
}

impl Decided {
    pub(super) const fn fate(&self) -> Fate {
        match self.decision.outcome {
            Outcome::Rejected(_) => Fate::Rejected,
            Outcome::Applied | Outcome::Merged | Outcome::Superseded | Outcome::Conflict => Fate::Done,
        }
    }
}

pub(super) const fn waits(code: DeferralCode) -> Deferral {
    Deferral { code, retry_after_ms: RETRY_AFTER_MS }
}

const fn noop() -> Decision {
    Decision { outcome: Outcome::Applied, change: None, conflict: None, combined: BTreeMap::new() }
}
