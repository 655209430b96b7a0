//! Which tenants there are: of each its name, under its number.
//!
//! A number is given once: the record of a tenant goes with the first batch that stores anything of it, and is never deleted. The
//! tenant of whoever names none has no record: it is number 0 everywhere.

use std::collections::BTreeMap;

use syncline_core::id::{TenantId, TenantName};

use super::{RecordError, damaged};
use crate::{
    batch::Batch,
    envelope::{self, RecordFault},
    key::{Key, Kind, Place},
    port::Store,
    walk::Walk,
};

/// Puts the name of a tenant, which it keeps for ever. It may be put again.
pub fn put_tenant(batch: &mut Batch, tenant: TenantId, name: &TenantName) {
    let key = Key::tenant_name(tenant);
    let value = envelope::seal_one(&key, name.as_str().as_bytes());
    batch.put(key, value);
}

/// The tenants of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenants {
    by_name: BTreeMap<TenantName, TenantId>,
    last: TenantId,
}

impl Tenants {
    /// Reads which there are.
    ///
    /// # Errors
    /// [`RecordError`]: the store cannot be read, or nobody can tell what is whose.
    pub fn load(store: &dyn Store) -> Result<Self, RecordError> {
        let mut by_name = BTreeMap::from([(TenantName::default(), TenantId::DEFAULT)]);
        let mut last = TenantId::DEFAULT;
        for stored in Walk::new(store, vec![Kind::Tenant as u8]) {
            let (key, value) = stored?;
            let read = envelope::open_one(&key, &value).and_then(decode);
            let name = read.map_err(|fault| damaged(key.clone(), fault))?;
            let Some(Place::Tenant(tenant)) = key.place() else {
                return Err(damaged(key, RecordFault::Malformed { what: "number of a tenant" }));
            };
            if by_name.insert(name, tenant).is_some() {
                return Err(damaged(key, RecordFault::Malformed { what: "name of two tenants" }));
            }
            last = last.max(tenant);
        }
        Ok(Self { by_name, last })
    }

    /// Returns the number of a tenant; none if nothing of it was ever stored.
    #[must_use]
    pub fn id_of(&self, name: &TenantName) -> Option<TenantId> {
        self.by_name.get(name).copied()
    }

    /// Returns the tenants, by their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&TenantName, TenantId)> {
        self.by_name.iter().map(|(name, tenant)| (name, *tenant))
    }

    /// Returns the greatest number that was given.
    #[must_use]
    pub const fn last(&self) -> TenantId {
        self.last
    }
}

/// Reads the name of a tenant from the payload of its record.
pub(crate) fn decode(payload: &[u8]) -> Result<TenantName, RecordFault> {
    let name = std::str::from_utf8(payload).ok().and_then(|text| TenantName::new(text).ok());
    name.ok_or(RecordFault::Malformed { what: "name of a tenant" })
}

#[cfg(test)]
mod tests {
    use syncline_core::id::{DocumentId, RoomName};

    use super::*;
    use crate::{
        mem::MemoryStore,
        records::put_name,
        verify::{Fault, verify},
    };

    fn named(text: &str) -> TenantName {
        TenantName::new(text).expect("a name")
    }

    fn with(tenants: &[(u32, &str)]) -> MemoryStore {
        let mut store = MemoryStore::default();
        let mut batch = Batch::new();
        tenants.iter().for_each(|(id, name)| put_tenant(&mut batch, TenantId(*id), &named(name)));
        store.commit(batch).expect("stored");
        store
    }

    #[test]
    fn tenants_are_read_as_they_were_put() {
        let empty = Tenants::load(&MemoryStore::default()).expect("read");
        let default = TenantName::default();
        assert_eq!((empty.id_of(&default), empty.last()), (Some(TenantId::DEFAULT), TenantId(0)));
        let tenants = Tenants::load(&with(&[(2, "acme"), (1, "Ünï"), (2, "acme")])).expect("read");
        let all: Vec<_> = tenants.iter().map(|(name, tenant)| (name.as_str(), tenant.0)).collect();
        assert_eq!(all, [("acme", 2), ("default", 0), ("Ünï", 1)]);
        assert_eq!((tenants.id_of(&named("other")), tenants.last()), (None, TenantId(2)));
    }

    /// With a record that is damaged, or two of one name, nobody knows what is whose.
    #[test]
    fn a_doubtful_directory_is_refused() {
        for doubtful in [&[(1, "acme"), (2, "acme")][..], &[(3, "default")]] {
            assert!(matches!(Tenants::load(&with(doubtful)), Err(RecordError::Damaged { .. })));
        }
        let mut store = with(&[(1, "acme")]);
        let mut batch = Batch::new();
        let key = Key::tenant_name(TenantId(1));
        batch.put(key.clone(), envelope::seal_one(&key, b"a\nb"));
        store.commit(batch).expect("stored");
        assert!(matches!(Tenants::load(&store), Err(RecordError::Damaged { .. })));
        assert_eq!(verify(&store).expect("read").faults.len(), 1);
    }

    /// What is stored of nobody is found, and so is each tenant that there is.
    #[test]
    fn what_is_of_no_tenant_is_a_fault() {
        let mut store = with(&[(1, "acme")]);
        assert_eq!(verify(&store).expect("read").tenants, 1);
        let mut batch = Batch::new();
        let name = RoomName::new("room").expect("a name");
        put_name(&mut batch, TenantId(7), &name, DocumentId([1; 16]));
        store.commit(batch).expect("stored");
        let faults = verify(&store).expect("read").faults;
        assert!(faults.contains(&Fault::NamelessTenant { tenant: TenantId(7) }), "{faults:?}");
    }
}
