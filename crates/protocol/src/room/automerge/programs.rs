//! What a room does for programs, which write and read the document and are not connected.

use bytes::Bytes;
use syncline_core::{
    doc::AutomergeError,
    id::ConnectionId,
    log::{Credit, LogEntry},
    time::Now,
};

use super::{AutomergeRoom, Effect};
use crate::room::{
    AbsorbId, Absorbed, Content, ReadId, Revision,
    commits::Integrated,
    quota::{Over, over},
};

/// The connection of what came over none.
const NO_CONNECTION: ConnectionId = ConnectionId(0);

/// Changes of someone who is not connected.
#[derive(Debug)]
pub(super) struct Brought {
    pub(super) absorb: AbsorbId,
    pub(super) credit: Credit,
    pub(super) update: Bytes,
    /// What they were made for, if they are good for nothing else.
    pub(super) made_for: Option<Revision>,
}

impl AutomergeRoom {
    /// Takes changes in, all of them or none, and tells when they are durable.
    pub(super) fn absorb(&mut self, now: Now, brought: Brought) {
        let Brought { absorb, credit, update, made_for } = brought;
        let absorbed = match made_for {
            Some(revision) if revision != self.commits.revision() => Absorbed::Changed,
            Some(_) | None => self.take_whole(now, credit, &update),
        };
        match absorbed {
            Absorbed::New | Absorbed::Known => {
                self.commits.park(Effect::Absorbed(absorb, absorbed));
                self.release();
            }
            Absorbed::Refused { .. } | Absorbed::Changed | Absorbed::Broke => {
                self.stats.refused += u64::from(absorbed != Absorbed::Changed);
                self.effects.push_back(Effect::Absorbed(absorb, absorbed));
                if absorbed == Absorbed::Broke {
                    self.rebuild();
                }
            }
        }
    }

    fn take_whole(&mut self, now: Now, credit: Credit, update: &[u8]) -> Absorbed {
        match over(&self.stored, self.storage_full, update.len()) {
            None => {}
            Some(Over::Document) => return Absorbed::Refused { reason: "too-large" },
            Some(Over::Tenant) => return Absorbed::Refused { reason: "storage-full" },
        }
        match self.document.has_gap(update) {
            Ok(false) => {}
            Ok(true) => return Absorbed::Refused { reason: "gap" },
            Err(error) => return Absorbed::Refused { reason: error.reason() },
        }
        match self.document.apply(update) {
            Ok(Some(update)) => {
                let Credit { author, origins } = credit;
                let entry = LogEntry { author, connection: NO_CONNECTION, at: now.wall, update, origins };
                self.commits.gather(Integrated { entry, before: Vec::new(), merge: None });
                for peer in self.peers.values_mut() {
                    peer.dirty = peer.spoke;
                }
                Absorbed::New
            }
            Ok(None) => {
                self.stats.duplicates += 1;
                Absorbed::Known
            }
            Err(AutomergeError::Broken) => Absorbed::Broke,
            Err(error) => Absorbed::Refused { reason: error.reason() },
        }
    }

    /// Tells what the document holds, once all of that is durable. Programs have nothing of it before.
    pub(super) fn read(&mut self, read: ReadId) {
        let Ok(update) = self.document.encode() else {
            self.effects.push_back(Effect::Read(read, None));
            return self.rebuild();
        };
        let content = Content { update, state_vector: Bytes::new(), revision: self.commits.revision() };
        self.commits.park(Effect::Read(read, Some(content)));
        self.release();
    }
}
