//! What people and deadlines make of conflicts.
//!
//! What they decide is an op of the server: the conflict, the record and the result of the op go in one batch.

use serde::{Deserialize, Serialize};
use syncline_core::clock::{Dot, ReplicaId};
use syncline_core::entity::conflict::{Conflict, ConflictError, Request, Resolved};
use syncline_core::entity::{
    Action, Change, ClaimedTime, Context, EntityKey, Epoch, Life, Op, Outcome, Record, Refusal, RefusalCode,
    ServerClock, Stamp, Trace, TraceEffect, Values,
};
use syncline_core::limits::CONFLICT_COMMENTS_MAX;
use syncline_core::time::WallMs;

use super::ContentHash;
use super::machine::Ledger;
use super::message::{Answer, Collision, OpResult, Write};
use super::push::Decided;

/// The bits of the numbers that each millisecond has.
const OWN_BITS: u32 = 20;

/// How many milliseconds have numbers of their own: there are some until the year 2248.
const OWN_EPOCHS_MAX: u64 = u64::MAX >> (OWN_BITS + 1);

/// A conflict of a shard. Those of a later life of the log come later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConflictId {
    /// The life of the log in which it arose. A log that has lost its last conflicts with its data counts anew in another life:
    /// clients may know them.
    pub epoch: Epoch,
    /// Its number there, counted from 1.
    pub n: u64,
}

/// What someone wants of a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConflictWish {
    /// To settle it.
    Resolve(Request),
    /// To give it to someone.
    Assign {
        /// To whom.
        assignee: String,
        /// Until when.
        deadline: Option<WallMs>,
    },
    /// To give it to the next level.
    Escalate,
    /// To say something about it.
    Comment {
        /// Who says it.
        by: String,
        /// What.
        text: String,
    },
    /// To keep what was proposed, for a person to accept or not.
    Suggest {
        /// Who has asked for it.
        by: String,
        /// What is proposed.
        proposal: Proposal,
    },
}

/// What someone who was asked proposes to make of the record of a conflict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// The values that the record is to get.
    pub set: Values,
    /// What that means.
    pub description: String,
    /// What follows from it.
    pub impact: String,
}

/// What someone has said about a conflict. It is no part of it: a closed conflict may be talked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Who has said it.
    pub by: String,
    /// What.
    pub text: String,
    /// When.
    pub at: WallMs,
    /// What was proposed; then there is no text, and who has said it has asked.
    #[serde(default)]
    pub proposal: Option<Proposal>,
}

/// Why a conflict is not changed. Who asks is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConflictRefusal {
    /// There is none.
    Unknown,
    /// It does not allow that; here it is.
    State(ConflictError, Box<Conflict>),
    /// The record does not take what was chosen.
    Record(Refusal),
    /// No level is left that could have it.
    LastLevel,
    /// Too much has been said about it.
    CommentsFull,
}

impl Ledger {
    /// Returns when to hand in [`Input::Tick`](super::Input::Tick). It may change with each input.
    #[must_use]
    pub fn next_deadline(&self) -> Option<WallMs> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    /// Returns what was said about a conflict, in order.
    #[must_use]
    pub fn comments(&self, id: ConflictId) -> &[Comment] {
        self.comments.get(&id).map_or(&[], Vec::as_slice)
    }

    pub(super) fn wish(&mut self, now: WallMs, id: ConflictId, wish: ConflictWish) -> Answer {
        let Some(before) = self.conflicts.get(&id) else {
            return Answer::ConflictRefused(ConflictRefusal::Unknown);
        };
        let mut conflict = before.clone();
        let changed = match wish {
            ConflictWish::Resolve(request) => return self.resolve(now, id, conflict, request),
            ConflictWish::Assign { assignee, deadline } => conflict.assign(assignee, deadline),
            ConflictWish::Escalate => match self.settings.levels.get(conflict.level()) {
                Some(level) => conflict.escalate(level, now),
                None if conflict.is_open() => {
                    return Answer::ConflictRefused(ConflictRefusal::LastLevel);
                }
                None => Err(ConflictError::Closed),
            },
            ConflictWish::Comment { by, text } => {
                return self.say(id, conflict, Comment { by, text, at: now, proposal: None });
            }
            ConflictWish::Suggest { by, proposal } if conflict.is_open() => {
                let action = Action::Update { set: proposal.set.clone(), unset: Default::default() };
                let ty = self.types.get(&conflict.entity().kind);
                let checked = ty.map_or(Err(RefusalCode::UnknownType.into()), |ty| action.check(ty));
                return match checked {
                    Ok(()) => {
                        let text = String::new();
                        self.say(id, conflict, Comment { by, text, at: now, proposal: Some(proposal) })
                    }
                    Err(refusal) => Answer::ConflictRefused(ConflictRefusal::Record(refusal)),
                };
            }
            ConflictWish::Suggest { .. } => Err(ConflictError::Closed),
        };
        if let Err(error) = changed {
            return Answer::ConflictRefused(ConflictRefusal::State(error, Box::new(conflict)));
        }
        self.keep_conflict(id, conflict.clone());
        Answer::Conflict { conflict: Box::new(conflict), result: None }
    }

