//! Places that tenants and users share, so that nobody keeps all others out.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use syncline_core::id::TenantName;

use super::Payer;

/// How many places there are, and how many of them one may have at the same time; nothing where that is not bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shares {
    /// All together.
    pub(crate) all: Option<usize>,
    /// One tenant.
    pub(crate) tenant: Option<usize>,
    /// One user. Where no token is asked for there are no users.
    pub(crate) user: Option<usize>,
}

/// Who has as many places as they may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UsedUp {
    All,
    Tenant,
    User,
}

impl UsedUp {
    /// Returns of whom there are so many, behind what there is, for whoever reads a refusal.
    pub(crate) const fn whose(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Tenant => " of one tenant",
            Self::User => " of one user",
        }
    }
}

/// Places, and who has them.
#[derive(Debug)]
pub(crate) struct Places {
    shares: Shares,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of_tenants: BTreeMap<TenantName, usize>,
    /// Those who have proved who they are.
    of_users: BTreeMap<Payer, usize>,
}

/// A place among others; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    of: Arc<Places>,
    payer: Payer,
}

impl Shares {
    /// Returns the shares of so many places of a server. If there may be other tenants, one has at most half of them.
    pub(crate) fn of_server(all: usize, user: Option<usize>, has_tenants: bool) -> Self {
        Self { all: Some(all), tenant: has_tenants.then_some(all / 2), user }
    }
}

impl Places {
    pub(crate) fn new(shares: Shares) -> Arc<Self> {
        Arc::new(Self { shares, taken: Mutex::default() })
    }

    /// Takes a place, or says whose are used up. Nobody waits for one.
    pub(crate) fn take(self: &Arc<Self>, payer: &Payer) -> Result<Place, UsedUp> {
        self.taken().take(self.shares, payer)?;
        Ok(Place { of: Arc::clone(self), payer: payer.clone() })
    }

    /// Nothing that runs under the lock leaves the counts half changed, so a poisoned one is still whole.
    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Who is refused has taken nothing.
    fn take(&mut self, shares: Shares, payer: &Payer) -> Result<(), UsedUp> {
        let is_full = |share: Option<usize>, taken: usize| share.is_some_and(|most| taken >= most);
        let of_tenant = self.of_tenants.get(&payer.tenant).copied().unwrap_or(0);
        let of_user = self.of_users.get(payer).copied().unwrap_or(0);
        // Who has all that they may is told so, whoever has the rest.
        if payer.user.is_some() && is_full(shares.user, of_user) {
            return Err(UsedUp::User);
        }
        if is_full(shares.tenant, of_tenant) {
            return Err(UsedUp::Tenant);
        }
        if is_full(shares.all, self.all) {
            return Err(UsedUp::All);
        }
        self.all += 1;
        self.of_tenants.insert(payer.tenant.clone(), of_tenant + 1);
        if payer.user.is_some() {
            self.of_users.insert(payer.clone(), of_user + 1);
        }
        Ok(())
    }

    fn give_back(&mut self, payer: &Payer) {
        self.all -= 1;
        one_less(&mut self.of_tenants, &payer.tenant);
        one_less(&mut self.of_users, payer);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.of.taken().give_back(&self.payer);
    }
}

/// Whoever has none any more is forgotten.
fn one_less<K: Ord>(counts: &mut BTreeMap<K, usize>, whose: &K) {
    if let Some(count) = counts.get_mut(whose) {
        *count -= 1;
        if *count == 0 {
            counts.remove(whose);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use syncline_core::entity::UserName;

    use super::*;

    const TENANTS: [&str; 3] = ["acme", "globex", "initech"];
    const USERS: [&str; 4] = ["ann", "bob", "eve", ""];

    fn payer(tenant: usize, user: usize) -> Payer {
        Payer {
            tenant: TenantName::new(TENANTS[tenant]).expect("a name"),
            user: UserName::new(USERS[user]).ok(),
        }
    }

    /// Someone wants a place, or gives back one of those that are taken.
    #[derive(Clone, Debug)]
    enum Step {
        Take { tenant: usize, user: usize },
        GiveBack(prop::sample::Index),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let take = (0..TENANTS.len(), 0..USERS.len()).prop_map(|(tenant, user)| Step::Take { tenant, user });
        let give_back = any::<prop::sample::Index>().prop_map(Step::GiveBack);
        prop::collection::vec(prop_oneof![3 => take, 1 => give_back], 0..60)
    }

    proptest! {
        /// Goal: nobody has more than their share, and nobody is refused who has less. Method: places are taken and given back in
        /// any order, and counted one by one beside it.
        #[test]
        fn everyone_has_at_most_their_share(
            steps in steps(),
            all in prop::option::of(0..9_usize),
            tenant in prop::option::of(0..5_usize),
            user in prop::option::of(0..3_usize),
        ) {
            let places = Places::new(Shares { all, tenant, user });
            let mut taken: Vec<Place> = Vec::new();
            for step in steps {
                let whose = match step {
                    Step::GiveBack(_) if taken.is_empty() => continue,
                    Step::GiveBack(at) => {
                        taken.swap_remove(at.index(taken.len()));
                        continue;
                    }
                    Step::Take { tenant, user } => payer(tenant, user),
                };
                let of_tenant = taken.iter().filter(|place| place.payer.tenant == whose.tenant).count();
                let of_user = taken.iter().filter(|place| place.payer == whose).count();
                let has_room = |share: Option<usize>, count: usize| share.is_none_or(|most| count < most);
                let want = match () {
                    () if whose.user.is_some() && !has_room(user, of_user) => Err(UsedUp::User),
                    () if !has_room(tenant, of_tenant) => Err(UsedUp::Tenant),
                    () if !has_room(all, taken.len()) => Err(UsedUp::All),
                    () => Ok(()),
                };
                let place = places.take(&whose);
                prop_assert_eq!(place.as_ref().map(|_| ()).map_err(|used_up| *used_up), want);
                taken.extend(place);
            }
            drop(taken);
            let left = places.taken();
            prop_assert!(left.all == 0 && left.of_tenants.is_empty() && left.of_users.is_empty());
        }

        /// Goal: one tenant alone keeps no other out. Method: it takes what it gets, as many users as it likes, and another comes.
        #[test]
        fn half_of_the_places_are_left_to_others(
            all in 2..40_usize,
            users in prop::collection::vec(0..USERS.len(), 0..80),
        ) {
            let places = Places::new(Shares::of_server(all, None, true));
            let taken: Vec<_> = users.into_iter().filter_map(|user| places.take(&payer(0, user)).ok()).collect();
            let mut others = Vec::new();
            while let Ok(place) = places.take(&payer(1, 0)) {
                others.push(place);
            }
            prop_assert_eq!(others.len(), all / 2);
            drop(taken);
        }
    }
}
