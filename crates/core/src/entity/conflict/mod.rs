//! Conflicts: what was lost when writes that did not see each other were settled, and what people must settle.
//!
//! ```text
//! auto                                            born closed: a policy has decided, and this keeps what lost
//! open -> assigned -> escalated -> resolved       by a person, or because the entity was deleted
//! open | assigned | escalated   -> expired        when the last deadline passes
//! ```
//!
//! Invariants:
//! * no conflict that is closed ever changes, but that the values are removed from it of an entity that is erased;
//! * no value that an op wanted and a record does not hold is without a candidate here, unless the op was refused.

mod draft;
mod life;
mod resolution;

pub use draft::{Candidate, Draft, Origin};
pub use life::{Conflict, ConflictError, ConflictState, Level};
pub use resolution::{Choice, Method, Request, Resolution, Resolved};

/// What writes collided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum ConflictKind {
    /// Two changed the same.
    ConcurrentUpdate,
    /// Two created it.
    CreateCreate,
    /// A change met a deletion.
    UpdateDelete,
    /// A deletion met a change.
    DeleteUpdate,
    /// Two took what only one may have.
    Unique,
    /// What it refers to is gone.
    Reference,
    /// A check has failed.
    Validation,
    /// Three devices or more have a say in one value.
    MultiSource,
}

impl ConflictKind {
    /// Returns whether values of one entity collided, and nothing else.
    #[must_use]
    pub const fn is_of_writes(self) -> bool {
        match self {
            Self::ConcurrentUpdate | Self::CreateCreate | Self::MultiSource => true,
            Self::UpdateDelete | Self::DeleteUpdate | Self::Unique | Self::Reference | Self::Validation => {
                false
            }
        }
    }

    /// Returns the kind as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConcurrentUpdate => "concurrent_update",
            Self::CreateCreate => "create_create",
            Self::UpdateDelete => "update_delete",
            Self::DeleteUpdate => "delete_update",
            Self::Unique => "unique",
            Self::Reference => "reference",
            Self::Validation => "validation",
            Self::MultiSource => "multi_source",
        }
    }
}
