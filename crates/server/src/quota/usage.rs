//! What tenants and users have open and stored.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use syncline_core::id::{TenantId, TenantName};
use syncline_protocol::RoomLimits;
use syncline_store::metered::StoredBytes;

use super::{Limit, Payer, Quota};

/// What tenants and users have open and stored, and how much of it they may.
#[derive(Debug)]
pub(crate) struct Usage {
    quota: Quota,
    /// There if it is counted.
    stored: OnceLock<StoredBytes>,
    connections: Mutex<Connections>,
}

#[derive(Debug, Default)]
struct Connections {
    of_tenants: BTreeMap<TenantName, usize>,
    /// Those who have proved who they are.
    of_users: BTreeMap<Payer, usize>,
}

/// The place of a connection among those of its user and tenant; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Place {
    usage: Arc<Usage>,
    payer: Payer,
}

impl Usage {
    pub(crate) fn new(quota: &Quota) -> Arc<Self> {
        Arc::new(Self { quota: quota.clone(), stored: OnceLock::new(), connections: Mutex::default() })
    }

    /// Takes the place of a connection, or says of which there are too many.
    pub(crate) fn place(self: &Arc<Self>, payer: &Payer) -> Result<Place, Limit> {
        let mut connections = self.connections();
        let Connections { of_tenants, of_users } = &mut *connections;
        let of_tenant = of_tenants.entry(payer.tenant.clone()).or_default();
        if self.quota.tenant_connections.is_some_and(|max| *of_tenant >= max) {
            return Err(Limit::TenantConnections);
        }
        if payer.user.is_some() {
            let of_user = of_users.get(payer).copied().unwrap_or(0);
            if self.quota.user_connections.is_some_and(|max| of_user >= max) {
                return Err(Limit::UserConnections);
            }
            of_users.insert(payer.clone(), of_user + 1);
        }
        *of_tenant += 1;
        Ok(Place { usage: Arc::clone(self), payer: payer.clone() })
    }

    /// Returns whether a tenant that has so many rooms open may open another.
    pub(crate) fn may_open(&self, rooms: usize) -> bool {
        self.quota.tenant_rooms.is_none_or(|max| rooms < max)
    }

    /// Returns to what bounds a room keeps.
    pub(crate) fn room_limits(&self) -> RoomLimits {
        let usual = RoomLimits::default();
        RoomLimits { document_bytes_max: self.quota.document_bytes.unwrap_or(usize::MAX), ..usual }
    }

    /// Returns whether how much is stored has to be counted.
    pub(crate) fn counts_stored(&self) -> bool {
        self.quota.tenant_stored_bytes.is_some()
    }

    /// Says where it is counted how much is stored.
    pub(crate) fn stored_is_counted(&self, stored: StoredBytes) {
        // It is the same the second time.
        let _ = self.stored.set(stored);
    }

    /// Returns how much a tenant has stored, in bytes; 0 if nobody counts it.
    pub(crate) fn stored_bytes(&self, tenant: TenantId) -> u64 {
        self.stored.get().map_or(0, |stored| stored.of(tenant))
    }

    /// Returns how much all tenants have stored together, in bytes; 0 if nobody counts it.
    pub(crate) fn all_stored_bytes(&self) -> u64 {
        self.stored.get().map_or(0, StoredBytes::all)
    }

    /// Returns whether a tenant has as much stored as it may.
    pub(crate) fn is_full(&self, tenant: TenantId) -> bool {
        self.quota.tenant_stored_bytes.is_some_and(|max| self.stored_bytes(tenant) >= max)
    }

    /// Nothing that runs under the lock leaves the counts half changed, so a poisoned one is still whole.
    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections = self.usage.connections();
        let Connections { of_tenants, of_users } = &mut *connections;
        give_back(of_tenants, &self.payer.tenant);
        give_back(of_users, &self.payer);
    }
}

fn give_back<K: Ord>(counts: &mut BTreeMap<K, usize>, whose: &K) {
    if let Some(count) = counts.get_mut(whose) {
        *count -= 1;
        if *count == 0 {
            counts.remove(whose);
        }
    }
}

#[cfg(test)]
mod tests {
    use syncline_core::entity::UserName;

    use super::*;

    #[test]
    fn users_and_their_tenant_have_so_many_places() {
        let mut quota = Quota::default();
        (quota.user_connections, quota.tenant_connections) = (Some(2), Some(3));
        let usage = Usage::new(&quota);
        let of = |name: &str| Payer { tenant: TenantName::default(), user: UserName::new(name).ok() };
        let (ann, bob, nobody) = (of("ann"), of("bob"), of(""));
        let first = usage.place(&ann).expect("a place");
        let second = usage.place(&ann).expect("a place");
        assert_eq!(usage.place(&ann).err(), Some(Limit::UserConnections));
        let third = usage.place(&nobody).expect("whoever is nobody is not counted as one");
        assert_eq!(usage.place(&bob).err(), Some(Limit::TenantConnections));
        drop(first);
        let fourth = usage.place(&bob).expect("a place");
        assert_eq!(usage.place(&nobody).err(), Some(Limit::TenantConnections));
        drop((second, third, fourth));
        let connections = usage.connections();
        assert!(connections.of_tenants.is_empty() && connections.of_users.is_empty(), "nobody is remembered");
    }
}
