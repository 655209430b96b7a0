//! Policies by name.

/// How writes to entities of one type are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Policy {
    /// Entities are created and never changed.
    AppendOnly,
    /// The later write of a field wins, or of the whole record.
    Lww,
    /// Fields that one side changed are merged; of others each has its rule.
    FieldMerge,
    /// Nothing is changed by who has not seen the latest state; a handler may judge the rest.
    ServerAuthoritative,
    /// What the server has stays.
    ServerWins,
    /// What comes later replaces what the server has.
    ClientWins,
    /// What was written first stays.
    FirstWriteWins,
    /// Changes of numbers add up.
    Additive,
    /// The greatest number stays.
    Max,
    /// The least number stays.
    Min,
    /// Conditions decide, in their order.
    Rules,
    /// People decide.
    Manual,
    /// The record is a document that merges by itself.
    Crdt,
}

impl Policy {
    /// Returns whether what a record holds depends on the set of ops alone, and not on the order in which they come.
    #[must_use]
    pub const fn ignores_order(self) -> bool {
        match self {
            Self::Lww | Self::Additive | Self::Max | Self::Min => true,
            Self::AppendOnly
            | Self::FieldMerge
            | Self::ServerAuthoritative
            | Self::ServerWins
            | Self::ClientWins
            | Self::FirstWriteWins
            | Self::Rules
            | Self::Manual
            | Self::Crdt => false,
        }
    }
}
