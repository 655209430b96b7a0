//! What a room does for the ledger: the document is an entity, too, and devices write and read it that are not connected.

use bytes::Bytes;
use syncline_core::{
    doc::{ApplyError, DiffError},
    id::{CommitNumber, ConnectionId},
    log::{Author, Credit, LogEntry},
    time::Now,
};

use super::{Effect, Room, commits::Integrated, quota::Over};
use crate::ledger::{MergeId, MergeOutcome};

/// Names a question for what a document holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadId(pub u64);

/// Names an update that a room is to absorb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbsorbId(pub u64);

/// What became of an update that a room was to absorb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absorbed {
    /// The document holds it, and did not hold all of it before.
    New,
    /// The document held all of it.
    Known,
    /// It is none, or does not fit the document. The document holds nothing of it.
    Refused {
        /// Which rule it breaks, in one word; `gap` if it rests on what the document does not hold, `too-large` and `storage-full`
        /// if quotas leave no room for it, `deleted` if it holds something of a deleted document of the name.
        reason: &'static str,
    },
    /// It was made for another revision of the document. The document holds nothing of it.
    Changed,
    /// The document broke on it and is being read again, without it.
    Broke,
}

/// Names a state of a document: what is read with one revision is the same whenever it is read, but the same state may come to
/// have another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision {
    /// The commit that the last updates are in, or will be.
    pub commit: CommitNumber,
    /// How many updates are gathered for it, if it has not begun; 0 if it has.
    pub gathered: u64,
}

/// What a document holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// What whoever asked lacks, as an update.
    pub update: Bytes,
    /// The state vector of the document; empty if it is no Yjs document.
    pub state_vector: Bytes,
    /// What names the state.
    pub revision: Revision,
}

/// The connection of what came over none.
const NO_CONNECTION: ConnectionId = ConnectionId(0);

/// Why an update of a deleted document of the name is not taken in.
const DELETED: &str = "deleted";

/// Why an update is not taken in for which the tenant has no room.
const STORAGE_FULL: &str = "storage-full";

impl Room {
    /// Takes in an update of the ledger's, all of it or nothing.
    pub(super) fn merge(&mut self, now: Now, merge: MergeId, author: Author, update: &Bytes) {
        let absorbed = self.take_whole(now, Some(merge), author.into(), update);
        let outcome = match absorbed {
            // The commit that stores it tells of it.
            Absorbed::New => return,
            Absorbed::Known => {
                self.commits.park(Effect::Merged(merge, MergeOutcome::Taken));
                return self.release();
            }
            // There may be room again later, and the op is as good then.
            Absorbed::Refused { reason: STORAGE_FULL } | Absorbed::Broke | Absorbed::Changed => {
                MergeOutcome::Unavailable
            }
            Absorbed::Refused { reason } => MergeOutcome::Refused { reason },
        };
        self.effects.push_back(Effect::Merged(merge, outcome));
        if absorbed == Absorbed::Broke {
            self.rebuild();
        }
    }

    /// Takes in an update that is no op, all of it or nothing, and tells when it is durable. If it was made for a revision, it is
    /// taken in only as long as the document is the same.
    pub(super) fn absorb(
        &mut self,
        now: Now,
        absorb: AbsorbId,
        credit: Credit,
        update: &Bytes,
        made_for: Option<Revision>,
    ) {
        let absorbed = match made_for {
            Some(revision) if revision != self.commits.revision() => Absorbed::Changed,
            Some(_) | None => self.take_whole(now, None, credit, update),
        };
        match absorbed {
            Absorbed::New | Absorbed::Known => {
                self.commits.park(Effect::Absorbed(absorb, absorbed));
                self.release();
            }
            Absorbed::Refused { .. } | Absorbed::Changed => {
                self.effects.push_back(Effect::Absorbed(absorb, absorbed));
            }
            Absorbed::Broke => {
                self.effects.push_back(Effect::Absorbed(absorb, absorbed));
                self.rebuild();
            }
        }
    }

    fn take_whole(&mut self, now: Now, merge: Option<MergeId>, credit: Credit, update: &Bytes) -> Absorbed {
        match self.over_quota(update) {
            None => {}
            Some(Over::Document) => return self.refused("too-large"),
            Some(Over::Tenant) => return self.refused(STORAGE_FULL),
        }
        if self.is_former(update) {
            return self.refused(DELETED);
        }
        match self.document.has_gap(update) {
            Ok(false) => {}
            // Part of an op is no op: its author can send what it rests on with it.
            Ok(true) => return self.refused("gap"),
            Err(error) => return self.refused(error.reason()),
        }
        match self.document.apply(update) {
            Ok(applied) => {
                self.stats.cut += applied.known;
                let Some(update) = applied.update else {
                    self.stats.duplicates += 1;
                    return Absorbed::Known;
                };
                let Credit { author, origins } = credit;
                let entry = LogEntry { author, connection: NO_CONNECTION, at: now.wall, update, origins };
                self.commits.gather(Integrated { entry, before: applied.before, merge });
                Absorbed::New
            }
            Err(ApplyError::Broken) => Absorbed::Broke,
            Err(error) => self.refused(error.reason()),
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
        let revision = self.commits.revision();
        let content = Content { update, state_vector: self.document.state_vector(), revision };
        self.commits.park(Effect::Read(read, Some(content)));
        self.release();
    }

    fn refused(&mut self, reason: &'static str) -> Absorbed {
        self.stats.refused += 1;
        Absorbed::Refused { reason }
    }
}
