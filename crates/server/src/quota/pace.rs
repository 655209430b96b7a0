//! How fast users and tenants go on, over all of their connections and requests.

use std::sync::{Mutex, MutexGuard, PoisonError};

use syncline_core::{id::TenantName, rate::Meters, time::MonotonicMs};

use super::{Limit, Payer, Quota};
use crate::limits::METERS_MAX;

/// The meters of all users and tenants.
#[derive(Debug)]
pub(crate) struct Pace {
    users: Mutex<Meters<Payer>>,
    tenants: Mutex<Meters<TenantName>>,
}

/// Someone has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much in too short a time; an operator sets how much may come by {}", limit.settings())]
pub(crate) struct TooFast {
    pub(crate) limit: Limit,
    /// In milliseconds.
    pub(crate) wait_ms: u64,
}

impl Pace {
    pub(crate) fn new(quota: &Quota) -> Self {
        Self {
            users: Mutex::new(Meters::new(quota.user, METERS_MAX)),
            tenants: Mutex::new(Meters::new(quota.tenant, METERS_MAX)),
        }
    }

    /// Takes it that someone has sent so much. Returns when more may be taken from them: a time that has passed by `now` if that
    /// is now, and else with what they wait for.
    pub(crate) fn spend(
        &self,
        now: MonotonicMs,
        payer: &Payer,
        messages: u64,
        bytes: u64,
    ) -> (MonotonicMs, Limit) {
        let mut tenants = locked(&self.tenants);
        tenants.spend(now, &payer.tenant, messages, bytes);
        let tenant = (tenants.ready_at(now, &payer.tenant), Limit::TenantRate);
        drop(tenants);
        if payer.user.is_none() {
            return tenant;
        }
        let mut users = locked(&self.users);
        users.spend(now, payer, messages, bytes);
        let user = (users.ready_at(now, payer), Limit::UserRate);
        if user.0 >= tenant.0 { user } else { tenant }
    }

    /// Takes in a request of someone, if they may send one now.
    pub(crate) fn admit(&self, now: MonotonicMs, payer: &Payer, bytes: u64) -> Result<(), TooFast> {
        let (ready_at, limit) = self.spend(now, payer, 0, 0);
        match ready_at.since(now) {
            0 => {
                self.spend(now, payer, 1, bytes);
                Ok(())
            }
            wait_ms => Err(TooFast { limit, wait_ms }),
        }
    }
}

/// Nothing that runs under the lock leaves the meters half changed, so a poisoned one is still whole.
fn locked<T>(meters: &Mutex<T>) -> MutexGuard<'_, T> {
    meters.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use syncline_core::{entity::UserName, rate::Allowance};

    use super::*;

    #[test]
    fn a_user_waits_for_themselves_and_for_their_tenant() {
        let mut quota = Quota::default();
        let of = |per_second| Allowance { messages: Some(Quota::messages(per_second)), bytes: None };
        (quota.user, quota.tenant) = (of(1), of(2));
        let pace = Pace::new(&quota);
        let [ann, bob, eve] = ["ann", "bob", "eve"].map(|name| Payer {
            tenant: TenantName::default(),
            user: Some(UserName::new(name).expect("a name")),
        });
        let now = MonotonicMs(0);
        let refused = |limit, wait_ms| Err(TooFast { limit, wait_ms });
        assert_eq!([1, 2].map(|_| pace.admit(now, &ann, 0)), [Ok(()), Ok(())]);
        assert_eq!(pace.admit(now, &ann, 0), refused(Limit::UserRate, 1_000));
        assert_eq!([1, 2].map(|_| pace.admit(now, &bob, 0)), [Ok(()), Ok(())], "bob does not wait for ann");
        assert_eq!(pace.admit(now, &eve, 0), refused(Limit::TenantRate, 500));
        let nobody = Payer { user: None, ..eve };
        assert_eq!(pace.admit(now, &nobody, 0), refused(Limit::TenantRate, 500));
        assert_eq!(pace.admit(MonotonicMs(500), &nobody, 0), Ok(()), "who is refused pays nothing");
    }
}
