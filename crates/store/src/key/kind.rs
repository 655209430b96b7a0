//! What a record is.

/// What a record is. The number is the first byte of its key and is on disk: never reuse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Which document a room's name means.
    Name = 1,
    /// A document's state up to a commit.
    Snapshot = 2,
    /// One commit of a document.
    Log = 3,
    /// A load of the document began and has not ended.
    Loading = 4,
    /// How many loads of the document failed in a row.
    FailedLoads = 5,
    /// When the last commit that the snapshot covers was made.
    Edited = 6,
    /// A page of what the ledger of a tenant keeps.
    Ledger = 7,
    /// Whose credentials are good no longer.
    Revocation = 8,
    /// Something was erased that the files may still hold.
    Erased = 9,
    /// The name of a tenant.
    Tenant = 10,
    /// Commits that a snapshot covers.
    HistoryPage = 12,
    /// The state with which a document's history begins.
    HistoryBase = 13,
    /// A state of a document that was given a name.
    Version = 14,
    /// Who wrote in documents of a name that were deleted.
    Former = 15,
    /// Of which document one began as a branch.
    Branch = 16,
    /// What a hook is to be told of a document.
    Hook = 17,
    /// That a hook is to be told that a document was deleted.
    HookEnd = 18,
}

impl Kind {
    const ALL: [Self; 17] = [
        Self::Name,
        Self::Snapshot,
        Self::Log,
        Self::Loading,
        Self::FailedLoads,
        Self::Edited,
        Self::Ledger,
        Self::Revocation,
        Self::Erased,
        Self::Tenant,
        Self::HistoryPage,
        Self::HistoryBase,
        Self::Version,
        Self::Former,
        Self::Branch,
        Self::Hook,
        Self::HookEnd,
    ];

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }
}
