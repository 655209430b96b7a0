//! What tenants and users have open and stored.

use std::sync::{Arc, OnceLock};

use syncline_core::id::TenantId;
use syncline_protocol::RoomLimits;
use syncline_store::metered::StoredBytes;

use super::{Limit, Payer, Place, Places, Quota, Shares, UsedUp};

/// What tenants and users have open and stored, and how much of it they may.
#[derive(Debug)]
pub(crate) struct Usage {
    quota: Quota,
    /// There if it is counted.
    stored: OnceLock<StoredBytes>,
    /// How many there may be in all is for who accepts them.
    connections: Arc<Places>,
}

impl Usage {
    pub(crate) fn new(quota: &Quota) -> Arc<Self> {
        let shares = Shares { all: None, tenant: quota.tenant_connections, user: quota.user_connections };
        Arc::new(Self { quota: quota.clone(), stored: OnceLock::new(), connections: Places::new(shares) })
    }

    /// Takes the place of a connection among those of its user and tenant, or says of which there are too many.
    pub(crate) fn place(&self, payer: &Payer) -> Result<Place, Limit> {
        self.connections.take(payer).map_err(|used_up| match used_up {
            UsedUp::User => Limit::UserConnections,
            UsedUp::Tenant | UsedUp::All => Limit::TenantConnections,
        })
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
}

#[cfg(test)]
mod tests {
    use syncline_core::{entity::UserName, id::TenantName};

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
    }
}