    /// Does what deadlines ask for that have passed.
    pub(super) fn pass_deadlines(&mut self, now: WallMs) {
        let due = self.deadlines.iter().take_while(|(deadline, _)| *deadline <= now);
        let due: Vec<ConflictId> = due.map(|&(_, id)| id).collect();
        for id in due {
            self.pass_deadline(now, id);
            self.seal_if_full();
        }
    }

    fn resolve(&mut self, now: WallMs, id: ConflictId, mut conflict: Conflict, request: Request) -> Answer {
        let record = self.record(conflict.entity()).unwrap_or_else(forgotten);
        let action = match conflict.resolve(request, &record, now) {
            Ok(Resolved::Now(action)) => action,
            Ok(Resolved::Before) => {
                let result = self.result_of(id).map(Box::new);
                return Answer::Conflict { conflict: Box::new(conflict), result };
            }
            Err(error) => {
                return Answer::ConflictRefused(ConflictRefusal::State(error, Box::new(conflict)));
            }
        };
        let decided = match action.map(|action| self.decide_own(now, id, &conflict, action)).transpose() {
            Ok(decided) => decided,
            Err(refusal) => return Answer::ConflictRefused(ConflictRefusal::Record(refusal)),
        };
        let result = self.close(now, id, conflict.clone(), decided);
        Answer::Conflict { conflict: Box::new(conflict), result: result.map(Box::new) }
    }

    fn pass_deadline(&mut self, now: WallMs, id: ConflictId) {
        let before = self.conflicts[&id].clone();
        let record = self.record(before.entity()).unwrap_or_else(forgotten);
        let fallback = self.types.get(&before.entity().kind).and_then(|ty| ty.fallback);
        let mut conflict = before.clone();
        let actors = (&self.actors, &record);
        let action = conflict.pass_deadline(now, &self.settings.levels, fallback, actors);
        let decided = action.map(|action| self.decide_own(now, id, &conflict, action)).transpose();
        let decided = decided.unwrap_or_else(|_| {
            // What the fallback would take the record does not: it stays as it is.
            conflict = before;
            conflict.pass_deadline(now, &self.settings.levels, None, (&self.actors, &record));
            None
        });
        self.close(now, id, conflict, decided);
    }

    /// Keeps a conflict that has changed, and does to its record what that asks for.
    fn close(
        &mut self,
        now: WallMs,
        id: ConflictId,
        conflict: Conflict,
        decided: Option<Decided>,
    ) -> Option<OpResult> {
        // The conflict comes first: a deletion closes what is open.
        self.keep_conflict(id, conflict);
        let decided = decided?;
        self.renumbered.insert(decided.trace.dot.replica);
        Some(self.perform(now, decided))
    }

    /// Stores a conflict that is new or has changed.
    pub(super) fn keep_conflict(&mut self, id: ConflictId, conflict: Conflict) {
        self.gathered.push(Write::Conflict(id, Box::new(conflict.clone())));
        self.restore_conflict(id, conflict);
    }

    /// Closes what is open about an entity that is there no more.
    pub(super) fn close_conflict(&mut self, now: WallMs, key: &EntityKey) {
        if let Some(&id) = self.open.get(key) {
            let mut conflict = self.conflicts[&id].clone();
            conflict.delete(now).expect("it is open");
            self.keep_conflict(id, conflict);
        }
    }

