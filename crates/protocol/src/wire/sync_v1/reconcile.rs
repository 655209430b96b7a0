//! `reconcile`: acknowledging, pushing and pulling in one request, or in a short form for clients without numbers and cursors.

use std::collections::BTreeSet;

use syncline_core::entity::{Action, ActorName, ClaimedTime, EntityId, EntityKey, RecordVersion, TypeName};
use syncline_core::limits::PUSH_OPS_MAX;

use super::fault::{Faults, OpFault};
use super::hash::content_hash;
use super::json::{Json, Kind, Node};
use super::pull::{Ack, Pull};
use super::push::{Content, Push, Seen};
use super::read::{self, Read, RequestError, each, expected, list, map, may, missing, need};
use super::value::values;
use crate::ledger::ContentHash;

/// A reconciliation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reconcile {
    /// Three requests in one.
    Union {
        /// The first.
        ack: Ack,
        /// The second.
        push: Push,
        /// The third.
        pull: Pull,
    },
    /// The short form.
    Short(Short),
}

/// A reconciliation of a client that numbers nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Short {
    /// The device that it says it is from.
    pub device: ActorName,
    /// What it has stored.
    pub last_ack: Option<LastAck>,
    /// What it has changed.
    pub mutations: Vec<Mutation>,
}

/// What a client has stored that pulls by the short form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastAck {
    /// The changes up to this place in the log.
    Place(u64),
    /// The checkpoint that the last answer ended with.
    Checkpoint(String),
}

/// A change in the short form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// What the client calls it: the same change comes again under the same name.
    pub name: Option<String>,
    /// What the client calls the entity until the server has named it.
    pub temp_id: Option<String>,
    /// Its content, as of an op.
    pub hash: ContentHash,
    /// What it says, without what is wrong.
    pub content: Content,
    /// What is wrong with it.
    pub faults: Vec<OpFault>,
}

impl Reconcile {
    /// Reads the body of a request. One with `mutations` or `last_ack_version` is in the short form.
    ///
    /// # Errors
    /// [`RequestError`] if it is not JSON, has too many ops, or one of its parts is not what it is to be.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let json = Json::parse(body)?;
        let body = map(json.root())?;
        if ["mutations", "last_ack_version"].iter().any(|name| body.member(name).is_some()) {
            return short(body).map(Self::Short);
        }
        Ok(Self::Union { ack: Ack::read(body)?, push: Push::read(body)?, pull: Pull::read(body)? })
    }
}

fn short(body: Node<'_>) -> Read<Short> {
    let count = may(body, "mutations", |mutations| Ok(list(mutations)?.items().count()))?.unwrap_or(0);
    if count > PUSH_OPS_MAX {
        return Err(RequestError::TooManyOps { count, max: PUSH_OPS_MAX });
    }
    Ok(Short {
        device: need(body, "device_id", read::device)?,
        last_ack: may(body, "last_ack_version", last_ack)?,
        mutations: each(body, "mutations", mutation)?,
    })
}

fn last_ack(node: Node<'_>) -> Read<LastAck> {
    match (read::number(node), node.kind()) {
        (Ok(place), _) => Ok(LastAck::Place(place)),
        (Err(_), Kind::Text) => read::string(node).map(LastAck::Checkpoint),
        (Err(error), _) => Err(error),
    }
}

fn mutation(node: Node<'_>) -> Read<Mutation> {
    let mut faults = Faults::of(node);
    let temp_id = may(node, "temp_id", read::label)?;
    let kind = need(node, "type", |at| faults.name(at, TypeName::new))?;
    let id = match may(node, "entity_id", |at| faults.name(at, EntityId::new))? {
        Some(id) => id,
        None => may(node, "temp_id", |at| faults.name(at, EntityId::new))?
            .ok_or_else(|| missing(node, "entity_id"))?,
    };
    let action = action(node, &mut faults)?;
    let content = Content {
        entity: kind.zip(id).map(|(kind, id)| EntityKey { kind, id }),
        action,
        seen: Seen::Record {
            ver: may(node, "version", read::number)?.map(RecordVersion),
            vv: None,
            hlc: None,
        },
        was: Default::default(),
        time: ClaimedTime { hlc: None, at: may(node, "occurred_at", read::time)?, seen: None },
        deps: Default::default(),
        tx: None,
        refs: Default::default(),
        schema_v: None,
    };
    Ok(Mutation {
        name: may(node, "client_mutation_id", read::label)?,
        temp_id,
        hash: content_hash(node),
        content,
        faults: faults.into_found(),
    })
}

fn action<'a>(node: Node<'a>, faults: &mut Faults<'a>) -> Read<Action> {
    let operation = need(node, "operation", read::text)?;
    if operation == "delete" {
        // The payload that some send along is the entity as it was.
        return Ok(Action::Delete);
    }
    let set = may(node, "payload", |payload| Ok(values(map(payload)?, faults)))?.unwrap_or_default();
    Ok(match operation.as_ref() {
        "create" => Action::Create(set),
        "update" => Action::Update { set, unset: BTreeSet::new() },
        "restore" => Action::Restore(set),
        _ => {
            let what = "`create`, `update`, `delete` or `restore`";
            return need(node, "operation", |operation| Err(expected(operation, what)));
        }
    })
}
