//! How a ledger takes pushes.
//!
//! Ops that stand or fall together are a *unit*: those of a transaction, or one alone. A unit is decided whole in a [`View`]
//! that nobody else sees, and takes effect whole or not at all. Where a handler has to judge an op, or a room has to take its
//! update in, the push stops, and the unit is decided again from the start when that is done. Pushes of one device wait for each
//! other; others go on.

mod asked;
mod links;
mod merged;
mod mutations;
mod perform;
mod temporary;
mod view;

use std::collections::BTreeMap;

use asked::Asked;
pub(super) use asked::Asks;
pub use mutations::MutationHash;
pub(super) use perform::Decided;
use syncline_core::access::{self, Grants, Resource};
use syncline_core::clock::{Dot, ReplicaId};
use syncline_core::entity::{ActorName, ClientClock, Decision, Outcome, RefusalCode, ServerClock};
use syncline_core::limits::TX_OPS_MAX;
use syncline_core::time::WallMs;
use view::{Arrival, Step, View, waits};

use super::documents::MergeOutcome;
use super::machine::Ledger;
use super::message::{Answer, Deferral, DeferralCode, OpResult, OpStatus, PushOp, RequestId};
use super::{Hole, Numbered, Turn};

/// A push that is under way, or waits for the one before it.
#[derive(Debug)]
pub(super) struct Push {
    request: RequestId,
    shift_ms: i64,
    ops: Vec<PushOp>,
    /// The names of the ops, if they are mutations.
    names: Vec<MutationHash>,
    /// What whoever sends them may do.
    grants: Grants,
    /// What is to be done with each op; empty before the first is looked at.
    turns: Vec<Turn>,
    /// What became of the ops so far.
    statuses: Vec<OpStatus>,
    /// What handlers were asked, by the numbers of ops.
    asked: BTreeMap<u64, Asked>,
    /// What became of the update of the op whose turn it is.
    merged: Option<MergeOutcome>,
}

/// A push as it comes in, but for its ops.
pub(super) struct Pushing {
    pub(super) now: WallMs,
    pub(super) request: RequestId,
    pub(super) clock: ClientClock,
    pub(super) grants: Grants,
}

enum Taken {
    Statuses(Vec<OpStatus>),
    /// A handler has to judge this op first.
    Asks(Box<asked::Question>),
    /// A room has to take in the update of this op first.
    Merges(Box<PushOp>),
}

impl Ledger {
    pub(super) fn push(&mut self, pushing: Pushing, name: &ActorName, ops: Vec<PushOp>) {
        self.enqueue(pushing, name, ops, Vec::new());
    }

    fn enqueue(&mut self, pushing: Pushing, name: &ActorName, ops: Vec<PushOp>, names: Vec<MutationHash>) {
        let Pushing { now, request, clock, grants } = pushing;
        let actor = self.number(name);
        self.devices.entry(actor).or_default();
        let shift_ms = ServerClock { now, hlc: self.hlc }.shift_ms(clock);
        let (turns, statuses, asked) = Default::default();
        let queue = self.pushes.entry(actor).or_default();
        queue.push_back(Push { request, shift_ms, grants, ops, names, turns, statuses, asked, merged: None });
        if queue.len() == 1 {
            self.advance(now, actor);
        }
    }

    /// It is known what becomes of the update of an op.
    pub(super) fn go_on_with(&mut self, now: WallMs, actor: ReplicaId, outcome: MergeOutcome) {
        if let Some(push) = self.pushes.get_mut(&actor).and_then(|queue| queue.front_mut()) {
            push.merged = Some(outcome);
            self.advance(now, actor);
        }
    }

    /// Decides the op whose update a room is about to store, and nothing behind it: [`advance`](Self::advance) goes on.
    pub(super) fn take_merged(&mut self, now: WallMs, actor: ReplicaId) {
        let Some(mut push) = self.pushes.get_mut(&actor).and_then(|queue| queue.pop_front()) else { return };
        let arrival = Arrival { now, shift_ms: push.shift_ms };
        let taken = self.take(arrival, actor, push.unit(), &push.asked, Some(MergeOutcome::Taken));
        if let Taken::Statuses(statuses) = taken {
            self.note_taken(actor, &mut push, statuses);
        }
        self.pushes.entry(actor).or_default().push_front(push);
    }

