//! How large a document is in the store, and when to fold its log.

use syncline_core::id::CommitNumber;

use super::{Effect, Loaded, RoomLimits};

/// The sizes of a document's snapshot and of the log after it.
#[derive(Debug, Default)]
pub(super) struct Stored {
    snapshot_bytes: usize,
    log: Log,
    /// The part of the log that a compaction under way covers.
    compacting: Option<Log>,
    /// Length of the log at which the last compaction was given up.
    given_up: Log,
    /// The log that is left alone.
    compact_min: Log,
    /// What folding costs, as bytes of log: a shorter one is not worth it.
    fold_bytes: usize,
    bytes_max: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Log {
    bytes: usize,
    commits: u64,
}

impl Stored {
    pub(super) fn of(loaded: &Loaded, limits: &RoomLimits) -> Self {
        let updates = loaded.log.iter().flat_map(|record| &record.entries);
        let bytes = updates.map(|entry| entry.update.len()).sum();
        let snapshot_bytes = loaded.snapshot.as_ref().map_or(0, |snapshot| snapshot.state.len());
        let log = Log { bytes, commits: loaded.log.len() as u64 };
        let compact_min = Log { bytes: limits.compact_log_bytes_min, commits: limits.compact_commits_min };
        Self { snapshot_bytes, log, compact_min, bytes_max: limits.document_bytes_max, ..Self::default() }
    }

    /// Notes a commit of updates of `bytes` altogether.
    pub(super) fn committed(&mut self, bytes: usize) {
        self.log.bytes += bytes;
        self.log.commits += 1;
    }

    /// Notes what folding costs beside reading the snapshot, as bytes of log.
    pub(super) fn folding_costs(&mut self, bytes: usize) {
        self.fold_bytes = bytes;
    }

    /// Returns whether the log is long enough to be folded: as many bytes as the snapshot and as folding costs, or very many commits.
    /// After a compaction that was given up it has to grow to twice its length first.
    pub(super) fn wants_compaction(&self) -> bool {
        self.is_worth_folding(1)
    }

    /// Returns what to do when nobody is there any more and all of the log, up to `last`, is durable: to fold it, or else to unload the
    /// room. A quarter as long is enough then, so that documents at rest are short and open fast.
    pub(super) fn rest(&mut self, last: CommitNumber) -> Effect {
        if !self.is_worth_folding(4) {
            return Effect::Unload;
        }
        self.start_compaction();
        Effect::Compact(last)
    }

    fn is_worth_folding(&self, share: usize) -> bool {
        let worth = self.snapshot_bytes.max(self.fold_bytes) / share;
        let bytes_min = self.compact_min.bytes.max(worth).max(2 * self.given_up.bytes);
        let commits_min = (self.compact_min.commits / share as u64).max(2 * self.given_up.commits);
        self.compacting.is_none() && (self.log.bytes >= bytes_min || self.log.commits >= commits_min)
    }

    pub(super) fn start_compaction(&mut self) {
        self.compacting = Some(self.log);
    }

    /// Notes that the compaction under way ended, with the length of the new snapshot or without one.
    pub(super) fn compacted(&mut self, snapshot_bytes: Option<usize>) {
        let Some(covered) = self.compacting.take() else { return };
        match snapshot_bytes {
            Some(bytes) => {
                self.snapshot_bytes = bytes;
                self.log.bytes -= covered.bytes;
                self.log.commits -= covered.commits;
                self.given_up = Log::default();
            }
            None => self.given_up = covered,
        }
    }

    pub(super) fn is_compacting(&self) -> bool {
        self.compacting.is_some()
    }

    /// Returns whether there is room for so many bytes more.
    pub(super) fn has_room_for(&self, bytes: usize) -> bool {
        self.bytes().saturating_add(bytes) <= self.bytes_max
    }

    /// Returns the length of snapshot and log, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.snapshot_bytes + self.log.bytes
    }
}
