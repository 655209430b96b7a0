//! What a room may store.

use super::Room;

/// Which quota leaves no room for an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// That of the document.
    Document,
    /// That of its tenant.
    Tenant,
}

impl Over {
    /// Returns the setting that says how much may be stored.
    pub(super) const fn setting(self) -> &'static str {
        match self {
            Self::Document => "document-bytes",
            Self::Tenant => "tenant-stored-bytes",
        }
    }
}

impl Room {
    /// Returns the quota that leaves no room for an update, if there is one. What the document holds already needs none: so
    /// whoever comes back, and only says what they have, is not sent away.
    pub(super) fn over_quota(&self, update: &[u8]) -> Option<Over> {
        let over = if !self.stored.has_room_for(update.len()) {
            Over::Document
        } else if self.storage_full {
            Over::Tenant
        } else {
            return None;
        };
        (!self.document.contains(update).unwrap_or(false)).then_some(over)
    }
}
