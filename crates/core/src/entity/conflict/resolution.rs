//! How conflicts end.

use alloc::string::String;

use crate::entity::{Action, RecordVersion};
use crate::time::WallMs;

/// What is to become of the fields in conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Choice {
    /// The record stays as it is.
    Server,
    /// The first candidate is taken.
    Client,
    /// A candidate is taken, by its place from 0.
    Candidate(usize),
    /// These values are written over the record.
    Merged(Action),
    /// All candidates are dropped.
    Discard,
}

/// What closed a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Method {
    /// A policy, when it arose.
    Policy,
    /// A person.
    Person,
    /// No one in time.
    Deadline,
    /// The deletion of the entity.
    Deleted,
}

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Request {
    /// Drawn by who asks: the same request has the same answer.
    pub resolution_id: String,
    /// The revision of the conflict that the person saw.
    pub conflict_rev: u64,
    /// The version of the entity that the person saw.
    pub entity_ver: RecordVersion,
    /// The choice.
    pub choice: Choice,
    /// The reason given.
    pub rationale: String,
    /// Who asks.
    pub by: String,
    /// Whether it was approved.
    pub approval: bool,
}

/// How a conflict was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Resolution {
    /// What closed it.
    pub method: Method,
    /// What was asked for, if a person closed it.
    pub request: Option<Request>,
    /// What the record was to be changed by.
    pub action: Option<Action>,
    /// When.
    pub at: WallMs,
}

impl Resolution {
    /// Removes all values, and the reason that was given.
    pub(super) fn empty(&mut self) {
        self.action = None;
        if let Some(request) = &mut self.request {
            request.rationale.clear();
            if let Choice::Merged(_) = request.choice {
                request.choice = Choice::Merged(Action::Noop);
            }
        }
    }
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Resolved {
    /// The conflict is closed now, and this is to be done to the record.
    Now(Option<Action>),
    /// The same request has closed it before.
    Before,
}
