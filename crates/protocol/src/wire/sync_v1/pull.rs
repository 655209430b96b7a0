//! `pull` and `ack`: what a device wants to know, and what it has stored.

use std::collections::BTreeMap;

use bytes::Bytes;
use data_encoding::BASE64;
use syncline_core::entity::{ActorName, ClientClock, Decimal, EntityId, TypeName};
use syncline_core::limits::{PULL_RECORDS_DEFAULT, PULL_RECORDS_MAX, PULL_SCOPES_MAX};

use super::json::{Json, Kind, Node};
use super::push::clock;
use super::read::{self, Read, RequestError, each, expected, may, need};
use crate::ledger::Backlog;

/// A pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// The device that it says it is from.
    pub device: ActorName,
    /// Its clock.
    pub clock: ClientClock,
    /// How long it wants to wait for a change, in milliseconds.
    pub wait_ms: u64,
    /// The scopes, in the order of the request.
    pub scopes: Vec<PullScope>,
    /// What the device has stored.
    pub acked: Vec<AckedCursor>,
}

/// A scope to be pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullScope {
    /// Its name.
    pub scope: TypeName,
    /// What its placeholders stand for.
    pub params: BTreeMap<String, String>,
    /// Where to go on; none for a full pass.
    pub cursor: Option<String>,
    /// Records in the page, from 1 to [`PULL_RECORDS_MAX`].
    pub limit: usize,
    /// Scopes of a lower number come first.
    pub priority: u64,
    /// What the device has of documents, as state vectors.
    pub have: BTreeMap<EntityId, Bytes>,
}

/// A place that a device has stored a scope up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckedCursor {
    /// The scope.
    pub scope: TypeName,
    /// The cursor that came with the last page that it has stored.
    pub cursor: String,
}

/// What a device says of its durable state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The device that it says it is from.
    pub device: ActorName,
    /// What it has stored.
    pub cursors: Vec<AckedCursor>,
    /// The number up to which it has stored the results of its ops.
    pub results_through: Option<u64>,
    /// What waits in it.
    pub backlog: Option<Backlog>,
}

impl Pull {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`RequestError`] if it is not JSON, or one of its parts is not what it is to be.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        Self::read(Json::parse(body)?.root())
    }

    pub(super) fn read(body: Node<'_>) -> Read<Self> {
        Ok(Self {
            device: need(body, "device_id", read::device)?,
            clock: clock(body)?,
            wait_ms: may(body, "wait_ms", read::number)?.unwrap_or(0),
            scopes: scopes(body)?,
            acked: acked(body, "ack")?,
        })
    }
}

impl Ack {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`RequestError`] if it is not JSON, or one of its parts is not what it is to be.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        Self::read(Json::parse(body)?.root())
    }

    pub(super) fn read(body: Node<'_>) -> Read<Self> {
        let backlog = |node| {
            let count = |name| may(node, name, read::number).map(Option::unwrap_or_default);
            let oldest_at = may(node, "oldest_at", read::time)?;
            Ok(Backlog { pending: count("pending")?, oldest_at, dead: count("dead")? })
        };
        Ok(Self {
            device: need(body, "device_id", read::device)?,
            cursors: acked(body, "cursors")?,
            results_through: may(body, "results_through", read::number)?,
            backlog: may(body, "backlog", backlog)?,
        })
    }
}

fn scopes(body: Node<'_>) -> Read<Vec<PullScope>> {
    bounded(body, "scopes")?;
    each(body, "scopes", |node| {
        let limit = may(node, "limit", read::number)?;
        let limit =
            limit.map_or(PULL_RECORDS_DEFAULT, |limit| limit.clamp(1, PULL_RECORDS_MAX as u64) as usize);
        Ok(PullScope {
            scope: need(node, "scope", read::type_name)?,
            params: may(node, "params", params)?.unwrap_or_default(),
            cursor: may(node, "cursor", read::string)?,
            limit,
            priority: may(node, "priority", read::number)?.unwrap_or(0),
            have: may(node, "have", have)?.unwrap_or_default(),
        })
    })
}

fn acked(body: Node<'_>, name: &str) -> Read<Vec<AckedCursor>> {
    bounded(body, name)?;
    each(body, name, |node| {
        let scope = need(node, "scope", read::type_name)?;
        Ok(AckedCursor { scope, cursor: need(node, "cursor", read::string)? })
    })
}

fn bounded(body: Node<'_>, name: &str) -> Read<()> {
    let many = body.member(name).filter(|list| list.items().nth(PULL_SCOPES_MAX).is_some());
    many.map_or(Ok(()), |list| Err(expected(list, "at most 100 scopes")))
}

fn params(node: Node<'_>) -> Read<BTreeMap<String, String>> {
    let params = read::map(node)?.members().map(|(name, param)| {
        let text = match param.kind() {
            Kind::Text => param.text().map(Into::into),
            Kind::Number => Decimal::parse(param.raw()).ok().map(|number| number.to_string()),
            Kind::Bool(is) => Some(is.to_string()),
            Kind::Null | Kind::List | Kind::Map => None,
        };
        Ok((name.into_owned(), text.ok_or_else(|| expected(param, "a string or a number"))?))
    });
    params.collect()
}

fn have(node: Node<'_>) -> Read<BTreeMap<EntityId, Bytes>> {
    let have = read::map(node)?.members().map(|(id, state)| {
        let bytes = BASE64.decode(read::text(state)?.as_bytes());
        let bytes = bytes.map_err(|_| expected(state, "a state vector in base64"))?;
        Ok((read::entity_id(&id, state)?, bytes.into()))
    });
    have.collect()
}
