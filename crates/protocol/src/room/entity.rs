//! What a room does for the ledger: the document is an entity, too, and devices write and read it that are not connected.

use bytes::Bytes;
use syncline_core::{
    doc::{ApplyError, DiffError},
    id::ConnectionId,
    limits::DOCUMENT_BYTES_MAX,
    log::{Author, LogEntry},
    time::Now,
};

use super::{Effect, Room, commits::Integrated};
use crate::ledger::{MergeId, MergeOutcome};

/// Names a question for what a document holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadId(pub u64);

/// What a document holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// What whoever asked lacks, as an update.
    pub update: Bytes,
    /// The state vector of the document.
    pub state_vector: Bytes,
}

/// The connection of what came over none.
const NO_CONNECTION: ConnectionId = ConnectionId(0);

impl Room {
    /// Takes in an update of the ledger's, all of it or nothing.
    pub(super) fn merge(&mut self, now: Now, merge: MergeId, author: Author, update: &Bytes) {
        if self.stored.bytes() + update.len() > 2 * DOCUMENT_BYTES_MAX {
            return self.refuse_merge(merge, "too-large");
        }
        match self.document.has_gap(update) {
            Ok(false) => {}
            // Part of an op is no op: its author can send what it rests on with it.
            Ok(true) => return self.refuse_merge(merge, "gap"),
            Err(error) => return self.refuse_merge(merge, error.reason()),
        }
        match self.document.apply(update) {
            Ok(applied) => {
                self.stats.cut += applied.known;
                let Some(update) = applied.update else {
                    self.stats.duplicates += 1;
                    self.commits.park(Effect::Merged(merge, MergeOutcome::Taken));
                    return self.release();
                };
                let entry = LogEntry { author, connection: NO_CONNECTION, at: now.wall, update };
                self.commits.gather(Integrated { entry, before: applied.before, merge: Some(merge) });
            }
            Err(ApplyError::Broken) => {
                self.effects.push_back(Effect::Merged(merge, MergeOutcome::Unavailable));
                self.rebuild();
            }
            Err(error) => self.refuse_merge(merge, error.reason()),
        }
    }

    /// Tells what the document holds, once all of that is durable.
    pub(super) fn read(&mut self, read: ReadId, have: Option<&[u8]>) {
        let difference = match have.map(|have| self.document.diff(have)) {
            // Whoever does not know what they have gets it all.
            None | Some(Err(DiffError::Malformed(_))) => self.document.encode().ok(),
            Some(difference) => difference.ok(),
        };
        let Some(update) = difference else {
            self.effects.push_back(Effect::Read(read, None));
            return self.rebuild();
        };
        let content = Content { update, state_vector: self.document.state_vector() };
        self.commits.park(Effect::Read(read, Some(content)));
        self.release();
    }

    fn refuse_merge(&mut self, merge: MergeId, reason: &'static str) {
        self.stats.refused += 1;
        self.effects.push_back(Effect::Merged(merge, MergeOutcome::Refused { reason }));
    }
}
