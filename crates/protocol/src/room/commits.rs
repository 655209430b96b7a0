//! The commits of a room: what is durable, what is under way, what is gathered, and what waits for it.

use std::collections::VecDeque;

use syncline_core::{
    id::{ClientId, CommitNumber},
    limits::ROOM_PENDING_BYTES_MAX,
    log::{LogEntry, LogRecord},
};

use super::{Effect, Revision};
use crate::ledger::MergeId;

/// An update that the document has integrated.
#[derive(Clone, Debug)]
pub(super) struct Integrated {
    pub(super) entry: LogEntry,
    /// The clocks that it moved on, as they were before it.
    pub(super) before: Vec<(ClientId, u32)>,
    /// What the ledger calls it, if it comes from there.
    pub(super) merge: Option<MergeId>,
}

/// Numbers the commits of a room without gaps, and holds back every effect that rests on one until it is durable.
///
/// One commit is under way at a time; updates that come in the meantime are gathered for the next.
#[derive(Debug, Default)]
pub(super) struct Commits {
    durable: CommitNumber,
    under_way: Vec<Integrated>,
    gathered: Vec<Integrated>,
    gathered_bytes: usize,
    /// Effects with the commit that each rests on, in the order of these.
    parked: VecDeque<(CommitNumber, Effect)>,
    /// The same, for effects that must follow what the commit is published with.
    behind: VecDeque<(CommitNumber, Effect)>,
}

impl Commits {
    /// Starts after a commit that is durable.
    pub(super) fn after(durable: CommitNumber) -> Self {
        Self { durable, ..Self::default() }
    }

    /// Gathers an update for the next commit.
    pub(super) fn gather(&mut self, integrated: Integrated) {
        self.gathered_bytes += integrated.entry.update.len();
        self.gathered.push(integrated);
    }

    /// Returns the next commit, if there is anything for it and none is under way, and what of it is the ledger's.
    pub(super) fn start(&mut self) -> Option<(LogRecord, Vec<MergeId>)> {
        if !self.under_way.is_empty() || self.gathered.is_empty() {
            return None;
        }
        self.gathered_bytes = 0;
        self.under_way = std::mem::take(&mut self.gathered);
        let entries = self.under_way.iter().map(|integrated| integrated.entry.clone()).collect();
        let merges = self.under_way.iter().filter_map(|integrated| integrated.merge).collect();
        Some((LogRecord { number: self.durable.next(), entries }, merges))
    }

    /// Notes that the commit under way is durable, and returns it.
    pub(super) fn committed(&mut self) -> (CommitNumber, Vec<Integrated>) {
        self.durable = self.durable.next();
        (self.durable, std::mem::take(&mut self.under_way))
    }

    /// Holds an effect back until everything that the document holds now is durable.
    pub(super) fn park(&mut self, effect: Effect) {
        self.parked.push_back((self.resting_on(), effect));
    }

    /// Holds an effect back until everything that the document holds now has been published.
    pub(super) fn park_behind(&mut self, effect: Effect) {
        self.behind.push_back((self.resting_on(), effect));
    }

    /// Returns the next effect that rests on durable commits only.
    pub(super) fn release(&mut self) -> Option<Effect> {
        ripe(&mut self.parked, self.durable)
    }

    /// Returns the next effect that was parked behind commits that are all durable; they have been published.
    pub(super) fn release_behind(&mut self) -> Option<Effect> {
        ripe(&mut self.behind, self.durable)
    }

    /// Returns the commit after which everything that the document holds now will be durable.
    pub(super) fn resting_on(&self) -> CommitNumber {
        let open = u64::from(!self.under_way.is_empty()) + u64::from(!self.gathered.is_empty());
        CommitNumber(self.durable.0 + open)
    }

    /// Names what the document holds now.
    pub(super) fn revision(&self) -> Revision {
        Revision { commit: self.resting_on(), gathered: self.gathered.len() as u64 }
    }

    /// Returns the last commit of which the document holds everything, durable or not. A commit that is still being
    /// gathered for is not it: more may come.
    pub(super) fn covered(&self) -> CommitNumber {
        CommitNumber(self.durable.0 + u64::from(!self.under_way.is_empty()))
    }

    /// Returns the updates that are integrated and not durable yet, oldest first.
    pub(super) fn undurable(&self) -> impl Iterator<Item = &Integrated> {
        self.under_way.iter().chain(&self.gathered)
    }

    pub(super) fn durable(&self) -> CommitNumber {
        self.durable
    }

    /// Returns whether so much is gathered that nothing more should be taken in.
    pub(super) fn is_full(&self) -> bool {
        self.gathered_bytes > ROOM_PENDING_BYTES_MAX
    }

    /// Returns whether everything is durable.
    pub(super) fn is_settled(&self) -> bool {
        self.under_way.is_empty() && self.gathered.is_empty()
    }
}

fn ripe(parked: &mut VecDeque<(CommitNumber, Effect)>, durable: CommitNumber) -> Option<Effect> {
    let ripe = parked.front().is_some_and(|(on, _)| *on <= durable);
    ripe.then(|| parked.pop_front()).flatten().map(|(_, effect)| effect)
}
