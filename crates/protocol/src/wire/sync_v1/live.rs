//! What is told to those who listen, event by event.

use syncline_core::entity::conflict::Conflict;
use syncline_core::entity::{Actors, Sequence};

use super::answer::Change;
use super::conflict;
use super::result::Told;
use super::status::DeviceView;
use super::write::document;
use crate::ledger::{ConflictId, Reset};

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveEvent<'a> {
    /// There is something new in a scope.
    Poke {
        /// The scope.
        scope: &'a str,
        /// The end of the log.
        head: Sequence,
    },
    /// What is new in a scope, for a client that has read up to `from`.
    Delta {
        /// The scope.
        scope: &'a str,
        /// The client's cursor, letter for letter.
        from: &'a str,
        /// The changes, in the order of the log.
        changes: &'a [Change<'a>],
        /// The cursor behind them.
        cursor: &'a str,
    },
    /// An op has its result.
    Result(Told<'a>),
    /// A conflict has changed.
    Conflict(ConflictId, &'a Conflict),
    /// A device was bound or revoked.
    Device(DeviceView<'a>),
    /// A scope is to be pulled anew.
    Resync {
        /// The scope.
        scope: &'a str,
        /// Why.
        reason: Reset,
        /// Where to begin, if not at the beginning.
        cursor: Option<&'a str>,
    },
}

impl LiveEvent<'_> {
    /// Returns the name of the event.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Poke { .. } => "poke",
            Self::Delta { .. } => "delta",
            Self::Result(_) => "result",
            Self::Conflict(..) => "conflict",
            Self::Device(_) => "device",
            Self::Resync { .. } => "resync",
        }
    }

    /// Returns what the event says: JSON in one line.
    #[must_use]
    pub fn data(&self, actors: &Actors) -> String {
        document(|o| match self {
            Self::Poke { scope, head } => {
                o.text("scope", scope);
                o.u64("head", head.0);
            }
            Self::Delta { scope, from, changes, cursor } => {
                o.text("scope", scope);
                o.text("from", from);
                o.objects("changes", *changes, |o, change| change.write(o, actors));
                o.text("cursor", cursor);
            }
            Self::Result(told) => told.write(o, actors),
            Self::Conflict(id, it) => conflict::write(o, *id, it, actors),
            Self::Device(device) => device.write(o),
            Self::Resync { scope, reason, cursor } => {
                o.text("scope", scope);
                o.text("reason", reason.as_str());
                match cursor {
                    Some(cursor) => o.text("cursor", cursor),
                    None => o.null("cursor"),
                }
            }
        })
    }
}
