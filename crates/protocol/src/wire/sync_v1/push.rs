//! `push`: the ops of a device.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use data_encoding::BASE64;
use syncline_core::clock::{HybridTime, ReplicaId};
use syncline_core::entity::{
    Action, ActorName, Claim, ClaimedTime, ClientClock, EntityId, EntityKey, FieldName, RecordVersion,
    TypeName, Value,
};
use syncline_core::limits::PUSH_OPS_MAX;

use super::fault::{FaultReason, Faults, OpFault};
use super::hash::content_hash;
use super::json::{Json, Kind, Node};
use super::read::{self, Read, RequestError, each, expected, may, need};
use super::value::{numbers, optional_values, values};
use crate::ledger::{Numbered, PushOp, PushSeen};

/// A push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The device that it says it is from.
    pub device: ActorName,
    /// Its clock.
    pub clock: ClientClock,
    /// Its ops, in the order of the request.
    pub ops: Vec<SyncOp>,
}

/// An op of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncOp {
    /// Its number and content.
    pub numbered: Numbered,
    /// What it says, without what is wrong.
    pub content: Content,
    /// What is wrong with it. An op with faults is refused; what it says still counts for others that depend on it.
    pub faults: Vec<OpFault>,
}

/// What an op says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The entity. A `noop` has none, nor has an op that gives it no good name.
    pub entity: Option<EntityKey>,
    /// What it does.
    pub action: Action,
    /// What its author had seen.
    pub seen: Seen,
    /// The values that its author saw in fields that it writes.
    pub was: BTreeMap<FieldName, Option<Value>>,
    /// What it says about its time. What its author saw of the record's is in `seen`.
    pub time: ClaimedTime,
    /// The ops that it depends on.
    pub deps: BTreeSet<u64>,
    /// The transaction that it is part of, by the name that the device gave it.
    pub tx: Option<String>,
    /// The entities that it refers to.
    pub refs: BTreeSet<EntityKey>,
    /// The version of the schema that its author used, if the op says so.
    pub schema_v: Option<u32>,
}

/// What the author of an op had seen, with actors by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The record as the server told it.
    Record {
        /// Its version.
        ver: Option<RecordVersion>,
        /// Its vector.
        vv: Option<BTreeMap<ActorName, u64>>,
        /// Its time.
        hlc: Option<HybridTime>,
    },
    /// What the author of an earlier op of the device had seen, and that op.
    After(u64),
}

impl Push {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`RequestError`] if it is not JSON, has too many ops, or one of its parts is not what it is to be.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        Self::read(Json::parse(body)?.root())
    }

    /// Returns what is wrong with its ops, by their numbers, to be told with their results.
    #[must_use]
    pub fn faults(&self) -> BTreeMap<u64, Vec<OpFault>> {
        let faulty = self.ops.iter().filter(|op| !op.faults.is_empty());
        faulty.map(|op| (op.numbered.n, op.faults.clone())).collect()
    }

    pub(super) fn read(body: Node<'_>) -> Read<Self> {
        let device = need(body, "device_id", read::device)?;
        let push = Self { device, clock: clock(body)?, ops: each(body, "ops", op_within_bounds(body))? };
        let first = push.ops.first().map(|op| op.numbered.n);
        may(body, "from_n", |from| match read::number(from)? {
            n if first.is_none_or(|first| first == n) => Ok(()),
            _ => Err(expected(from, "the number of the first op")),
        })?;
        Ok(push)
    }
}

impl SyncOp {
    /// Returns the op as a ledger takes it, also one that cannot be read; see [`Content::into_pushed`].
    pub fn into_pushed(self, number: impl Fn(&ActorName) -> Option<ReplicaId>, schema_v: u32) -> PushOp {
        let unreadable = !self.faults.is_empty();
        PushOp { unreadable, ..self.content.into_pushed(self.numbered, number, schema_v) }
    }
}

