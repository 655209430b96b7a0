//! Cursors: where a device is in a scope.

use serde::{Deserialize, Serialize};
use syncline_core::entity::{Epoch, Sequence};

use super::Ledger;
use super::scope::{Scope, ShortHash};

/// Where a device is in a scope. Clients hold it sealed, with the names of the tenant and of the scope: what is in it was made by
/// the ledger for that scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The life of the log.
    pub epoch: Epoch,
    /// What the scope held, and how its types filled it.
    pub buckets: ShortHash,
    /// Where to go on.
    pub pos: Sequence,
    /// In a full pass the end of the log when it began.
    pub full_pass: Option<Sequence>,
}

/// Why a device begins again, and then drops what the full pass did not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Reset {
    /// What was deleted since it was here last is no longer known.
    Expired,
    /// The log has another life.
    Epoch,
    /// The scope holds other buckets.
    ScopeChanged,
    /// Types have changed so that the device must read its records anew.
    Schema,
    /// What it holds is not what it should.
    Checksum,
    /// Someone has asked for it.
    Requested,
}

/// That a device is to begin a scope again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resync {
    /// Why.
    pub reason: Reset,
    /// The end of the log when it was asked for: a full pass that began there or later does.
    pub since: Sequence,
}

impl Reset {
    /// Returns the reason as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Epoch => "epoch",
            Self::ScopeChanged => "scope_changed",
            Self::Schema => "schema",
            Self::Checksum => "checksum",
            Self::Requested => "requested",
        }
    }
}

impl Cursor {
    /// Returns the place up to which the device needs nothing of what was deleted: it has read it, or it lies before the
    /// beginning of the full pass.
    pub(super) fn horizon(&self) -> Sequence {
        self.pos.max(self.full_pass.unwrap_or_default())
    }
}

impl Ledger {
    /// Returns where a device begins a scope, or begins it again.
    pub(super) fn first_cursor(&self, scope: &Scope) -> Cursor {
        Cursor {
            epoch: self.epoch,
            buckets: self.hash_of(scope),
            pos: Sequence(0),
            full_pass: Some(self.log.head()),
        }
    }

    /// Returns where whoever wants to know of changes from now on begins a scope.
    #[must_use]
    pub fn last_cursor(&self, scope: &Scope) -> Cursor {
        Cursor { pos: self.log.head(), full_pass: None, ..self.first_cursor(scope) }
    }

    /// Returns why a cursor of the scope leads nowhere, if it does not.
    pub(super) fn reset_of(&self, scope: &Scope, cursor: &Cursor, resync: Option<Resync>) -> Option<Reset> {
        let asked = resync.filter(|resync| cursor.full_pass.is_none_or(|as_of| as_of < resync.since));
        if cursor.epoch != self.epoch {
            Some(Reset::Epoch)
        } else if cursor.buckets != self.hash_of(scope) {
            Some(Reset::ScopeChanged)
        } else if let Some(resync) = asked {
            Some(resync.reason)
        } else if cursor.horizon() < self.log.floor() {
            Some(Reset::Expired)
        } else {
            None
        }
    }
}
