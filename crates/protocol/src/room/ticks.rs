//! The end of a tick, the outcome of a commit, and what brings someone up to date.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use syncline_core::{
    doc::{Broken, DiffError, YjsDocument, merge_in_order},
    id::{CommitNumber, ConnectionId},
    time::Now,
};

use super::{Effect, LoadError, Loaded, Room, requests::Wanting};
use crate::{Batch, CloseReason, wire::yjs};

impl Room {
    /// Ends a tick: answers, then hands what was gathered to the store.
    pub(super) fn flush(&mut self, now: Now) {
        self.answer_syncs(now);
        for connection in std::mem::take(&mut self.greeted) {
            if let Some(entries) = self.presence.everyone(connection) {
                let batch = self.note(vec![yjs::presence(&entries)]);
                self.commits.park(Effect::Note(connection, batch));
            }
        }
        if let Some((record, merges)) = self.commits.start() {
            self.effects.extend((!merges.is_empty()).then_some(Effect::Carry(merges)));
            self.effects.push_back(Effect::Commit(record));
        }
        self.release();
    }

    /// Answers the tick's requests for what clients lack. Who asked from the same state gets the same buffer.
    fn answer_syncs(&mut self, now: Now) {
        let mut made: BTreeMap<Bytes, Arc<Batch>> = BTreeMap::new();
        let mut question = None;
        let mut waiting = std::mem::take(&mut self.syncs).into_iter();
        while let Some(Wanting { connection, state, pairs }) = waiting.next() {
            if pairs {
                let question = question.get_or_insert_with(|| self.step1(CommitNumber(0)));
                self.commits.park(Effect::Ask(connection, Arc::clone(question)));
            }
            let answer = match made.get(&state) {
                Some(batch) => Ok(Arc::clone(batch)),
                None => self.document.diff(&state).map(|diff| {
                    let batch = Batch::new(self.commits.covered(), vec![yjs::sync_step2(&diff)]);
                    Arc::clone(made.entry(state).or_insert(batch))
                }),
            };
            match answer {
                Ok(batch) => self.commits.park(Effect::Answer(connection, batch)),
                Err(DiffError::Malformed(malformed)) => {
                    self.close(now, connection, CloseReason::Malformed(malformed.reason()));
                }
                Err(_broken) => {
                    // The others are answered from the rebuilt document.
                    self.syncs.extend(waiting);
                    self.close(now, connection, CloseReason::Internal);
                    return self.rebuild();
                }
            }
        }
    }

    pub(super) fn committed(&mut self) {
        let (number, commit) = self.commits.committed();
        self.stats.updates += commit.len() as u64;
        let updates: Vec<Bytes> = commit.iter().map(|integrated| integrated.entry.update.clone()).collect();
        let before = commit.into_iter().flat_map(|integrated| integrated.before).collect();
        self.stored.committed(updates.iter().map(Bytes::len).sum());
        // Updates that do not continue each other go out one by one; it does not happen with what was integrated.
        let merged = merge_in_order(&updates).ok().flatten();
        self.recent.push(number, merged.clone(), before);
        let frames =
            merged.map_or(updates, |merged| vec![merged]).iter().map(|update| yjs::update(update)).collect();
        // SUBTLE: what was parked goes first. It was made while this commit was still being gathered for, so it may lack a
        // part of it; whoever it opens the line to needs the whole commit after it.
        self.release();
        self.effects.push_back(Effect::Publish(Batch::new(number, frames)));
        self.release_behind();
        if self.stored.wants_compaction() {
            self.stored.start_compaction();
            self.effects.push_back(Effect::Compact(number));
        }
    }

    /// Brings a connection up to date whose outbox dropped what came after the commit `since`.
    pub(super) fn resume(&mut self, now: Now, connection: ConnectionId, since: CommitNumber) {
        if !self.subscribers.contains_key(&connection) {
            return;
        }
        self.stats.resumed += 1;
        let mut frames = Vec::new();
        let merged =
            self.recent.updates_since(since).and_then(|updates| merge_in_order(&updates).ok().flatten());
        if let Some(update) = &merged {
            frames.push(yjs::update(update));
        } else {
            match self.difference_since(since) {
                Ok(diff) => frames.push(yjs::update(&diff)),
                Err(Broken { .. }) => {
                    self.close(now, connection, CloseReason::Internal);
                    return self.rebuild();
                }
            }
        }
        frames.extend(self.presence.everyone(connection).map(|entries| yjs::presence(&entries)));
        if merged.is_some() {
            let batch = Batch::new(self.commits.durable(), frames);
            self.effects.push_back(Effect::Resume(connection, batch));
        } else {
            let batch = Batch::new(self.commits.covered(), frames);
            self.commits.park(Effect::Resume(connection, batch));
        }
        self.release();
    }

    /// Returns what the document holds, durable or not, beyond the commit `since`.
    fn difference_since(&self, since: CommitNumber) -> Result<Bytes, Broken> {
        let Some(mut clocks) = self.recent.clocks_at(since) else {
            return self.document.encode();
        };
        for &(client, clock) in self.commits.undurable().flat_map(|integrated| &integrated.before) {
            clocks.entry(client).or_insert(clock);
        }
        self.document.diff_since(&clocks)
    }

    /// Gives the document up and has it read from the store again.
    pub(super) fn rebuild(&mut self) {
        self.stats.rebuilt += 1;
        self.deferred = Some(Vec::new());
        self.effects.push_back(Effect::Reload);
    }

    /// Takes up the document as the store holds it, with what is not durable yet on top.
    pub(super) fn reloaded(&mut self, now: Now, loaded: &Loaded) {
        let mut document = YjsDocument::load(loaded.snapshot.as_ref(), &loaded.log);
        for integrated in self.commits.undurable() {
            let Ok(built) = &mut document else { break };
            if let Err(source) = built.replay(&integrated.entry.update) {
                document = Err(LoadError::Commit { number: self.commits.resting_on(), source });
            }
        }
        let deferred = self.deferred.take().unwrap_or_default();
        match document {
            Ok(document) => self.document = document,
            Err(_) => return self.give_up(now),
        }
        deferred.into_iter().for_each(|input| self.handle(now, input));
    }

    /// Sends everyone away: the document cannot be built from the store.
    fn give_up(&mut self, now: Now) {
        for connection in self.subscribers.keys().copied().collect::<Vec<_>>() {
            self.close(now, connection, CloseReason::Internal);
        }
        self.failed = true;
        self.effects.push_back(Effect::Unload);
    }

    /// Answers nothing more: what the room holds is not what the store holds.
    pub(super) fn fail(&mut self) {
        self.failed = true;
        self.effects.clear();
    }

    /// Makes the question for what a client has and the document lacks. It brings its receiver no further than `upto`,
    /// whatever state vector is in it.
    pub(super) fn step1(&self, upto: CommitNumber) -> Arc<Batch> {
        Batch::new(upto, vec![yjs::sync_step1(&self.document.state_vector())])
    }
}
