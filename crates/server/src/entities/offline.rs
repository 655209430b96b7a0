//! A ledger in a data folder that no server has open: what commands look at, and change.

mod bulk;

use std::collections::BTreeMap;

use syncline_core::{
    entity::Epoch,
    id::TenantId,
    limits::RETRY_AFTER_MS,
    time::{Now, WallMs},
};
use syncline_protocol::ledger::{
    Answer, Effect, Input, Ledger, Merge, MergeOutcome, RequestId, Ticket, Verdict,
};
use syncline_store::{Batch, CommitError, RecordTooLong, Store, records::ledger::LedgerShelf};

pub use self::bulk::{BulkError, Exported};
use super::erasing::complete;
use super::kept::{EPOCH, Kept, KeptError, batch_of, random};
use crate::clock::Clock;

/// The entities of a tenant in a store that nobody else uses.
///
/// Types are those that are stored: what an operator has declared since the last server is known to the next one.
/// Deadlines that have passed meanwhile are left to it, too.
pub struct OfflineLedger<'s> {
    store: &'s mut dyn Store,
    tenant: TenantId,
    machine: Ledger,
    shelf: LedgerShelf,
    /// What rooms store with the next commit.
    rooms: BTreeMap<Ticket, Batch>,
    clock: Clock,
}

/// Why a ledger was not opened or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfflineError {
    /// What the store keeps is no ledger.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// The store does not take the change. The ledger is ahead of it and of no use any more.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The change is too long to be stored.
    #[error(transparent)]
    TooLong(#[from] RecordTooLong),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers for the audit: {0}")]
    Random(getrandom::Error),
    /// The ledger does not answer: a mistake in this program.
    #[error("the ledger gives no answer")]
    NoAnswer,
}

impl<'s> OfflineLedger<'s> {
    /// Loads the ledger of a tenant; one that never had any has an empty one.
    ///
    /// # Errors
    /// [`OfflineError::Kept`] if what the store keeps is no ledger.
    pub fn open(store: &'s mut dyn Store, tenant: TenantId) -> Result<Self, OfflineError> {
        let kept = Kept::read(store, tenant)?;
        let epoch = kept.epoch().unwrap_or(Epoch(1));
        let (machine, shelf) = kept.load(Vec::new(), epoch)?;
        Ok(Self { store, tenant, machine, shelf, rooms: BTreeMap::new(), clock: Clock::start() })
    }

    /// Has the ledger take in a request, and returns the answer once all that it rests on is stored.
    ///
    /// # Errors
    /// [`OfflineError`]: the change is not stored, or not all of it.
    pub fn ask(&mut self, input: impl FnOnce(RequestId) -> Input) -> Result<Answer, OfflineError> {
        let now = self.clock.now();
        let salt = random().map_err(OfflineError::Random)?;
        self.handle(now, Input::Salt(salt))?;
        self.handle(now, input(RequestId(1)))?.ok_or(OfflineError::NoAnswer)
    }

    /// Returns the ledger.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.machine
    }

    /// Returns the time.
    #[must_use]
    pub fn now(&self) -> WallMs {
        self.clock.now().wall
    }

    /// Returns the store, for what is no entity.
    pub(crate) fn store(&self) -> &dyn Store {
        self.store
    }

    /// Returns the store to change what is no entity.
    pub(crate) fn store_mut(&mut self) -> &mut dyn Store {
        self.store
    }

    pub(crate) const fn tenant(&self) -> TenantId {
        self.tenant
    }

    fn handle(&mut self, now: Now, input: Input) -> Result<Option<Answer>, OfflineError> {
        let mut answered = None;
        self.machine.handle(now, input);
        while let Some(effect) = self.machine.poll_effect() {
            match effect {
                Effect::Commit { commit, batch, rooms } => {
                    let mut stored = batch_of(&mut self.shelf, self.tenant, &batch, &[])?;
                    let of_rooms = rooms.iter().filter_map(|ticket| self.rooms.remove(ticket));
                    let store = |stored: &mut Batch| of_rooms.for_each(|of| stored.append(of));
                    complete(&mut stored, self.tenant, &self.machine, &batch, store);
                    self.store.commit(stored)?;
                    self.machine.handle(now, Input::Committed(commit));
                }
                Effect::Answer { answer, .. } => answered = Some(answer),
                // No room is open.
                Effect::Moved { .. } | Effect::Refuse { .. } | Effect::Deleted { .. } => {}
                Effect::Merge(Merge { merge, .. }) => {
                    self.machine.handle(now, Input::Merged { merge, outcome: MergeOutcome::Unavailable });
                }
                // Handlers are asked by servers.
                Effect::Ask { ask, .. } => {
                    let verdict = Verdict::Unavailable { retry_after_ms: RETRY_AFTER_MS };
                    self.machine.handle(now, Input::Answered { ask, verdict });
                }
            }
        }
        Ok(answered)
    }
}

/// A log that has begun another life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// The life before.
    pub before: Epoch,
    /// The life from now on.
    pub after: Epoch,
}

/// Why a log has not begun another life.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenewError {
    /// No server has begun one here.
    #[error("the data folder holds no entities; there is nothing to renew")]
    NoLog,
    /// What the store keeps is no ledger.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// The store does not take the change.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

/// Has the log of a tenant begin another life, so that the place of no client counts any more: each begins again.
///
/// Its number is `now` in milliseconds since the Unix epoch, or the next one if that is greater. Were it always the next one,
/// two restorations of one backup would begin the same life, and cursors of the first would count in the second.
///
/// # Errors
/// [`RenewError`]; the log is as it was.
pub fn renew_epoch(store: &mut dyn Store, tenant: TenantId, now: WallMs) -> Result<Renewed, RenewError> {
    let mut kept = Kept::read(store, tenant)?;
    let before = kept.epoch().ok_or(RenewError::NoLog)?;
    let after = Epoch(before.0.saturating_add(1).max(now.0));
    let mut batch = Batch::new();
    kept.put_own(&mut batch, EPOCH, &after.0.to_be_bytes());
    store.commit(batch)?;
    Ok(Renewed { before, after })
}
