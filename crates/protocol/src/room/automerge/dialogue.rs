//! From what peers say to a commit, and from its end to what is said to them.

use bytes::Bytes;
use syncline_core::{
    doc::{AutomergeError, Broken},
    id::ConnectionId,
    limits::{AUTOMERGE_ANNOUNCED_MS_MAX, AUTOMERGE_OP_CHARGE_BYTES},
    log::{Author, LogEntry},
    time::Now,
};

use super::{AutomergeRoom, Effect, Waiting, peers::Wants};
use crate::{
    Batch, CloseReason, Request,
    room::{
        commits::Integrated,
        quota::{Over, over},
    },
    wire::automerge::Inner,
};

/// The log is folded when it has grown by this part of all changes.
const FOLD_SHARE: usize = 4;

impl AutomergeRoom {
    /// Ends a tick: takes in what was said, unless a commit is under way, and hands to the store what of it was new.
    pub(super) fn flush(&mut self, now: Now) {
        if self.broken || !self.commits.is_settled() {
            return;
        }
        while let Some(waiting) = self.queue.pop_front() {
            self.queued_bytes -= waiting.bytes();
            match waiting {
                Waiting::Said { by, request: Request::Dialogue { message, wants } } => {
                    self.hear(now, by, &message, wants);
                }
                // Only who speaks of another kind of document says such.
                Waiting::Said { .. } => self.stats.unpermitted += 1,
                Waiting::Brought(brought) => self.absorb(now, brought),
            }
            if self.broken {
                break;
            }
        }
        if let Some((record, _)) = self.commits.start() {
            self.effects.push_back(Effect::Commit(record));
        } else {
            self.release();
            self.answer(now);
        }
    }

    fn hear(&mut self, now: Now, connection: ConnectionId, message: &Bytes, wants: bool) {
        let over = self.over_quota(message);
        let Some(peer) = self.peers.get_mut(&connection) else { return };
        if let Some(over) = over.filter(|_| peer.may_write()) {
            self.stats.refused += 1;
            return self.close(now, connection, CloseReason::OverQuota(over.setting()));
        }
        let received = match self.document.receive(&mut peer.dialogue, message) {
            Ok(received) => received,
            Err(error) => {
                self.stats.refused += 1;
                self.close(now, connection, CloseReason::BadUpdate(error.reason()));
                if error == AutomergeError::Broken {
                    self.rebuild();
                }
                return;
            }
        };
        if received.ops > 0 {
            let bytes = received.ops.saturating_mul(AUTOMERGE_OP_CHARGE_BYTES);
            self.effects.push_back(Effect::Charge(connection, bytes));
        }
        peer.spoke = true;
        peer.dirty = true;
        if wants {
            peer.wants = Wants::Asked;
        } else if received.has_heads {
            peer.wants = Wants::Nothing;
        }
        let author = peer.guest.author.clone();
        let may_write = peer.may_write();
        match received.update {
            Some(update) => self.gather(now, author, connection, update),
            None if received.brought && !may_write => self.stats.unpermitted += 1,
            None => self.stats.duplicates += u64::from(received.brought),
        }
    }

    /// Returns the quota that leaves no room for what a message brings, if there is one. What the document holds already needs none,
    /// as in [`crate::Room`]; a message that is none is refused for that.
    fn over_quota(&self, message: &[u8]) -> Option<Over> {
        let over = over(&self.stored, self.storage_full, message.len())?;
        self.document.brings(message).unwrap_or(false).then_some(over)
    }

    fn gather(&mut self, now: Now, author: Author, connection: ConnectionId, update: Bytes) {
        let entry = LogEntry { author, connection, at: now.wall, update, origins: None };
        self.commits.gather(Integrated { entry, before: Vec::new(), merge: None });
    }

    pub(super) fn committed(&mut self, now: Now) {
        let (number, commit) = self.commits.committed();
        self.stats.updates += commit.len() as u64;
        self.stored.committed(commit.iter().map(|integrated| integrated.entry.update.len()).sum());
        self.release();
        for peer in self.peers.values_mut() {
            peer.dirty = peer.spoke;
        }
        self.answer(now);
        // A snapshot is a hundredth of its changes: as long as that the log is soon, and each fold would take up all of them again.
        self.stored.folding_costs(self.document.integrated_bytes() / FOLD_SHARE);
        if self.stored.wants_compaction() {
            self.stored.start_compaction();
            self.effects.push_back(Effect::Compact(number));
        }
    }

    pub(super) fn release(&mut self) {
        while let Some(effect) = self.commits.release() {
            self.effects.push_back(effect);
        }
    }

    /// Says what there is to say, to everyone to whom nothing is being written. Everything that the document holds is durable.
    pub(super) fn answer(&mut self, now: Now) {
        if self.broken || !self.commits.is_settled() {
            return;
        }
        let upto = self.commits.durable();
        let mut failed = None;
        for (&connection, peer) in &mut self.peers {
            if !peer.dirty || peer.writing {
                continue;
            }
            match self.document.message(&mut peer.dialogue) {
                Ok(Some(message)) => {
                    peer.writing = true;
                    let batch = Batch::new(upto, vec![Inner::Sync(message).encode()]);
                    self.effects.push_back(Effect::Step(connection, batch));
                }
                Ok(None) => peer.dirty = false,
                Err(Broken { .. }) => {
                    failed = Some(connection);
                    break;
                }
            }
        }
        if let Some(connection) = failed {
            // What it has said of itself may be to blame.
            self.close(now, connection, CloseReason::Internal);
            return self.rebuild();
        }
        self.tell_of_absence(now);
    }

    /// Tells who asked for a document that there is none; but if someone else has announced it, only after a while.
    pub(super) fn tell_of_absence(&mut self, now: Now) {
        if self.broken || !self.commits.is_settled() {
            return;
        }
        let is_here = !self.document.is_empty();
        let announced = self.peers.values().any(|peer| peer.may_write() && peer.dialogue.has_heads());
        let mut told = Vec::new();
        for (&connection, peer) in &mut self.peers {
            peer.wants = match peer.wants {
                Wants::Asked | Wants::Until(_) if is_here => Wants::Nothing,
                Wants::Asked if announced => Wants::Until(now.monotonic.after(AUTOMERGE_ANNOUNCED_MS_MAX)),
                Wants::Until(at) if announced && at > now.monotonic => Wants::Until(at),
                Wants::Asked | Wants::Until(_) => {
                    told.push(connection);
                    Wants::Told
                }
                wants @ (Wants::Nothing | Wants::Told) => wants,
            };
        }
        for connection in told {
            self.tell(connection, &Inner::Unavailable);
        }
    }
}
