//! Who wrote in the documents of a name that were deleted.
//!
//! | bytes | payload |
//! | --- | --- |
//! | 0 | 0: nobody knows who; 1: those that follow |
//! | 8 each | their client ids, u64, ascending |
//!
//! Integers are big-endian. The record outlives the documents and only grows: as long as anyone may have one of them, its name
//! has to know.

use std::collections::BTreeSet;

use bytes::{Buf, Bytes};
use syncline_core::{
    id::{ClientId, RoomName, TenantId},
    log::Former,
};

use super::RecordError;
use crate::{
    assembly::{Assembly, Outcome},
    batch::Batch,
    envelope::{self, RecordFault, RecordTooLong},
    key::{Key, Place, former_prefix},
    port::Store,
    walk::Walk,
};

const EVERYONE: u8 = 0;
const CLIENTS: u8 = 1;

/// Puts who wrote in deleted documents of a name: those that were known before among them.
///
/// # Errors
/// [`RecordTooLong`] if there are too many for one record; nothing is put then.
pub fn put_former(
    batch: &mut Batch,
    tenant: TenantId,
    name: &RoomName,
    former: &Former,
) -> Result<(), RecordTooLong> {
    let payload = match former {
        Former::Everyone => vec![EVERYONE],
        Former::Clients(clients) => {
            let ids = clients.iter().flat_map(|client| client.0.to_be_bytes());
            [CLIENTS].into_iter().chain(ids).collect()
        }
    };
    // Chunks of a longer one may be left: no head claims them, so they are passed over.
    for (key, value) in envelope::seal(|chunk| Key::former(tenant, name, chunk), &payload)? {
        batch.put(key, value);
    }
    Ok(())
}

/// Returns who wrote in deleted documents of a name.
///
/// # Errors
/// [`RecordError`]: the store cannot be read, or the record is damaged.
pub fn former(store: &dyn Store, tenant: TenantId, name: &RoomName) -> Result<Former, RecordError> {
    let head = Key::former(tenant, name, 0);
    let mut assembly = Assembly::default();
    for found in Walk::new(store, former_prefix(tenant, name)) {
        let (key, value) = found?;
        if let Some(Place::Former { chunk, .. }) = key.place() {
            assembly.push(&key, (), chunk, value);
        }
    }
    let damaged = |source| RecordError::Damaged { key: head.clone(), source };
    match assembly.finish().map(|finished| finished.outcome) {
        Some(Outcome::Whole { payload, .. }) => decode_former(payload).map_err(damaged),
        Some(Outcome::Faulty(fault)) => Err(damaged(fault)),
        Some(Outcome::Garbage { .. }) | None => Ok(Former::default()),
    }
}

/// Decodes who wrote in deleted documents of a name.
pub(crate) fn decode_former(mut payload: Bytes) -> Result<Former, RecordFault> {
    const FORMER: RecordFault = RecordFault::Malformed { what: "list of former clients" };
    match payload.try_get_u8().map_err(|_| FORMER)? {
        EVERYONE if payload.is_empty() => Ok(Former::Everyone),
        CLIENTS => {
            let ids = payload.chunks_exact(8);
            if !ids.remainder().is_empty() {
                return Err(FORMER);
            }
            let ids: BTreeSet<_> = ids.map(|mut id| ClientId(id.get_u64())).collect();
            Ok(Former::Clients(ids))
        }
        _ => Err(FORMER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mem::MemoryStore, records, verify::verify};

    const TENANT: TenantId = TenantId(3);

    fn name(text: &str) -> RoomName {
        RoomName::new(text).expect("a name")
    }

    fn clients(ids: std::ops::Range<u64>) -> Former {
        Former::Clients(ids.map(ClientId).collect())
    }

    /// Of one name they are, however many; of one that begins with it, or is another tenant's, they are not.
    #[test]
    fn former_clients_are_of_one_name() {
        let mut store = MemoryStore::new();
        let mut batch = Batch::new();
        records::put_tenant(&mut batch, TENANT, &"three".parse().expect("a name"));
        for (of, former) in [("a", clients(1..5_000)), ("ab", clients(7..9)), ("b", Former::Everyone)] {
            put_former(&mut batch, TENANT, &name(of), &former).expect("it fits");
        }
        store.commit(batch).expect("stored");
        let read = |tenant, of| former(&store, tenant, &name(of)).expect("read");
        assert_eq!(read(TENANT, "a"), clients(1..5_000));
        assert_eq!(read(TENANT, "ab"), clients(7..9));
        assert_eq!(read(TENANT, "b"), Former::Everyone);
        assert_eq!(read(TENANT, "abc"), Former::default());
        assert_eq!(read(TenantId(4), "a"), Former::default());
        assert_eq!(verify(&store).expect("read").faults, []);
    }

    #[test]
    fn what_is_known_of_them_only_grows() {
        let mut store = MemoryStore::new();
        for former in [clients(1..3), clients(1..2_000), Former::Everyone] {
            let mut batch = Batch::new();
            put_former(&mut batch, TENANT, &name("a"), &former).expect("it fits");
            store.commit(batch).expect("stored");
            assert_eq!(super::former(&store, TENANT, &name("a")).expect("read"), former);
        }
    }

    #[test]
    fn only_what_was_written_is_read() {
        assert_eq!(decode_former(Bytes::from_static(b"\0")), Ok(Former::Everyone));
        assert_eq!(decode_former(Bytes::from_static(b"\x01\0\0\0\0\0\0\0\x07")), Ok(clients(7..8)));
        for wrong in [&b""[..], b"\0\0", b"\x01\0", b"\x02"] {
            assert!(decode_former(Bytes::copy_from_slice(wrong)).is_err(), "{wrong:?}");
        }
    }
}