impl Seen {
    /// Returns what this means to a ledger. `number` returns the number of an actor that has one there.
    pub fn into_pushed(self, number: impl Fn(&ActorName) -> Option<ReplicaId>) -> PushSeen {
        match self {
            Self::After(n) => PushSeen::After(n),
            Self::Record { ver, vv, hlc } => {
                let mut strangers = false;
                let vv = vv.map(|vv| {
                    let known = vv.iter().filter(|(_, n)| **n > 0).filter_map(|(name, &n)| {
                        let known = number(name);
                        strangers |= known.is_none();
                        Some((known?, n))
                    });
                    known.collect()
                });
                PushSeen::Record(Claim { ver, vv, strangers, hlc })
            }
        }
    }
}

impl Content {
    /// Returns what an op says that only uses up its number.
    const fn noop() -> Self {
        Self {
            entity: None,
            action: Action::Noop,
            seen: Seen::Record { ver: None, vv: None, hlc: None },
            was: BTreeMap::new(),
            time: ClaimedTime { hlc: None, at: None, seen: None },
            deps: BTreeSet::new(),
            tx: None,
            refs: BTreeSet::new(),
            schema_v: None,
        }
    }

    /// Returns the op as a ledger takes it. `number` returns the number of an actor that has one there; `schema_v` counts for
    /// an op that says nothing of its own.
    pub fn into_pushed(
        self,
        numbered: Numbered,
        number: impl Fn(&ActorName) -> Option<ReplicaId>,
        schema_v: u32,
    ) -> PushOp {
        let nothing = || EntityKey {
            kind: TypeName::new("-").expect("it is one of the characters"),
            id: EntityId::new("-").expect("it is one of the characters"),
        };
        PushOp {
            numbered,
            entity: self.entity.unwrap_or_else(nothing),
            action: self.action,
            seen: self.seen.into_pushed(number),
            was: self.was,
            time: self.time,
            deps: self.deps,
            refs: self.refs,
            schema_v: self.schema_v.unwrap_or(schema_v),
            tx: self.tx,
            unreadable: false,
        }
    }
}

/// Reads what a request says about the clock of its device.
pub(super) fn clock(body: Node<'_>) -> Read<ClientClock> {
    let rtt_ms = may(body, "rtt_ms", read::number)?.unwrap_or(0);
    Ok(ClientClock { now: may(body, "client_now", read::time)?, rtt_ms })
}

/// What an op is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Create,
    Update,
    Delete,
    Restore,
    Delta,
    Crdt,
    Noop,
}

impl Verb {
    pub(super) fn read(node: Node<'_>) -> Read<Self> {
        Ok(match read::text(node)?.as_ref() {
            "create" => Self::Create,
            "update" => Self::Update,
            "delete" => Self::Delete,
            "restore" => Self::Restore,
            "delta" => Self::Delta,
            "crdt" => Self::Crdt,
            "noop" => Self::Noop,
            _ => return Err(expected(node, "the kind of an op")),
        })
    }

    /// The members of an op that say what it writes.
    const fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Create | Self::Restore => &["set"],
            Self::Update => &["set", "unset"],
            Self::Delta => &["delta"],
            Self::Crdt => &["update"],
            Self::Delete | Self::Noop => &[],
        }
    }
}

fn op_within_bounds<'a>(body: Node<'a>) -> impl FnMut(Node<'a>) -> Read<SyncOp> {
    let mut count = 0;
    move |node| {
        count += 1;
        if count > PUSH_OPS_MAX {
            let count = body.member("ops").map_or(count, |ops| ops.items().count());
            return Err(RequestError::TooManyOps { count, max: PUSH_OPS_MAX });
        }
        op(node)
    }
}

