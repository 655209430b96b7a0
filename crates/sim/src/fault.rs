//! Mistakes that a shell could make.

use std::{fmt, str::FromStr};

/// A mistake to make in every run, so that the checkers can show that they see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Reports a commit as durable when it is handed to the store.
    AcknowledgeBeforeFlush,
    /// Logs updates as they came in, with what the document had already.
    SkipDedupe,
    /// Goes on with live batches after an outbox dropped some, without asking the room for what was dropped.
    LoseLaggingFlag,
    /// Writes a snapshot that claims a commit more than it holds.
    SnapshotOmitsPending,
    /// Greets a new connection with the state vector of the document as it is in memory.
    Step1FromUndurableDocument,
    /// Tells those who count their updates of each that is durable twice.
    AcknowledgeTwice,
    /// Forgets to tell them.
    LoseAcknowledgement,
    /// Sends those who ask what is kept their question back, as soon as it comes.
    KeptAtOnce,
}

impl Fault {
    /// All faults, in the order in which they are documented.
    pub const ALL: [Self; 8] = [
        Self::AcknowledgeBeforeFlush,
        Self::SkipDedupe,
        Self::LoseLaggingFlag,
        Self::SnapshotOmitsPending,
        Self::Step1FromUndurableDocument,
        Self::AcknowledgeTwice,
        Self::LoseAcknowledgement,
        Self::KeptAtOnce,
    ];

    /// Returns the name that the command line takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AcknowledgeBeforeFlush => "acknowledge-before-flush",
            Self::SkipDedupe => "skip-dedupe",
            Self::LoseLaggingFlag => "lose-lagging-flag",
            Self::SnapshotOmitsPending => "snapshot-omits-pending",
            Self::Step1FromUndurableDocument => "step1-from-undurable-document",
            Self::AcknowledgeTwice => "acknowledge-twice",
            Self::LoseAcknowledgement => "lose-acknowledgement",
            Self::KeptAtOnce => "kept-at-once",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name().fmt(f)
    }
}

/// There is no such fault. The caller is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownFault;

impl fmt::Display for UnknownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Fault::ALL.map(Fault::name).join(", ");
        write!(f, "no such fault; there are {names}")
    }
}

impl std::error::Error for UnknownFault {}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, UnknownFault> {
        Self::ALL.into_iter().find(|fault| fault.name() == name).ok_or(UnknownFault)
    }
}
