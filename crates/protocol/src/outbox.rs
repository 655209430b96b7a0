//! What waits to be written to one connection.

use std::{collections::VecDeque, sync::Arc};

use syncline_core::{
    id::CommitNumber,
    limits::{OUTBOUND_BYTES_MAX, TEXT_BYTES_MAX},
};

use crate::{Batch, CloseReason};

/// Acknowledgements that are written at once: some kilobytes of them.
const ACKNOWLEDGED_AT_ONCE_MAX: u32 = 256;

/// The bounded queue between a room and one connection.
///
/// Live batches count against a bound, by default [`OUTBOUND_BYTES_MAX`]. When they pass it, they are all dropped and the outbox *lags*: it
/// takes no further live batch until [`Outbox::resume`] brings it a batch that covers what was dropped. That batch stands
/// outside the bound, and so does the answer to a sync request, which is one buffer shared by everyone who asked for the
/// same. There is at most one of each: the room is asked for the former only once everything else was written, and a later
/// answer replaces an earlier one, because it was made for a later state of the same client.
///
/// Acknowledgements are a number, which is never dropped, and so is the version that is kept, of which the newest says all;
/// questions are small, and whoever asks bounds their number.
///
/// A dialogue, in which no message may be lost, has one message in the queue at a time: the room is asked for the next
/// once it was written ([`Outbox::step`]), so that it is about everything that has come up meanwhile.
///
/// A new outbox takes no live batch before [`Outbox::resume`]: its connection has not been shown anything yet.
#[derive(Debug)]
pub struct Outbox {
    queue: VecDeque<Queued>,
    live_bytes: usize,
    live_bytes_max: usize,
    text_bytes: usize,
    /// Updates of the client's that are durable and of which it was not told yet.
    acknowledged: u32,
    /// Bytes that its connection is to be charged for, beside those that it sent.
    charged: u64,
    /// The version of the client's document that is kept, of which it was not told yet.
    kept: Option<u64>,
    /// The last commit that everything handed to the socket covers.
    delivered: CommitNumber,
    lag: Lag,
    close: Option<CloseReason>,
}

#[derive(Debug)]
struct Queued {
    batch: Arc<Batch>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Counts against the bound and may be dropped.
    Live,
    /// The answer to a sync request.
    Answer,
    /// What ended a lag.
    CatchUp,
    /// A question to the client.
    Question,
    /// What cannot be had again.
    Text,
    /// A message of a dialogue.
    Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lag {
    None,
    /// Something was dropped and nobody was told yet.
    Dropped,
    /// The room was asked for what is missing.
    Asked,
}

/// What the writer does next.
#[derive(Debug)]
pub enum Written {
    /// Write this, then come again.
    Batch(Arc<Batch>),
    /// Tell the client that this many more of its updates are durable, one by one, then come again.
    Acknowledge(u32),
    /// Count so many bytes more as read from the client, then come again.
    Charge(u64),
    /// Tell the client that its document is kept up to this version, as it counts, then come again.
    Kept(u64),
    /// All is written, and something was dropped: tell the room, once, to resume from this commit.
    AskResume(CommitNumber),
    /// All is written: close the connection.
    Close(CloseReason),
    /// Nothing to do until something is pushed.
    Idle,
}

impl Default for Outbox {
    fn default() -> Self {
        Self::with_bound(OUTBOUND_BYTES_MAX)
    }
}

impl Outbox {
    /// Makes an empty outbox for at most `live_bytes_max` bytes of live batches.
    #[must_use]
    pub fn with_bound(live_bytes_max: usize) -> Self {
        Self {
            queue: VecDeque::new(),
            live_bytes: 0,
            live_bytes_max,
            text_bytes: 0,
            acknowledged: 0,
            charged: 0,
            kept: None,
            delivered: CommitNumber(0),
            lag: Lag::Asked,
            close: None,
        }
    }

