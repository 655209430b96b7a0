//! How long a credential is good.

use std::sync::atomic::{AtomicU64, Ordering};

use syncline_core::time::WallMs;

/// When what someone showed ends. Whoever acts for them looks at it before each act, so that nothing of theirs that still waits
/// somewhere is done afterwards.
#[derive(Debug)]
pub(crate) struct Lease(AtomicU64);

/// It does not end.
const FOREVER: u64 = u64::MAX;

impl Lease {
    pub(crate) fn new(until: Option<WallMs>) -> Self {
        Self(AtomicU64::new(until.map_or(FOREVER, |at| at.0)))
    }

    /// Sets another end.
    pub(crate) fn renew(&self, until: Option<WallMs>) {
        self.0.store(until.map_or(FOREVER, |at| at.0), Ordering::Relaxed);
    }

    pub(crate) fn until(&self) -> Option<WallMs> {
        Some(WallMs(self.0.load(Ordering::Relaxed))).filter(|at| at.0 != FOREVER)
    }

    pub(crate) fn is_over(&self, now: WallMs) -> bool {
        self.until().is_some_and(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_when_it_was_last_said_to() {
        let lease = Lease::new(None);
        assert!(lease.until().is_none() && !lease.is_over(WallMs(u64::MAX)));
        lease.renew(Some(WallMs(5)));
        assert!(!lease.is_over(WallMs(4)) && lease.is_over(WallMs(5)));
        lease.renew(Some(WallMs(9)));
        assert!(!lease.is_over(WallMs(5)));
    }
}
