//! What handlers are asked, and what they have said.
//!
//! A verdict is about the record that the handler was shown. If that has changed meanwhile the handler is asked again.

use std::collections::BTreeMap;

use syncline_core::clock::{Dot, ReplicaId};
use syncline_core::entity::{Action, EntityKey, EntityType, Record, RecordVersion, RefusalCode, Values};
use syncline_core::limits::{HANDLER_ASKS_MAX, HANDLER_ROUNDS_MAX};
use syncline_core::time::WallMs;

use super::view::waits;
use crate::ledger::machine::Ledger;
use crate::ledger::message::{AskId, Deferral, DeferralCode, Effect, PushOp, Verdict};

/// The questions that are open.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Asks {
    last: u64,
    /// The device, and the op.
    open: BTreeMap<AskId, (ReplicaId, u64)>,
}

/// What a handler was asked about an op.
#[derive(Debug)]
pub(super) struct Asked {
    guard: Guard,
    rounds: u32,
    verdict: Option<Verdict>,
}

/// The record that a handler was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Guard {
    key: EntityKey,
    at: Option<(RecordVersion, Dot)>,
}

/// A question to a handler.
pub(super) struct Question {
    pub(super) guard: Guard,
    pub(super) op: PushOp,
    pub(super) server: Option<Box<Record>>,
}

/// What a handler has said about an op and the record as it is.
pub(super) enum Judged<'a> {
    /// Nothing yet.
    Not,
    Accepted(&'a Values),
    Refused(RefusalCode, &'a str),
    Deferred(Deferral),
}

impl Ledger {
    /// A handler has judged an op. What is about no open question is passed over.
    pub(in crate::ledger) fn answered(&mut self, now: WallMs, ask: AskId, verdict: Verdict) {
        let Some((actor, n)) = self.asks.open.remove(&ask) else { return };
        let push = self.pushes.get_mut(&actor).and_then(|queue| queue.front_mut());
        if let Some(asked) = push.and_then(|push| push.asked.get_mut(&n)) {
            asked.verdict = Some(verdict);
            self.advance(now, actor);
        }
    }

    pub(super) fn is_handled(&self, ty: &EntityType) -> bool {
        ty.handler.is_some() || self.settings.handled.contains(&ty.name)
    }

    /// Asks a handler. What it is shown must be durable, as all that leaves.
    pub(super) fn ask(&mut self, actor: ReplicaId, question: Question, asked: &mut BTreeMap<u64, Asked>) {
        let Question { guard, op, server } = question;
        let n = op.numbered.n;
        let rounds = asked.get(&n).map_or(0, |asked| asked.rounds).saturating_add(1);
        asked.insert(n, Asked { guard, rounds, verdict: None });
        self.asks.last = self.asks.last.saturating_add(1);
        let ask = AskId(self.asks.last);
        self.asks.open.insert(ask, (actor, n));
        let device = self.actors.name(actor).expect("its number was given to it").clone();
        let owner = self.actors.known(&device.sender()).and_then(|owner| self.devices.get(&owner));
        let binding =
            owner.and_then(|owner| owner.binding.as_ref()).expect("only a device that is bound sends");
        let user = binding.user.clone();
        self.park_effect(Effect::Ask { ask, user, device, op: Box::new(op), server });
    }
}

impl Asks {
    pub(super) fn is_full(&self) -> bool {
        self.open.len() >= HANDLER_ASKS_MAX
    }
}

impl Guard {
    pub(super) fn new(key: &EntityKey, record: Option<&Record>) -> Self {
        Self { key: key.clone(), at: record.map(|record| (record.ver, record.dot)) }
    }
}

impl<'a> Judged<'a> {
    pub(super) fn new(asked: Option<&'a Asked>, guard: &Guard) -> Self {
        let Some(asked) = asked else { return Self::Not };
        match &asked.verdict {
            Some(Verdict::Unavailable { retry_after_ms }) => {
                let code = DeferralCode::HandlerUnavailable;
                Self::Deferred(Deferral { code, retry_after_ms: *retry_after_ms })
            }
            Some(Verdict::Accept { set }) if asked.guard == *guard => Self::Accepted(set),
            Some(Verdict::Refuse { code, detail }) if asked.guard == *guard => Self::Refused(*code, detail),
            Some(Verdict::Accept { .. } | Verdict::Refuse { .. }) | None => {
                if asked.rounds < HANDLER_ROUNDS_MAX {
                    Self::Not
                } else {
                    Self::Deferred(waits(DeferralCode::HandlerUnavailable))
                }
            }
        }
    }
}

/// Returns an op with the values that a handler wants in it; none if it sets no values.
pub(super) fn amend(action: &Action, set: &Values) -> Option<Action> {
    let mut amended = action.clone();
    match &mut amended {
        _ if set.is_empty() => {}
        Action::Create(values) | Action::Restore(values) => values.extend(set.clone()),
        Action::Update { set: values, unset } => {
            values.extend(set.clone());
            unset.retain(|name| !set.contains_key(name));
        }
        Action::Delta(_) | Action::Delete | Action::Document(_) | Action::Noop => return None,
    }
    Some(amended)
}