    /// Keeps what became of the ops whose turn it was.
    fn note_taken(&mut self, actor: ReplicaId, push: &mut Push, statuses: Vec<OpStatus>) {
        let taken = push.statuses.len()..push.statuses.len() + statuses.len();
        let names = push.names.get(taken.clone()).unwrap_or_default();
        self.note_mutations(actor, names, &push.ops[taken]);
        push.statuses.extend(statuses);
        push.merged = None;
        self.renumbered.insert(actor);
    }

    /// Takes what a device has pushed, until a handler has to judge an op or a room has to take one in.
    pub(super) fn advance(&mut self, now: WallMs, actor: ReplicaId) {
        while let Some(mut push) = self.pushes.get_mut(&actor).and_then(|queue| queue.pop_front()) {
            match self.go_on(now, actor, &mut push) {
                Some(answer) => self.park(push.request, answer),
                None => {
                    self.pushes.entry(actor).or_default().push_front(push);
                    return;
                }
            }
        }
        self.pushes.remove(&actor);
    }

    /// Returns the answer if the push is done.
    fn go_on(&mut self, now: WallMs, actor: ReplicaId, push: &mut Push) -> Option<Answer> {
        if push.turns.is_empty() {
            if !push.names.is_empty() {
                self.number_mutations(actor, push);
            }
            let device = &self.devices[&actor];
            let numbered: Vec<Numbered> = push.ops.iter().map(|op| op.numbered).collect();
            match device.numbers.turns(&numbered, |n| device.hash(n)) {
                Ok(turns) => push.turns = turns,
                Err(refusal) => return Some(Answer::Refused(refusal.into())),
            }
        }
        let arrival = Arrival { now, shift_ms: push.shift_ms };
        while let Some(turn) = push.turns.get(push.statuses.len()) {
            let unit = push.unit();
            match turn {
                Turn::Duplicate => {
                    let again = self.again(Dot::new(actor, unit[0].numbered.n));
                    push.statuses.push(again);
                }
                Turn::New | Turn::Again if let Some(at) = push.forbidden() => {
                    let statuses = self.forbid(arrival, actor, unit, at);
                    self.note_taken(actor, push, statuses);
                }
                Turn::New | Turn::Again => match self.take(arrival, actor, unit, &push.asked, push.merged) {
                    Taken::Statuses(statuses) => {
                        self.note_taken(actor, push, statuses);
                        self.seal_if_full();
                    }
                    Taken::Asks(question) => {
                        self.ask(actor, *question, &mut push.asked);
                        return None;
                    }
                    Taken::Merges(op) => {
                        self.merge(actor, *op);
                        return None;
                    }
                },
            }
        }
        Some(self.pushed(actor, push))
    }

    fn pushed(&self, actor: ReplicaId, push: &mut Push) -> Answer {
        let device = &self.devices[&actor];
        let named = push.ops.iter().filter_map(|op| {
            let id = device.ids.get(&op.entity)?;
            Some((op.entity.clone(), id.clone()))
        });
        Answer::Pushed {
            id_map: named.collect(),
            results: std::mem::take(&mut push.statuses),
            last_n: device.numbers.last(),
            high_n: device.numbers.high(),
            done_beyond: device.numbers.done_beyond().collect(),
            fence: self.log.head(),
        }
    }

    fn again(&self, dot: Dot) -> OpStatus {
        match self.devices[&dot.replica].kept.get(&dot.counter) {
            Some(kept) => OpStatus::Done(Box::new(OpResult { is_duplicate: true, ..kept.read().result })),
            None => OpStatus::Aged { n: dot.counter },
        }
    }

    /// Decides a unit and gathers what it does.
    fn take(
        &mut self,
        arrival: Arrival,
        actor: ReplicaId,
        unit: &[PushOp],
        asked: &BTreeMap<u64, Asked>,
        merged: Option<MergeOutcome>,
    ) -> Taken {
        if unit.len() > TX_OPS_MAX {
            return Taken::Statuses(self.abort(arrival, actor, unit, None));
        }
        if self.is_partial(actor, unit) {
            return Taken::Statuses(self.defer(actor, unit, waits(DeferralCode::DependencyFailed)));
        }
        let mut view = View::new(self, actor);
        view.merged = merged;
        for (at, op) in unit.iter().enumerate() {
            match view.decide(arrival, op, at + 1 == unit.len(), asked) {
                Step::Decided => {}
                Step::Deferred(deferral) => return Taken::Statuses(self.defer(actor, unit, deferral)),
                Step::Asks(question) => return Taken::Asks(question),
                Step::Merges(op) => return Taken::Merges(op),
            }
            if unit.len() > 1
                && let Some(failed) = view.failed()
            {
                return Taken::Statuses(self.abort(arrival, actor, unit, Some((at, failed))));
            }
        }
        let decided = view.into_decided();
        Taken::Statuses(decided.into_iter().map(|op| self.done(arrival.now, op)).collect())
    }

