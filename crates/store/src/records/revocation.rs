//! Which credentials are good no longer.

use syncline_core::{
    access::{Revocation, Subject},
    id::TenantId,
};

use super::{RecordError, damaged, payload::decode_revocation};
use crate::{
    batch::Batch,
    envelope::{self, RecordFault},
    key::{Key, Kind, Place, tenant_prefix},
    port::Store,
    walk::Walk,
};

/// Puts a revocation, in place of the one of the same subject.
pub fn put_revocation(batch: &mut Batch, tenant: TenantId, revocation: &Revocation) {
    let Revocation { subject, at, until } = revocation;
    let key = Key::revocation(tenant, subject);
    let value = envelope::seal_one(&key, &[at.0.to_be_bytes(), until.0.to_be_bytes()].concat());
    batch.put(key, value);
}

/// Removes the revocation of a subject.
pub fn clear_revocation(batch: &mut Batch, tenant: TenantId, subject: &Subject) {
    batch.delete(Key::revocation(tenant, subject));
}

/// Returns all revocations of `tenant`.
///
/// # Errors
/// [`RecordError`]: the store cannot be read, or a record is damaged. Nobody can tell then who may come in.
pub fn revocations(store: &dyn Store, tenant: TenantId) -> Result<Vec<Revocation>, RecordError> {
    let mut found = Vec::new();
    for stored in Walk::new(store, tenant_prefix(Kind::Revocation, tenant)) {
        let (key, value) = stored?;
        let Some(Place::Revocation { subject, .. }) = key.place() else {
            return Err(damaged(key, RecordFault::Malformed { what: "subject of a revocation" }));
        };
        match envelope::open_one(&key, &value).and_then(decode_revocation) {
            Ok((at, until)) => found.push(Revocation { subject, at, until }),
            Err(fault) => return Err(damaged(key, fault)),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use syncline_core::{id::TenantName, time::WallMs};

    use super::*;
    use crate::{Store, mem::MemoryStore, records::put_tenant, verify::verify};

    const TENANT: TenantId = TenantId(3);

    fn of(subject: &str, at: u64) -> Revocation {
        Revocation { subject: subject.parse().unwrap(), at: WallMs(at), until: WallMs(u64::MAX) }
    }

    #[test]
    fn revocations_are_read_as_they_were_put() {
        let mut store = MemoryStore::default();
        let mut batch = Batch::new();
        for revocation in [of("user:ann/ü", 1), of("device:phone", 2), of("token:t", 3), of("user:ann/ü", 4)]
        {
            put_revocation(&mut batch, TENANT, &revocation);
        }
        put_revocation(&mut batch, TenantId(4), &of("user:bob", 1));
        for (tenant, name) in [(TENANT, "three"), (TenantId(4), "four")] {
            put_tenant(&mut batch, tenant, &TenantName::new(name).unwrap());
        }
        clear_revocation(&mut batch, TENANT, &"token:t".parse().unwrap());
        store.commit(batch).unwrap();
        assert_eq!(revocations(&store, TENANT).unwrap(), [of("device:phone", 2), of("user:ann/ü", 4)]);
        let report = verify(&store).unwrap();
        assert_eq!((report.revocations, &report.faults[..]), (3, &[][..]));
    }

    #[test]
    fn a_damaged_revocation_is_found() {
        let mut store = MemoryStore::default();
        let mut batch = Batch::new();
        put_tenant(&mut batch, TENANT, &TenantName::new("three").unwrap());
        let key = Key::revocation(TENANT, &"user:ann".parse().unwrap());
        batch.put(key.clone(), envelope::seal_one(&key, &[0; 15]));
        store.commit(batch).unwrap();
        assert!(matches!(revocations(&store, TENANT), Err(RecordError::Damaged { .. })));
        assert_eq!(verify(&store).unwrap().faults.len(), 1);
    }
}
