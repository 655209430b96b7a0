//! Why an op is refused for ever.

use alloc::vec::Vec;

use super::{Decimal, FieldKind, FieldName, SchemaRange};

/// The reason in one word, as clients know it. Codes are added and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum RefusalCode {
    /// The op breaks the schema, a bound, or the rule of a field.
    ValidationFailed,
    /// Who wrote may not do this.
    ForbiddenOp,
    /// Entities of the type are never changed.
    AppendOnly,
    /// Another was first.
    AlreadyWritten,
    /// The record has changed since its author saw it.
    ServerChanged,
    /// The entity was deleted.
    EntityDeleted,
    /// There is no such entity.
    EntityUnknown,
    /// Another op of its transaction had no effect.
    TxAborted,
    /// An op that it depends on was refused.
    DependencyFailed,
    /// It comes after an op of which nothing is known any more.
    ContextUnknown,
    /// There is no such type.
    UnknownType,
    /// Its author used a version of the schema that the type does not take.
    SchemaUnsupported(SchemaRange),
}

impl RefusalCode {
    /// Returns the code as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ValidationFailed => "validation-failed",
            Self::ForbiddenOp => "forbidden-op",
            Self::AppendOnly => "append-only",
            Self::AlreadyWritten => "already-written",
            Self::ServerChanged => "server-changed",
            Self::EntityDeleted => "entity-deleted",
            Self::EntityUnknown => "entity-unknown",
            Self::TxAborted => "tx-aborted",
            Self::DependencyFailed => "dependency-failed",
            Self::ContextUnknown => "context-unknown",
            Self::UnknownType => "unknown-type",
            Self::SchemaUnsupported(_) => "schema-unsupported",
        }
    }
}

/// Why an op is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Refusal {
    /// In one word.
    pub code: RefusalCode,
    /// What is wrong with which field; empty if it is not about fields.
    pub faults: Vec<FieldFault>,
}

impl From<RefusalCode> for Refusal {
    fn from(code: RefusalCode) -> Self {
        Self { code, faults: Vec::new() }
    }
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FieldFault {
    /// The field.
    pub field: FieldName,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What may be wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Fault {
    /// It would be less than its least value.
    Min {
        /// That value.
        min: Decimal,
    },
    /// It would be greater than its greatest value.
    Max {
        /// That value.
        max: Decimal,
    },
    /// It holds another kind of value.
    Kind {
        /// The kind that it holds.
        kind: FieldKind,
    },
    /// The type does not have it.
    Undeclared,
    /// A counted field must be a number of at most 18 decimals, less than 10^18 in size, and its sum, too.
    NotCounted,
    /// A counted field cannot be unset.
    Unset,
    /// A counted field that its author has not seen last is set without the value that it was set from.
    WasMissing,
    /// Only fields that add up take a change by an amount.
    NotAdditive,
    /// Items of a list must be objects with different `id`s.
    ItemId,
    /// It is set and unset at once.
    Twice,
}
