//! Which credentials are revoked, as of now: asked at each use of one, and told to whoever waits meanwhile.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use syncline_core::{
    access::{Identity, Revocation, Revocations, Subject},
    time::WallMs,
};
use tokio::sync::{Semaphore, watch};

/// The revocations that are in force.
#[derive(Debug)]
pub(crate) struct Revoked {
    known: RwLock<Revocations>,
    /// How often they have changed.
    changes: AtomicU64,
    told: watch::Sender<u64>,
    /// One permit: what is stored and what is in force change in the same order.
    pub(super) turn: Arc<Semaphore>,
}

impl Default for Revoked {
    fn default() -> Self {
        Self {
            known: RwLock::default(),
            changes: AtomicU64::new(0),
            told: watch::Sender::new(0),
            turn: Arc::new(Semaphore::new(1)),
        }
    }
}

impl Revoked {
    /// Changes what is in force. From then on nobody uses what it revokes, and whoever waits is told.
    pub(super) fn change(&self, change: impl FnOnce(&mut Revocations)) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut known);
        // Under the lock: whoever sees the new number finds what it stands for.
        let changes = self.changes.fetch_add(1, Ordering::AcqRel) + 1;
        drop(known);
        self.told.send_replace(changes);
    }

    /// Returns whether a credential is revoked.
    pub(crate) fn revokes(&self, identity: &Identity, now: WallMs) -> bool {
        self.look(|known| known.revoke(identity, now))
    }

    /// Returns the revocation of a subject, if it is in force.
    pub(super) fn of(&self, subject: &Subject) -> Option<Revocation> {
        self.look(|known| known.of(subject).cloned())
    }

    pub(super) fn look<T>(&self, look: impl FnOnce(&Revocations) -> T) -> T {
        look(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns how often the revocations have changed: while that stays, so does what is revoked, but for what ends.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Returns where it is told that they have changed.
    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.told.subscribe()
    }
}
