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
    /// Drops a message of the dialogue with an Automerge client, and says that it was written.
    LoseStep,
    /// Opens the room of a deleted document without those who wrote in it before.
    ForgetFormer,
    /// Tells that a document is deleted when the deletion is handed to the store.
    TellDeletionEarly,
}

impl Fault {
    /// Those that the world of a Yjs document finds, in the order in which they are documented.
    pub const OF_YJS: [Self; 8] = [
        Self::AcknowledgeBeforeFlush,
        Self::SkipDedupe,
        Self::LoseLaggingFlag,
        Self::SnapshotOmitsPending,
        Self::Step1FromUndurableDocument,
        Self::AcknowledgeTwice,
        Self::LoseAcknowledgement,
        Self::KeptAtOnce,
    ];

    /// Those that the world of an Automerge document finds.
    pub const OF_AUTOMERGE: [Self; 3] =
        [Self::AcknowledgeBeforeFlush, Self::SnapshotOmitsPending, Self::LoseStep];

    /// Those that the world of a Yjs document finds that is deleted again and again.
    pub const OF_DELETION: [Self; 2] = [Self::ForgetFormer, Self::TellDeletionEarly];

    /// Returns all faults.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::OF_YJS.into_iter().chain([Self::LoseStep]).chain(Self::OF_DELETION)
    }

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
            Self::LoseStep => "lose-step",
            Self::ForgetFormer => "forget-former",
            Self::TellDeletionEarly => "tell-deletion-early",
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
        let names: Vec<_> = Fault::all().map(Fault::name).collect();
        let names = names.join(", ");
        write!(f, "no such fault; there are {names}")
    }
}

impl std::error::Error for UnknownFault {}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, UnknownFault> {
        Self::all().find(|fault| fault.name() == name).ok_or(UnknownFault)
    }
}
