//! What holds at every moment, checked from the outside.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use bytes::Bytes;
use syncline_core::{
    doc::YjsDocument,
    guard::{scan_state_vector, scan_update},
    id::{ClientId, CommitNumber},
    log::LogRecord,
};
use syncline_protocol::Loaded;

use crate::client::Message;

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
            Self::Restless => write!(f, "the world did not come to rest"),
        }
    }
}

/// Follows the durable image and everything that was shown.
#[derive(Default)]
pub(crate) struct Checker {
    durable: YjsDocument,
    /// Elements that are deleted in the durable image.
    deleted: BTreeSet<(ClientId, u32)>,
    seen: BTreeMap<ClientId, u32>,
}

impl Checker {
    /// Takes up a commit that has become durable.
    pub(crate) fn committed(&mut self, record: &LogRecord) -> Result<(), Violation> {
        for entry in &record.entries {
            let scanned = scan_update(&entry.update).map_err(unloadable)?;
            for section in scanned.sections() {
                let expected = self.durable.clock(section.client);
                if section.clock != expected {
                    let (number, client) = (record.number, section.client);
                    return Err(Violation::NotExactlyOnce { number, client, clock: section.clock, expected });
                }
            }
            self.durable.replay(&entry.update).map_err(unloadable)?;
        }
        self.note_deleted()
    }

    /// Takes up the durable image anew, after a crash or a compaction, and checks that all that was seen is in it.
    pub(crate) fn reloaded(&mut self, loaded: &Loaded) -> Result<(), Violation> {
        self.durable = YjsDocument::load(loaded.snapshot.as_ref(), &loaded.log).map_err(unloadable)?;
        self.note_deleted()?;
        for (&client, &shown) in &self.seen {
            let there = self.durable.clock(client);
            if there < shown {
                return Err(Violation::SeenAndLost { client, shown, there });
            }
        }
        Ok(())
    }

    /// Takes up a frame that a connection is handed.
    pub(crate) fn shown(&mut self, frame: &Bytes) -> Result<(), Violation> {
        match Message::read(frame) {
            Some(Message::Step1(state)) => {
                for (client, clock) in scan_state_vector(state).map_err(unloadable)? {
                    self.shown_upto(client, clock)?;
                }
            }
            Some(Message::Step2(update) | Message::Update(update)) => {
                let scanned = scan_update(update).map_err(unloadable)?;
                for section in scanned.sections() {
                    self.shown_upto(section.client, section.end())?;
                }
                for range in scanned.deletes() {
                    for clock in range.clock..range.end() {
                        if !self.deleted.contains(&(range.client, clock)) {
                            return Err(Violation::DeletionBeforeDurable { client: range.client, clock });
                        }
                    }
                }
            }
            Some(Message::Durable | Message::Kept(_)) | None => {}
        }
        Ok(())
    }

    /// Checks that all that a client holds, who was told so, is durable.
    pub(crate) fn saved(&self, state: &Bytes) -> Result<(), Violation> {
        let scanned = scan_update(state).map_err(unloadable)?;
        for section in scanned.sections() {
            let (client, held) = (section.client, section.end());
            if held > self.durable.clock(client) {
                return Err(Violation::SavedBeforeDurable { client, held });
            }
        }
        let deletes = scanned.deletes().iter();
        let mut deleted =
            deletes.flat_map(|range| (range.clock..range.end()).map(|clock| (range.client, clock)));
        match deleted.find(|id| !self.deleted.contains(id)) {
            Some((client, held)) => Err(Violation::SavedBeforeDurable { client, held }),
            None => Ok(()),
        }
    }

    fn shown_upto(&mut self, client: ClientId, shown: u32) -> Result<(), Violation> {
        let durable = self.durable.clock(client);
        if shown > durable {
            return Err(Violation::VisibleBeforeDurable { client, shown, durable });
        }
        let seen = self.seen.entry(client).or_default();
        *seen = shown.max(*seen);
        Ok(())
    }

    fn note_deleted(&mut self) -> Result<(), Violation> {
        let whole = self.durable.encode().map_err(unloadable)?;
        let scanned = scan_update(&whole).map_err(unloadable)?;
        let clocks = |range: &syncline_core::guard::DeleteRange| {
            let client = range.client;
            (range.clock..range.end()).map(move |clock| (client, clock))
        };
        self.deleted = scanned.deletes().iter().flat_map(clocks).collect();
        Ok(())
    }

    /// Checks that a replica holds what is durable, no more and no less.
    pub(crate) fn same(&self, replica: &str, state: &Bytes) -> Result<(), Violation> {
        let mut document = YjsDocument::default();
        document.replay(state).map_err(unloadable)?;
        let same_clocks = document.state_vector() == self.durable.state_vector();
        let same = same_clocks && document.to_json().ok() == self.durable.to_json().ok();
        same.then_some(()).ok_or_else(|| Violation::Diverged { replica: replica.into() })
    }
}

fn unloadable(why: impl fmt::Display) -> Violation {
    Violation::Unloadable { why: why.to_string() }
}
