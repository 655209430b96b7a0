//! What a room has to do with the ledger: its document may be an entity.

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

use syncline_protocol::{
    AbsorbId, Absorbed, CloseReason, Content, ReadId,
    ledger::{MergeId, MergeOutcome},
};
use syncline_store::Batch;
use tokio::sync::oneshot;

use crate::{
    changes::{Change, News},
    entities::{LedgerDown, Stored, Touch},
    epoch::Epoch,
    registry::RoomKey,
    storage::StoreDown,
};

/// Those who wait for a room and are not connected.
#[derive(Default)]
pub(super) struct Owed {
    merges: BTreeMap<MergeId, oneshot::Sender<MergeOutcome>>,
    reads: BTreeMap<ReadId, oneshot::Sender<Content>>,
    last_read: u64,
    absorbs: BTreeMap<AbsorbId, oneshot::Sender<Absorbed>>,
    last_absorb: u64,
    /// The merges that the next commit stores.
    carried: Vec<MergeId>,
}

/// Why a commit of a room is not stored.
#[derive(Debug, thiserror::Error)]
pub(super) enum Uncommitted {
    #[error(transparent)]
    Store(#[from] StoreDown),
    #[error(transparent)]
    Ledger(#[from] LedgerDown),
    #[error("the entity was deleted")]
    Deleted,
}

impl Uncommitted {
    pub(super) const fn close_reason(&self) -> CloseReason {
        match self {
            Self::Store(_) | Self::Ledger(_) => CloseReason::StoreDown,
            Self::Deleted => CloseReason::Deleted,
        }
    }
}

impl Owed {
    pub(super) fn merge(&mut self, merge: MergeId, done: oneshot::Sender<MergeOutcome>) {
        self.merges.insert(merge, done);
    }

    pub(super) fn read(&mut self, done: oneshot::Sender<Content>) -> ReadId {
        self.last_read += 1;
        let read = ReadId(self.last_read);
        self.reads.insert(read, done);
        read
    }

    pub(super) fn absorb(&mut self, done: oneshot::Sender<Absorbed>) -> AbsorbId {
        self.last_absorb += 1;
        let absorb = AbsorbId(self.last_absorb);
        self.absorbs.insert(absorb, done);
        absorb
    }

    pub(super) fn carry(&mut self, merges: Vec<MergeId>) {
        self.carried = merges;
    }

    pub(super) fn merged(&mut self, merge: MergeId, outcome: MergeOutcome) {
        if let Some(done) = self.merges.remove(&merge) {
            // Whoever waits may be gone, here and below.
            let _ = done.send(outcome);
        }
    }

    pub(super) fn absorbed(&mut self, absorb: AbsorbId, absorbed: Absorbed) {
        if let Some(done) = self.absorbs.remove(&absorb) {
            let _ = done.send(absorbed);
        }
    }

    pub(super) fn tell(&mut self, read: ReadId, content: Option<Content>) {
        if let Some((done, content)) = self.reads.remove(&read).zip(content) {
            let _ = done.send(content);
        }
    }

    /// Returns how to store a commit of so many entries: with the ledger's, if the document is an entity. Whoever follows the document is
    /// told what it has changed once it is durable.
    pub(super) fn commit(
        &mut self,
        epoch: &Arc<Epoch>,
        room: &RoomKey,
        entries: usize,
        batch: Batch,
        change: Option<Change>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Uncommitted>> + Send>> {
        let merges = std::mem::take(&mut self.carried);
        let leases = merges.iter().filter_map(|merge| self.merges.remove(merge)).collect();
        let typed = entries > merges.len();
        let (epoch, room) = (Arc::clone(epoch), room.clone());
        Box::pin(async move {
            let Some((ledger, key)) = epoch.entity_of(&room).await? else {
                room.tenant.commit(&epoch.storage, batch).await?;
                if let Some(change) = change {
                    epoch.changes.tell(room.tenant.id(), News::Changed(change));
                }
                return Ok(());
            };
            let touch = Touch { key, merges, leases, typed, batch, change };
            match ledger.touch(touch).await? {
                Stored::Stored => Ok(()),
                Stored::Deleted => Err(Uncommitted::Deleted),
            }
        })
    }
}
