//! `resolve-conflict`: what a person decides.

use std::collections::BTreeSet;

use syncline_core::entity::conflict::{Choice, Request};
use syncline_core::entity::{Action, Epoch, RecordVersion};

use super::fault::{Faults, OpFault};
use super::json::{Json, Node};
use super::read::{self, Read, RequestError, expected, map, may, missing, need};
use super::value::values;
use crate::ledger::ConflictId;

const PREFIX: &str = "cnf_";

/// The life of a log in which it begins. Conflicts of others are named with theirs.
const FIRST_EPOCH: Epoch = Epoch(1);

/// The resolution of a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolve {
    /// The conflict; none if there can be none of the name in the request.
    pub conflict: Option<ConflictId>,
    /// What is asked for, or what is wrong with the merged value.
    pub request: Result<Request, Vec<OpFault>>,
}

impl Resolve {
    /// Reads the body of a request that comes from `by`.
    ///
    /// # Errors
    /// [`RequestError`] if it is not JSON, or one of its parts is not what it is to be.
    pub fn parse(body: &[u8], by: &str) -> Result<Self, RequestError> {
        let json = Json::parse(body)?;
        let body = json.root();
        let seen = need(body, "expect", map)?;
        let mut faults = Faults::of(body);
        let request = Request {
            resolution_id: need(body, "resolution_id", read::label)?,
            conflict_rev: need(seen, "conflict_rev", read::number)?,
            entity_ver: RecordVersion(need(seen, "entity_ver", read::number)?),
            choice: need(body, "choice", |node| choice(body, node, &mut faults))?,
            rationale: may(body, "rationale", read::string)?.unwrap_or_default(),
            by: by.into(),
            approval: may(body, "approve", read::flag)?.unwrap_or(false),
        };
        Ok(Self {
            conflict: conflict_id(&need(body, "conflict_id", read::text)?),
            request: if faults.is_empty() { Ok(request) } else { Err(faults.into_found()) },
        })
    }
}

/// Reads the name of a conflict.
#[must_use]
pub fn conflict_id(name: &str) -> Option<ConflictId> {
    let digits = name.strip_prefix(PREFIX)?;
    let id = match digits.split_once('_') {
        Some((epoch, n)) => ConflictId { epoch: Epoch(epoch.parse().ok()?), n: n.parse().ok()? },
        None => ConflictId { epoch: FIRST_EPOCH, n: digits.parse().ok()? },
    };
    // Each has one name.
    (conflict_name(id) == name).then_some(id)
}

/// Writes the name of a conflict.
#[must_use]
pub fn conflict_name(id: ConflictId) -> String {
    match id {
        ConflictId { epoch: FIRST_EPOCH, n } => format!("{PREFIX}{n}"),
        ConflictId { epoch, n } => format!("{PREFIX}{epoch}_{n}"),
    }
}

fn choice<'a>(body: Node<'a>, node: Node<'a>, faults: &mut Faults<'a>) -> Read<Choice> {
    let text = read::text(node)?;
    Ok(match text.as_ref() {
        "server" => Choice::Server,
        "client" => Choice::Client,
        "discard" => Choice::Discard,
        "merged" => {
            let set = may(body, "value", |value| Ok(values(map(value)?, faults)))?;
            let set = set.ok_or_else(|| missing(body, "value"))?;
            Choice::Merged(Action::Update { set, unset: BTreeSet::new() })
        }
        other => match other.strip_prefix("candidate:").and_then(|at| at.parse().ok()) {
            Some(at) => Choice::Candidate(at),
            None => return Err(expected(node, "a choice")),
        },
    })
}