fn op(node: Node<'_>) -> Read<SyncOp> {
    let verb = need(node, "op", Verb::read)?;
    let n = need(node, "n", read::number)?;
    let numbered = Numbered { n, hash: content_hash(node), is_noop: verb == Verb::Noop };
    if verb == Verb::Noop {
        // Its author has given up whatever else it says.
        return Ok(SyncOp { numbered, content: Content::noop(), faults: Vec::new() });
    }
    let mut faults = Faults::of(node);
    let content = Content {
        entity: entity(node, &mut faults)?,
        action: action(node, verb, &mut faults)?,
        seen: may(node, "ctx", |ctx| seen(ctx, &mut faults))?.unwrap_or_default(),
        was: may(node, "was", |was| Ok(optional_values(read::map(was)?, &mut faults)))?.unwrap_or_default(),
        time: ClaimedTime { hlc: may(node, "hlc", read::hlc)?, at: may(node, "at", read::time)?, seen: None },
        deps: each(node, "deps", read::number)?.into_iter().collect(),
        tx: may(node, "tx", read::label)?,
        refs: each(node, "refs", |at| entity(at, &mut faults))?.into_iter().flatten().collect(),
        schema_v: may(node, "schema_v", read::short)?,
    };
    Ok(SyncOp { numbered, content, faults: faults.into_found() })
}

impl Default for Seen {
    /// Nothing.
    fn default() -> Self {
        Self::Record { ver: None, vv: None, hlc: None }
    }
}

fn entity<'a>(node: Node<'a>, faults: &mut Faults<'a>) -> Read<Option<EntityKey>> {
    let kind = need(node, "type", |at| faults.name(at, TypeName::new))?;
    let id = need(node, "id", |at| faults.name(at, EntityId::new))?;
    Ok(kind.zip(id).map(|(kind, id)| EntityKey { kind, id }))
}

pub(super) fn action<'a>(node: Node<'a>, verb: Verb, faults: &mut Faults<'a>) -> Read<Action> {
    let set = may(node, "set", |set| Ok(values(read::map(set)?, faults)))?.unwrap_or_default();
    let unset = each(node, "unset", |name| faults.name(name, FieldName::new))?;
    let delta = may(node, "delta", |delta| Ok(numbers(read::map(delta)?, faults)))?.unwrap_or_default();
    let update = may(node, "update", |update| bytes(update, faults))?;
    for part in ["set", "unset", "delta", "update"] {
        let Some(at) = node.member(part).filter(|_| !verb.parts().contains(&part)) else { continue };
        if at.items().next().is_some() || at.members().next().is_some() || at.kind() == Kind::Text {
            faults.add(at, FaultReason::Misplaced);
        }
    }
    Ok(match verb {
        Verb::Create => Action::Create(set),
        Verb::Restore => Action::Restore(set),
        Verb::Update => Action::Update { set, unset: unset.into_iter().flatten().collect() },
        Verb::Delta => Action::Delta(delta),
        Verb::Delete => Action::Delete,
        Verb::Noop => Action::Noop,
        Verb::Crdt => {
            if update.is_none() {
                faults.missing("update");
            }
            Action::Document(update.unwrap_or_default())
        }
    })
}

pub(super) fn bytes<'a>(node: Node<'a>, faults: &mut Faults<'a>) -> Read<Bytes> {
    let bytes = BASE64.decode(read::text(node)?.as_bytes());
    if bytes.is_err() {
        faults.add(node, FaultReason::Base64);
    }
    Ok(bytes.unwrap_or_default().into())
}

fn seen<'a>(ctx: Node<'a>, faults: &mut Faults<'a>) -> Read<Seen> {
    if let Some(after) = may(ctx, "after", read::number)? {
        return Ok(Seen::After(after));
    }
    let ver = may(ctx, "ver", read::number)?.map(RecordVersion);
    let vv = may(ctx, "vv", |vv| vector(vv, faults))?;
    Ok(Seen::Record { ver, vv, hlc: may(ctx, "hlc", read::hlc)? })
}

fn vector<'a>(vv: Node<'a>, faults: &mut Faults<'a>) -> Read<BTreeMap<ActorName, u64>> {
    let mut vector = BTreeMap::new();
    for (name, n) in read::map(vv)?.members() {
        vector.extend(faults.named(&name, n, ActorName::new).zip(Some(read::number(n)?)));
    }
    Ok(vector)
}