    /// Puts a conflict where it is found: by its entity and its deadline as long as it is open.
    pub(super) fn restore_conflict(&mut self, id: ConflictId, conflict: Conflict) {
        if let Some(before) = self.conflicts.get(&id).filter(|before| before.is_open()) {
            self.open.remove(before.entity());
            before.deadline().map(|deadline| self.deadlines.remove(&(deadline, id)));
        }
        if conflict.is_open() {
            self.open.insert(conflict.entity().clone(), id);
            self.deadlines.extend(conflict.deadline().map(|deadline| (deadline, id)));
        }
        self.conflicts.insert(id, conflict);
    }

    /// Keeps what is said about a conflict, which stays as it is.
    fn say(&mut self, id: ConflictId, conflict: Conflict, comment: Comment) -> Answer {
        let comments = self.comments.entry(id).or_default();
        if comments.len() >= CONFLICT_COMMENTS_MAX {
            return Answer::ConflictRefused(ConflictRefusal::CommentsFull);
        }
        self.gathered.push(Write::Comment(id, comments.len() as u64, Box::new(comment.clone())));
        comments.push(comment);
        Answer::Conflict { conflict: Box::new(conflict), result: None }
    }

    /// Decides an op of the server, who has seen the record as it is.
    fn decide_own(
        &mut self,
        now: WallMs,
        id: ConflictId,
        conflict: &Conflict,
        action: Action,
    ) -> Result<Decided, Refusal> {
        let actor = self.number(&self.settings.server.clone());
        let n = self.next_own(actor);
        let key: &EntityKey = conflict.entity();
        let ty = self.types.get(&key.kind).ok_or(RefusalCode::UnknownType)?;
        let record = self.record(key).ok_or(RefusalCode::EntityUnknown)?;
        let clock = ServerClock { now, hlc: self.hlc };
        let hlc = clock.effective(ClaimedTime { seen: Some(record.hlc), ..ClaimedTime::default() }, 0);
        let stamp = Stamp { hlc, dot: Dot::new(actor, n) };
        let context = Context { vv: record.vv.clone(), beyond: false };
        let op = Op { stamp, context, action, was: Default::default() };
        let decision = self.decide_alone(ty, key, &op);
        if let Outcome::Rejected(refusal) = decision.outcome {
            return Err(refusal);
        }
        let effect = if decision.change.is_some() { TraceEffect::Changed } else { TraceEffect::Nothing };
        Ok(Decided {
            hash: ContentHash([0; 8]),
            schema_v: ty.schema_v,
            sent: key.clone(),
            key: key.clone(),
            creates: false,
            trace: Trace { context: op.context, hlc, dot: stamp.dot, effect },
            decision,
            detail: None,
            settles: Some(Collision { id, kind: conflict.kind(), fields: conflict.draft().fields.clone() }),
        })
    }

    /// Returns the next number of an actor that is a server, and leaves out those that an earlier life of the log may have given.
    pub(super) fn next_own(&mut self, actor: ReplicaId) -> u64 {
        let numbers = &mut self.devices.entry(actor).or_default().numbers;
        numbers.skip_to(before_own(self.epoch));
        numbers.high().saturating_add(1)
    }

    /// The result of the op that has settled a conflict.
    fn result_of(&self, id: ConflictId) -> Option<OpResult> {
        let device = self.devices.get(&self.actors.known(&self.settings.server)?)?;
        let mut results = device.kept.values().rev().map(|kept| kept.read().result);
        results.find(|result| result.conflict.as_ref().is_some_and(|conflict| conflict.id == id))
    }
}

/// Returns the number behind which the ops of servers are numbered in a life of the log. What an earlier life has lost with its
/// data may still be in what devices have seen, and another op of the same number would count as seen, too.
///
/// Lives are numbered by milliseconds: an earlier one has had a million numbers for each that it lasted.
fn before_own(epoch: Epoch) -> u64 {
    epoch.0.saturating_sub(1).min(OWN_EPOCHS_MAX) << OWN_BITS
}

/// A record of which nothing is kept.
fn forgotten() -> Record {
    let stamp = Stamp { hlc: Default::default(), dot: Dot::new(ReplicaId(0), 0) };
    Change::new(stamp, Life::Ends).applied_to(None)
}