    fn done(&mut self, now: WallMs, decided: Decided) -> OpStatus {
        OpStatus::Done(Box::new(self.perform(now, decided)))
    }

    /// Refuses what its sender may not do, and with it the transaction.
    fn forbid(&mut self, arrival: Arrival, actor: ReplicaId, unit: &[PushOp], at: usize) -> Vec<OpStatus> {
        let refused = Decision::refused(RefusalCode::ForbiddenOp);
        let refused = View::new(self, actor).with_decision(arrival, &unit[at], refused);
        self.abort(arrival, actor, unit, Some((at, refused)))
    }

    /// Refuses a transaction: the op that failed for what it failed for, the others because of it.
    fn abort(
        &mut self,
        arrival: Arrival,
        actor: ReplicaId,
        unit: &[PushOp],
        failed: Option<(usize, Decided)>,
    ) -> Vec<OpStatus> {
        let mut statuses = Vec::with_capacity(unit.len());
        for (at, op) in unit.iter().enumerate() {
            // Each is looked at anew: what the others would have left behind is not there.
            let view = View::new(self, actor);
            let decided = match &failed {
                Some((failed_at, failed)) if at == *failed_at => {
                    let decided = view.unwritten(arrival, op, failed.decision.clone());
                    Decided { detail: failed.detail.clone(), ..decided }
                }
                Some(_) => view.with_decision(arrival, op, Decision::refused(RefusalCode::TxAborted)),
                None => view.with_decision(arrival, op, Decision::refused(RefusalCode::ValidationFailed)),
            };
            statuses.push(self.done(arrival.now, decided));
        }
        statuses
    }

    /// Notes that ops are to be sent again. Nothing else is kept of them.
    fn defer(&mut self, actor: ReplicaId, unit: &[PushOp], deferral: Deferral) -> Vec<OpStatus> {
        let device = self.devices.entry(actor).or_default();
        let mut statuses = Vec::with_capacity(unit.len());
        for op in unit {
            let n = op.numbered.n;
            let creates = temporary::creates(&op.action).then(|| device.named(&op.entity));
            device.numbers.defer(n, Hole { hash: op.numbered.hash, creates, tx: op.tx.clone() });
            statuses.push(OpStatus::Deferred { n, deferral });
        }
        statuses
    }

    /// Returns whether ops of a transaction came without others of it that were deferred with them.
    fn is_partial(&self, actor: ReplicaId, unit: &[PushOp]) -> bool {
        let Some(tx) = unit.first().and_then(|op| op.tx.as_ref()) else { return false };
        let is_here = |n| unit.iter().any(|op| op.numbered.n == n);
        self.devices[&actor].numbers.holes().any(|(n, hole)| hole.tx.as_ref() == Some(tx) && !is_here(n))
    }
}

impl Push {
    /// Returns the first op of the unit whose turn it is that its sender may not have made.
    fn forbidden(&self) -> Option<usize> {
        let may =
            |op: &PushOp| self.grants.allows(access::Action::Write, Resource::Type(op.entity.kind.as_str()));
        self.unit().iter().position(|op| !op.numbered.is_noop && !may(op))
    }

    /// The op whose turn it is, with those that stand or fall with it.
    fn unit(&self) -> &[PushOp] {
        let at = self.statuses.len();
        let (ops, turns) = (&self.ops[at..], &self.turns[at..]);
        let tx = &ops[0].tx;
        let is_one = tx.is_none() || turns[0] == Turn::Duplicate;
        let belongs = |(op, turn): &(&PushOp, &Turn)| !is_one && op.tx == *tx && **turn != Turn::Duplicate;
        let others = ops.iter().zip(turns).skip(1).take_while(belongs).count();
        &ops[..=others]
    }
}

/// Returns whether a transaction stops at an op that ends like this.
const fn fails(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Rejected(_) | Outcome::Superseded | Outcome::Conflict => true,
        Outcome::Applied | Outcome::Merged => false,
    }
}
