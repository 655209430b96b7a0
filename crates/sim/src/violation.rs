//! Promises that a run can break.

use std::fmt;

use syncline_core::id::{ClientId, CommitNumber};

/// A promise that a run broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A connection was handed something that a crash could take back.
    VisibleBeforeDurable {
        /// The client whose elements they are.
        client: ClientId,
        /// The clock that was shown.
        shown: u32,
        /// The clock that is durable.
        durable: u32,
    },
    /// A connection was told of a deletion that a crash could take back.
    DeletionBeforeDurable {
        /// The client whose element was deleted.
        client: ClientId,
        /// Its clock.
        clock: u32,
    },
    /// A client was told that everything it holds is durable, and it was not.
    SavedBeforeDurable {
        /// The client whose elements they are.
        client: ClientId,
        /// The clock that was called durable, or the first that was called deleted.
        held: u32,
    },
    /// A client was not told that everything it holds is durable.
    NeverSaved {
        /// Whose replica.
        replica: String,
    },
    /// Elements that a client was shown are gone.
    SeenAndLost {
        /// The client whose elements they are.
        client: ClientId,
        /// The clock that was shown.
        shown: u32,
        /// The clock that is there.
        there: u32,
    },
    /// Elements are in the log twice, or out of order.
    NotExactlyOnce {
        /// The commit that holds them again.
        number: CommitNumber,
        /// The client whose elements they are.
        client: ClientId,
        /// The clock at which they begin.
        clock: u32,
        /// The clock at which they should.
        expected: u32,
    },
    /// What is stored, or what a replica holds, does not make a document.
    Unloadable {
        /// Why, in words.
        why: String,
    },
    /// A replica differs from what is stored after everything has come to rest.
    Diverged {
        /// Whose replica.
        replica: String,
    },
    /// A connection was told a head that a crash could take back.
    HeadBeforeDurable {
        /// The change.
        head: String,
    },
    /// A change that a client was told of is gone.
    HeadLost {
        /// The change.
        head: String,
    },
    /// A commit brings nothing that was not stored before.
    ChangeTwice {
        /// The commit.
        number: CommitNumber,
    },
    /// A document holds what is of a deleted one.
    CameBack {
        /// A client who wrote in the deleted document.
        client: ClientId,
    },
    /// The world did not come to rest.
    Restless,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VisibleBeforeDurable { client, shown, durable } => {
                write!(f, "client {client} was shown up to {shown} while {durable} was durable")
            }
            Self::DeletionBeforeDurable { client, clock } => {
                write!(f, "the deletion of {client}:{clock} was shown before it was durable")
            }
            Self::SavedBeforeDurable { client, held } => {
                write!(f, "{client}:{held} was called saved before it was durable")
            }
            Self::NeverSaved { replica } => write!(f, "{replica} was never told that all is saved"),
            Self::SeenAndLost { client, shown, there } => {
                write!(f, "client {client} was seen up to {shown} and is there up to {there}")
            }
            Self::NotExactlyOnce { number, client, clock, expected } => {
                write!(f, "commit {number} holds {client} from {clock}, not from {expected}")
            }
            Self::Unloadable { why } => write!(f, "a state cannot be loaded: {why}"),
            Self::Diverged { replica } => write!(f, "{replica} differs from what is stored"),
            Self::HeadBeforeDurable { head } => write!(f, "the head {head} was shown before it was durable"),
            Self::HeadLost { head } => write!(f, "the change {head} was seen and is gone"),
            Self::ChangeTwice { number } => write!(f, "commit {number} brings nothing new"),
            Self::CameBack { client } => {
                write!(f, "{client} wrote in a deleted document, and is in this one")
            }
            Self::Restless => write!(f, "the world did not come to rest"),
        }
    }
}

/// What is stored, or what a replica holds, does not make a document.
pub(crate) fn unloadable(why: impl fmt::Display) -> Violation {
    Violation::Unloadable { why: why.to_string() }
}
