//! Tickets: what stands for a token where only a URL can carry it, once and for a short time.
//!
//! They are held in memory alone.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use syncline_core::{access::Identity, entity::UserName, id::TenantName, time::WallMs};

use super::word::{WordHash, word};
use crate::limits::{TICKET_MS, TICKETS_MAX, TICKETS_PER_USER_MAX};

/// The tickets of the last [`TICKET_MS`].
#[derive(Default)]
pub(crate) struct Tickets(Mutex<Issued>);

#[derive(Default)]
struct Issued {
    /// Those that nobody has used.
    good: BTreeMap<WordHash, Ticket>,
    /// All, the used ones included, in the order in which they were issued.
    recent: VecDeque<Recent>,
    /// How many of these each user of each tenant has.
    of_user: BTreeMap<Bearer, usize>,
}

struct Ticket {
    identity: Arc<Identity>,
    ends_at: WallMs,
}

/// Who has a ticket: a user of a tenant.
type Bearer = (TenantName, UserName);

struct Recent {
    hash: WordHash,
    user: Bearer,
    forgotten_at: WallMs,
}

/// There are as many tickets as may be. They last [`TICKET_MS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("as many tickets were issued as may be in half a minute; come again")]
pub(crate) struct TooManyTickets;

impl fmt::Debug for Tickets {
    /// Leaves the hashes out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").finish_non_exhaustive()
    }
}

impl Tickets {
    /// Issues a ticket that stands for `identity`. Returns its word, made of these random bytes, and when it ends.
    pub(super) fn issue(
        &self,
        identity: Arc<Identity>,
        random: [u8; 32],
        now: WallMs,
    ) -> Result<(String, WallMs), TooManyTickets> {
        let mut issued = self.issued();
        issued.forget(now);
        let user = (identity.tenant.clone(), identity.user.clone());
        let of_user = issued.of_user.get(&user).copied().unwrap_or_default();
        if of_user >= TICKETS_PER_USER_MAX || issued.recent.len() >= TICKETS_MAX {
            return Err(TooManyTickets);
        }
        let forgotten_at = WallMs(now.0.saturating_add(TICKET_MS));
        let ends_at = identity.expires_at.map_or(forgotten_at, |end| end.min(forgotten_at));
        let (word, hash) = word(random);
        issued.good.insert(hash, Ticket { identity, ends_at });
        issued.of_user.insert(user.clone(), of_user + 1);
        issued.recent.push_back(Recent { hash, user, forgotten_at });
        Ok((word, ends_at))
    }

    /// Returns for whom a ticket stands, which is good for nothing then.
    pub(super) fn redeem(&self, word: &str, now: WallMs) -> Option<Arc<Identity>> {
        let ticket = self.issued().good.remove(&WordHash::of(word))?;
        (now < ticket.ends_at).then_some(ticket.identity)
    }

    /// Nothing that runs under the lock leaves the tickets half changed, so a poisoned lock holds whole ones.
    fn issued(&self) -> MutexGuard<'_, Issued> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Issued {
    fn forget(&mut self, now: WallMs) {
        while self.recent.front().is_some_and(|oldest| oldest.forgotten_at <= now) {
            let Some(Recent { hash, user, .. }) = self.recent.pop_front() else { return };
            self.good.remove(&hash);
            if let Some(count) = self.of_user.get_mut(&user) {
                *count -= 1;
                if *count == 0 {
                    self.of_user.remove(&user);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use syncline_core::access::Grants;

    use super::*;

    fn of(user: &str, expires_at: Option<u64>) -> Arc<Identity> {
        let user = UserName::new(user).expect("a name");
        let expires_at = expires_at.map(WallMs);
        Arc::new(Identity { expires_at, ..Identity::of(user, Grants::default()) })
    }

    fn bytes(n: usize) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
        bytes
    }

    #[test]
    fn a_ticket_is_good_once_and_for_half_a_minute() {
        let tickets = Tickets::default();
        let issue = |n, who| tickets.issue(who, bytes(n), WallMs(1_000)).expect("there is room");
        let (word, ends_at) = issue(1, of("ann", None));
        assert_eq!((word.len(), ends_at), (43, WallMs(1_000 + TICKET_MS)));
        assert_eq!(tickets.redeem("", WallMs(1_000)), None);
        assert_eq!(tickets.redeem(&word, WallMs(ends_at.0 - 1)), Some(of("ann", None)));
        assert_eq!(tickets.redeem(&word, WallMs(1_000)), None, "it was used");
        let (late, ends_at) = issue(2, of("ann", None));
        assert_eq!(tickets.redeem(&late, ends_at), None);
        let (short, ends_at) = issue(3, of("ann", Some(1_500)));
        assert_eq!(ends_at, WallMs(1_500), "it lives no longer than the token");
        assert_eq!(tickets.redeem(&short, ends_at), None);
    }

    #[test]
    fn tickets_are_bounded_for_each_user_and_in_all() {
        let tickets = Tickets::default();
        let issue = |n: usize, now| {
            let user = of(&format!("user{}", n / TICKETS_PER_USER_MAX), None);
            tickets.issue(user, bytes(n), WallMs(now))
        };
        for n in 0..TICKETS_MAX {
            let (word, _) = issue(n, 0).expect("there is room");
            assert!(tickets.redeem(&word, WallMs(0)).is_some(), "used ones count, too");
        }
        assert_eq!(issue(TICKETS_MAX, 0), Err(TooManyTickets), "in all");
        assert!(issue(TICKETS_MAX, TICKET_MS).is_ok(), "the old ones are forgotten");
        for n in 1..TICKETS_PER_USER_MAX {
            assert!(issue(n, TICKET_MS).is_ok());
        }
        assert!(issue(0, TICKET_MS).is_ok());
        assert_eq!(issue(0, TICKET_MS), Err(TooManyTickets), "for one user");
        assert_eq!(tickets.issued().of_user.len(), 2);
    }
}
