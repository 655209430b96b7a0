//! What a room may store.

use super::{Room, stored::Stored};

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

/// Returns the quota that leaves no room for so many bytes more, if there is one.
pub(super) fn over(stored: &Stored, storage_full: bool, bytes: usize) -> Option<Over> {
    if !stored.has_room_for(bytes) {
        Some(Over::Document)
    } else if storage_full {
        Some(Over::Tenant)
    } else {
        None
    }
}

impl Room {
    /// Returns the quota that leaves no room for an update, if there is one. What the document holds already needs none: so
    /// whoever comes back, and only says what they have, is not sent away.
    pub(super) fn over_quota(&self, update: &[u8]) -> Option<Over> {
        let over = over(&self.stored, self.storage_full, update.len())?;
        (!self.document.contains(update).unwrap_or(false)).then_some(over)
    }
}
