//! What a room remembers of its latest commits, to bring lagging subscribers up to date.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use syncline_core::id::{ClientId, CommitNumber};

use super::RoomLimits;

/// The latest commits: their updates while they are few bytes, and the clocks that they moved on for longer.
#[derive(Debug, Default)]
pub(super) struct Recent {
    commits: VecDeque<Commit>,
    /// The last of the commits whose update was dropped.
    dropped_upto: CommitNumber,
    /// The last of the commits of which nothing is known any more.
    forgotten_upto: CommitNumber,
    bytes: usize,
    bytes_max: usize,
    commits_max: usize,
}

#[derive(Debug)]
struct Commit {
    number: CommitNumber,
    update: Bytes,
    before: Vec<(ClientId, u32)>,
}

impl Recent {
    /// Starts after a commit of which nothing is known.
    pub(super) fn after(number: CommitNumber, limits: &RoomLimits) -> Self {
        Self {
            dropped_upto: number,
            forgotten_upto: number,
            bytes_max: limits.recent_bytes_max,
            commits_max: limits.recent_commits_max,
            ..Self::default()
        }
    }

    /// Remembers a commit by the one update that was sent for it, if it was one.
    pub(super) fn push(&mut self, number: CommitNumber, update: Option<Bytes>, before: Vec<(ClientId, u32)>) {
        if update.is_none() {
            self.dropped_upto = number;
        }
        let update = update.unwrap_or_default();
        self.bytes += update.len();
        self.commits.push_back(Commit { number, update, before });
        let mut at = self.commits.partition_point(|commit| commit.number <= self.dropped_upto);
        while self.bytes > self.bytes_max {
            let Some(commit) = self.commits.get_mut(at) else { break };
            self.bytes -= commit.update.len();
            commit.update = Bytes::new();
            self.dropped_upto = commit.number;
            at += 1;
        }
        if self.commits.len() > self.commits_max
            && let Some(commit) = self.commits.pop_front()
        {
            self.bytes -= commit.update.len();
            self.forgotten_upto = commit.number;
            self.dropped_upto = self.dropped_upto.max(commit.number);
        }
    }

    /// Returns the updates after a commit, if all of them are still here.
    pub(super) fn updates_since(&self, number: CommitNumber) -> Option<Vec<Bytes>> {
        (number >= self.dropped_upto)
            .then(|| self.since(number).map(|commit| commit.update.clone()).collect())
    }

    /// Returns the clocks that moved on after a commit, as they were then, if they are still known.
    pub(super) fn clocks_at(&self, number: CommitNumber) -> Option<BTreeMap<ClientId, u32>> {
        if number < self.forgotten_upto {
            return None;
        }
        let mut clocks = BTreeMap::new();
        for &(client, clock) in self.since(number).flat_map(|commit| &commit.before) {
            // The first commit that moved a client on knows its clock at the start.
            clocks.entry(client).or_insert(clock);
        }
        Some(clocks)
    }

    fn since(&self, number: CommitNumber) -> impl Iterator<Item = &Commit> {
        let at = self.commits.partition_point(|commit| commit.number <= number);
        self.commits.range(at..)
    }
}