    /// Queues a batch that goes to everyone in the room. A lagging outbox ignores it; a full one drops its live batches.
    pub fn publish(&mut self, batch: &Arc<Batch>) {
        if self.lag != Lag::None {
            return;
        }
        if self.live_bytes + batch.bytes() > self.live_bytes_max && self.live_bytes > 0 {
            self.queue.retain(|queued| queued.kind != Kind::Live);
            self.live_bytes = 0;
            self.lag = Lag::Dropped;
            return;
        }
        self.live_bytes += batch.bytes();
        self.queue.push_back(Queued { batch: Arc::clone(batch), kind: Kind::Live });
    }

    /// Queues an answer for this connection alone, in place of an earlier one that was not written yet.
    pub fn answer(&mut self, batch: Arc<Batch>) {
        self.queue.retain(|queued| queued.kind != Kind::Answer);
        self.queue.push_back(Queued { batch, kind: Kind::Answer });
    }

    /// Queues a small message for this connection alone. It is lost if the outbox lags or the queue is full: only for what
    /// the client can do without, or asks for again.
    pub fn note(&mut self, batch: &Arc<Batch>) {
        self.publish(batch);
    }

    /// Queues a question to the client. It is never dropped.
    pub fn ask(&mut self, batch: Arc<Batch>) {
        self.queue.push_back(Queued { batch, kind: Kind::Question });
    }

    /// Queues a text from another client, which outlasts a lag. It is lost if [`TEXT_BYTES_MAX`] would be passed.
    pub fn text(&mut self, batch: &Arc<Batch>) {
        if self.text_bytes + batch.bytes() <= TEXT_BYTES_MAX {
            self.text_bytes += batch.bytes();
            self.queue.push_back(Queued { batch: Arc::clone(batch), kind: Kind::Text });
        }
    }

    /// Notes that `updates` more of the client's updates are durable.
    pub fn acknowledge(&mut self, updates: u32) {
        self.acknowledged = self.acknowledged.saturating_add(updates);
    }

    /// Notes that what the client sent took as much work as `bytes` bytes more.
    pub fn charge(&mut self, bytes: u64) {
        self.charged = self.charged.saturating_add(bytes);
    }

    /// Notes that the client's document is kept up to this version, as it counts.
    pub fn kept(&mut self, version: u64) {
        self.kept = self.kept.max(Some(version));
    }

    /// Queues the next message of a dialogue. The writer asks the room to resume when it is written; until then there is none.
    pub fn step(&mut self, batch: Arc<Batch>) {
        self.queue.push_back(Queued { batch, kind: Kind::Step });
        self.lag = Lag::Dropped;
    }

    /// Ends the lag: `batch` covers all that was dropped.
    pub fn resume(&mut self, batch: Arc<Batch>) {
        self.lag = Lag::None;
        self.queue.push_back(Queued { batch, kind: Kind::CatchUp });
    }

    /// Closes the connection once what is queued has been written.
    pub fn close(&mut self, reason: CloseReason) {
        self.close.get_or_insert(reason);
    }

    /// Returns what the writer does next. The writer has written everything it was handed before.
    #[must_use]
    pub fn poll(&mut self) -> Written {
        if self.charged > 0 {
            return Written::Charge(std::mem::take(&mut self.charged));
        }
        if self.acknowledged > 0 {
            let updates = self.acknowledged.min(ACKNOWLEDGED_AT_ONCE_MAX);
            self.acknowledged -= updates;
            return Written::Acknowledge(updates);
        }
        if let Some(version) = self.kept.take() {
            return Written::Kept(version);
        }
        if let Some(queued) = self.queue.pop_front() {
            match queued.kind {
                Kind::Live => self.live_bytes -= queued.batch.bytes(),
                Kind::Text => self.text_bytes -= queued.batch.bytes(),
                Kind::Answer | Kind::CatchUp | Kind::Question | Kind::Step => {}
            }
            self.delivered = self.delivered.max(queued.batch.upto());
            return Written::Batch(queued.batch);
        }
        if let Some(reason) = self.close {
            return Written::Close(reason);
        }
        if self.lag == Lag::Dropped {
            self.lag = Lag::Asked;
            return Written::AskResume(self.delivered);
        }
        Written::Idle
    }

    /// Returns the bytes of live batches that wait.
    #[must_use]
    pub fn live_bytes(&self) -> usize {
        self.live_bytes
    }
}
