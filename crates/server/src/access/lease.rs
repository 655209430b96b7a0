//! How long a credential is good.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use syncline_core::{access::Identity, time::WallMs};

use super::revoked::Revoked;
use crate::clock::{Clock, until};

/// When what someone showed ends, or that it was revoked. Whoever acts for them looks at it before each act, so that nothing of
/// theirs that still waits somewhere is done afterwards.
#[derive(Debug)]
pub(crate) struct Lease {
    held: Mutex<Held>,
    revoked: Arc<Revoked>,
}

#[derive(Debug)]
struct Held {
    identity: Arc<Identity>,
    /// Whether it was found to be revoked.
    is_revoked: bool,
    /// The number of changes of the revocations after which it was last found not to be.
    checked: Option<u64>,
}

impl Lease {
    pub(super) fn new(identity: Arc<Identity>, revoked: Arc<Revoked>) -> Self {
        let held = Held { identity, is_revoked: false, checked: None };
        Self { held: Mutex::new(held), revoked }
    }

    /// Goes on with another credential.
    pub(crate) fn renew(&self, identity: Arc<Identity>) {
        *self.held() = Held { identity, is_revoked: false, checked: None };
    }

    /// Returns when it ends unless it is revoked.
    pub(crate) fn until(&self) -> Option<WallMs> {
        self.held().identity.expires_at
    }

    pub(crate) fn is_over(&self, now: WallMs) -> bool {
        let mut held = self.held();
        if held.is_revoked || held.identity.is_expired(now) {
            return true;
        }
        let changes = self.revoked.changes();
        if held.checked != Some(changes) {
            held.is_revoked = self.revoked.revokes(&held.identity, now);
            held.checked = Some(changes);
        }
        held.is_revoked
    }

    /// Waits until it is over.
    pub(crate) async fn ended(&self, clock: Clock) {
        let mut changes = self.revoked.listen();
        loop {
            // From before the look, so that nothing that comes after it is missed.
            changes.mark_unchanged();
            if self.is_over(clock.now().wall) {
                return;
            }
            tokio::select! {
                () = until(self.until().map(|at| clock.wall_instant(at))) => {}
                changed = changes.changed() => changed.expect("whoever holds a lease holds what tells of changes"),
            }
        }
    }

    /// Nothing that runs under the lock leaves it half changed, so a poisoned one is still whole.
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use syncline_core::{
        access::{Grants, Revocation},
        entity::UserName,
        id::TenantName,
    };

    use super::*;

    fn until_then(expires_at: Option<u64>) -> Arc<Identity> {
        let ann = Identity::of(UserName::new("ann").expect("a name"), Grants::default());
        Arc::new(Identity { expires_at: expires_at.map(WallMs), issued_at: expires_at.map(WallMs), ..ann })
    }

    #[test]
    fn a_lease_ends_when_it_was_last_said_to() {
        let lease = Lease::new(until_then(None), Arc::default());
        assert!(lease.until().is_none() && !lease.is_over(WallMs(u64::MAX)));
        lease.renew(until_then(Some(5)));
        assert!(!lease.is_over(WallMs(4)) && lease.is_over(WallMs(5)));
        lease.renew(until_then(Some(9)));
        assert!(!lease.is_over(WallMs(5)));
    }

    /// What was revoked once stays so, also when the revocation is taken back; another credential goes on.
    #[test]
    fn a_lease_ends_when_it_is_revoked() {
        let revoked = Arc::new(Revoked::default());
        let lease = Lease::new(until_then(None), Arc::clone(&revoked));
        assert!(!lease.is_over(WallMs(1)));
        let subject = "user:ann".parse().expect("a subject");
        let revocation = Revocation { subject, at: WallMs(1), until: WallMs(100) };
        revoked.change(&TenantName::default(), |known| known.put(revocation.clone()));
        assert!(lease.is_over(WallMs(1)));
        revoked.change(&TenantName::default(), |known| assert!(known.remove(&revocation.subject)));
        assert!(lease.is_over(WallMs(1)));
        lease.renew(until_then(Some(9)));
        assert!(!lease.is_over(WallMs(1)));
    }
}
