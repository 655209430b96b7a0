//! Ops on one record that have not been sent become one.
//!
//! | waiting | new | become |
//! | --- | --- | --- |
//! | create | update | create |
//! | create | delete | nothing, if no op refers to the entity |
//! | update | update | update: the last value of each field, from what the first author saw |
//! | update | delete | delete |
//! | delete | create | restore |
//! | delta | delta | their sum |
//! | document | document | both updates as one |
//!
//! Nothing else does, and nothing that was sent, belongs to a transaction, or depends on what was queued in between.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use bytes::Bytes;

use crate::clock::HybridTime;
use crate::entity::{Action, Claim, EntityKey, FieldName, Value, Values};

/// Names an op in a queue; later ops have greater keys. It gets its number when it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PendingKey(pub u64);

/// What the author of a waiting op had seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The record as it came from the server.
    Record(Claim),
    /// That, and the waiting op.
    After(PendingKey),
}

/// An op that waits to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its name in the queue.
    pub key: PendingKey,
    /// The entity.
    pub entity: EntityKey,
    /// What it does.
    pub action: Action,
    /// What its author had seen.
    pub seen: Seen,
    /// The values that its author saw in fields that it writes.
    pub was: BTreeMap<FieldName, Option<Value>>,
    /// When it was made.
    pub hlc: HybridTime,
    /// The ops that it depends on.
    pub deps: BTreeSet<PendingKey>,
    /// The entities that it refers to.
    pub refs: BTreeSet<EntityKey>,
    /// The transaction that it belongs to.
    pub tx: Option<u64>,
    /// Whether it has its number, and never changes again.
    pub frozen: bool,
}

/// What became of an op that was put into a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It waits at the end.
    Appended,
    /// It has become part of another.
    Into(PendingKey),
    /// It and this one have become nothing.
    Annulled(PendingKey),
}

/// Puts an op into a queue, into an op that waits already if both may become one.
///
/// `may_coalesce` is the setting of its type; `join` makes one update of two for the document, the earlier first.
pub fn enqueue(
    queue: &mut Vec<Pending>,
    op: Pending,
    may_coalesce: bool,
    join: impl FnOnce(&Bytes, &Bytes) -> Option<Bytes>,
) -> Enqueued {
    let found = queue.iter().rposition(|waiting| waiting.entity == op.entity);
    let found = found.filter(|&at| may_coalesce && is_free(queue, at, &op));
    let Some(at) = found else {
        queue.push(op);
        return Enqueued::Appended;
    };
    let key = queue[at].key;
    match combined(&queue[at].action, &op.action, join) {
        Some(Combined::One(action)) => {
            absorb(&mut queue[at], op, action);
            Enqueued::Into(key)
        }
        Some(Combined::Nothing) if !is_named(queue, at) => {
            queue.remove(at);
            Enqueued::Annulled(key)
        }
        Some(Combined::Nothing) | None => {
            queue.push(op);
            Enqueued::Appended
        }
    }
}

enum Combined {
    One(Action),
    Nothing,
}

fn combined(
    waiting: &Action,
    new: &Action,
    join: impl FnOnce(&Bytes, &Bytes) -> Option<Bytes>,
) -> Option<Combined> {
    let one = match (waiting, new) {
        (Action::Create(values), Action::Update { set, unset }) => {
            let mut values = values.clone();
            values.retain(|name, _| !unset.contains(name));
            values.extend(set.clone());
            Action::Create(values)
        }
        (Action::Create(_), Action::Delete) => return Some(Combined::Nothing),
        (Action::Update { set, unset }, Action::Update { set: later, unset: gone }) => {
            updated((set, unset), (later, gone))
        }
        (Action::Update { .. }, Action::Delete) => Action::Delete,
        (Action::Delete, Action::Create(values)) => Action::Restore(values.clone()),
        (Action::Delta(a), Action::Delta(b)) => {
            let mut sums = a.clone();
            for (name, &amount) in b {
                let sum = sums.get(name).map_or(Some(amount), |known| known.checked_add(amount))?;
                sums.insert(name.clone(), sum);
            }
            Action::Delta(sums)
        }
        (Action::Document(a), Action::Document(b)) => Action::Document(join(a, b)?),
        (
            Action::Create(_)
            | Action::Update { .. }
            | Action::Delta(_)
            | Action::Delete
            | Action::Restore(_)
            | Action::Document(_)
            | Action::Noop,
            _,
        ) => return None,
    };
    Some(Combined::One(one))
}

fn updated(
    (set, unset): (&Values, &BTreeSet<FieldName>),
    (later, gone): (&Values, &BTreeSet<FieldName>),
) -> Action {
    let mut set = set.clone();
    set.retain(|name, _| !gone.contains(name));
    set.extend(later.clone());
    let mut unset: BTreeSet<FieldName> = unset.union(gone).cloned().collect();
    unset.retain(|name| !later.contains_key(name));
    Action::Update { set, unset }
}

/// The values that the later author saw in fields that the earlier op writes are those that it wrote: not what the server has.
fn absorb(waiting: &mut Pending, op: Pending, action: Action) {
    let written = |name: &FieldName| match &waiting.action {
        Action::Create(values) | Action::Restore(values) => values.contains_key(name),
        Action::Update { set, unset } => set.contains_key(name) || unset.contains(name),
        Action::Delta(amounts) => amounts.contains_key(name),
        Action::Delete | Action::Document(_) | Action::Noop => false,
    };
    let fresh: BTreeMap<_, _> = op.was.into_iter().filter(|(name, _)| !written(name)).collect();
    waiting.was.extend(fresh);
    if matches!(action, Action::Delete | Action::Create(_) | Action::Restore(_)) {
        waiting.was.clear();
    }
    waiting.action = action;
    waiting.hlc = waiting.hlc.max(op.hlc);
    waiting.deps.extend(op.deps);
    waiting.deps.remove(&waiting.key);
    waiting.refs.extend(op.refs);
}

fn is_free(queue: &[Pending], at: usize, op: &Pending) -> bool {
    let waiting = &queue[at];
    let stands_alone = !waiting.frozen && waiting.tx.is_none() && op.tx.is_none();
    let needs_later = op.deps.iter().any(|dep| *dep > waiting.key)
        || queue[at + 1..].iter().any(|later| op.refs.contains(&later.entity));
    stands_alone && !needs_later
}

fn is_named(queue: &[Pending], at: usize) -> bool {
    let waiting = &queue[at];
    queue.iter().any(|other| {
        other.deps.contains(&waiting.key)
            || other.refs.contains(&waiting.entity)
            || other.seen == Seen::After(waiting.key)
    })
}
