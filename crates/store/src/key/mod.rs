//! Keys: where each record lives, and the order in which a scan meets them.
//!
//! A key is one of three shapes; integers are big-endian so that byte order is number order.
//!
//! | bytes | name | every other kind |
//! | --- | --- | --- |
//! | 0 | kind, 1 | kind, 2 to 5 |
//! | 1..5 | tenant, u32 | tenant, u32 |
//! | 5..21 | the room's name, UTF-8, to the end | document id |
//! | 21..29 | | commit number, u64; 0 where a document has one such record |
//! | 29..31 | | chunk, u16; 0 is the head |
//!
//! Kind 9 belongs to no document: its document id is 0. Kind 10, the name of a tenant, has nothing after the tenant. There is
//! no key without a tenant, and no way to make one.
//!
//! Kind 7, what a ledger keeps, has after the tenant the name of a page, to the last two bytes, and then the chunk. No name is
//! the beginning of another. Kind 8, a revocation, has after the tenant whose credentials are revoked, to the end: `user:NAME`,
//! `device:ID` or `token:ID`, UTF-8.
//!
//! Kind 15, who wrote in deleted documents of a name, has after the tenant the name, a 0, and the chunk. No name holds a 0.
//!
//! Kinds 17 and 18, what hooks are to be told, have after the commit number a byte for the event (1: created, 2: changed, 3: deleted) and
//! the name of the hook, to the end. Of kind 18 is what outlives the document: that it was deleted.
//!
//! Kind 0 belongs to the engines, which hide it. Snapshots sort before logs, so that one pass over all keys knows
//! which commits a snapshot covers before it meets them.

mod kind;
mod place;

use syncline_core::{
    access::Subject,
    hook::{HookEvent, HookMarkId, HookName},
    id::{CommitNumber, DocumentId, RoomName, TenantId},
};

pub use self::{
    kind::Kind,
    place::{Place, Slot},
};

const NAME_AT: usize = 5;
const RECORD_BYTES: usize = 31;

/// A key of the store. Keys order as their bytes do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Vec<u8>);

impl Key {
    /// Returns the key that says which document `name` means.
    #[must_use]
    pub fn name(tenant: TenantId, name: &RoomName) -> Self {
        let mut bytes = names_prefix(tenant);
        bytes.extend_from_slice(name.as_str().as_bytes());
        Self(bytes)
    }

    /// Returns the key of one chunk of a snapshot.
    #[must_use]
    pub fn snapshot(tenant: TenantId, document: DocumentId, number: CommitNumber, chunk: u16) -> Self {
        Self::record(Slot { kind: Kind::Snapshot, tenant, document, number, chunk })
    }

    /// Returns the key of one chunk of a log record.
    #[must_use]
    pub fn log(tenant: TenantId, document: DocumentId, number: CommitNumber, chunk: u16) -> Self {
        Self::record(Slot { kind: Kind::Log, tenant, document, number, chunk })
    }

    /// Returns the key of the marker that a load has begun.
    #[must_use]
    pub fn loading(tenant: TenantId, document: DocumentId) -> Self {
        Self::record(Slot { kind: Kind::Loading, tenant, document, number: CommitNumber(0), chunk: 0 })
    }

    /// Returns the key of the count of failed loads.
    #[must_use]
    pub fn failed_loads(tenant: TenantId, document: DocumentId) -> Self {
        Self::record(Slot { kind: Kind::FailedLoads, tenant, document, number: CommitNumber(0), chunk: 0 })
    }

    /// Returns the key of the time of the last commit that the snapshot covers.
    #[must_use]
    pub fn edited(tenant: TenantId, document: DocumentId) -> Self {
        Self::record(Slot { kind: Kind::Edited, tenant, document, number: CommitNumber(0), chunk: 0 })
    }

    /// Returns the key of where a document comes from that began as a branch.
    #[must_use]
    pub fn branch(tenant: TenantId, document: DocumentId) -> Self {
        Self::record(Slot { kind: Kind::Branch, tenant, document, number: CommitNumber(0), chunk: 0 })
    }

    /// Returns the key of the marker that something of the tenant was erased.
    #[must_use]
    pub fn erased(tenant: TenantId) -> Self {
        let document = DocumentId([0; 16]);
        Self::record(Slot { kind: Kind::Erased, tenant, document, number: CommitNumber(0), chunk: 0 })
    }

    /// Returns the key of one chunk of a page of what the ledger of `tenant` keeps. No name may be the beginning of another.
    #[must_use]
    pub fn ledger(tenant: TenantId, name: &[u8], chunk: u16) -> Self {
        let mut bytes = ledger_prefix(tenant);
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(&chunk.to_be_bytes());
        Self(bytes)
    }

    /// Returns the key of the revocation of the credentials of `subject`.
    #[must_use]
    pub fn revocation(tenant: TenantId, subject: &Subject) -> Self {
        let mut bytes = tenant_prefix(Kind::Revocation, tenant);
        bytes.extend_from_slice(subject.to_string().as_bytes());
        Self(bytes)
    }

    /// Returns the key of the name of a tenant.
    #[must_use]
    pub fn tenant_name(tenant: TenantId) -> Self {
        Self(tenant_prefix(Kind::Tenant, tenant))
    }

    /// Returns the key of one chunk of who wrote in deleted documents of a name.
    #[must_use]
    pub fn former(tenant: TenantId, name: &RoomName, chunk: u16) -> Self {
        let mut bytes = former_prefix(tenant, name);
        bytes.extend_from_slice(&chunk.to_be_bytes());
        Self(bytes)
    }

    /// Returns the key of what a hook is to be told.
    #[must_use]
    pub fn hook(hook: &HookName, id: &HookMarkId) -> Self {
        let (kind, event) = match id.event {
            HookEvent::Created => (Kind::Hook, 1),
            HookEvent::Changed => (Kind::Hook, 2),
            HookEvent::Deleted => (Kind::HookEnd, 3),
        };
        let mut bytes = document_prefix(kind, id.tenant, id.document);
        bytes.extend_from_slice(&id.commit.0.to_be_bytes());
        bytes.push(event);
        bytes.extend_from_slice(hook.as_str().as_bytes());
        Self(bytes)
    }

    /// Takes the bytes of a key back from an engine, whatever they are.
    #[must_use]
    pub fn from_stored(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// Returns the bytes that an engine stores and orders by.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the least key after this one: where a scan goes on.
    #[must_use]
    pub fn successor(&self) -> Self {
        let mut bytes = self.0.clone();
        bytes.push(0);
        Self(bytes)
    }

    /// Returns what the key says, or `None` if no constructor of this type made it.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        Place::of(&self.0)
    }

    /// Returns whose the key is; nothing if it is none that could be written here.
    #[must_use]
    pub fn tenant(&self) -> Option<TenantId> {
        let (tenant, _) = self.0.get(1..)?.split_first_chunk::<4>()?;
        Some(TenantId(u32::from_be_bytes(*tenant)))
    }

    pub(crate) fn record(slot: Slot) -> Self {
        let mut bytes = document_prefix(slot.kind, slot.tenant, slot.document);
        bytes.extend_from_slice(&slot.number.0.to_be_bytes());
        bytes.extend_from_slice(&slot.chunk.to_be_bytes());
        debug_assert_eq!(bytes.len(), RECORD_BYTES);
        Self(bytes)
    }
}

/// Returns what every name of `tenant` begins with.
#[must_use]
pub fn names_prefix(tenant: TenantId) -> Vec<u8> {
    let bytes = tenant_prefix(Kind::Name, tenant);
    debug_assert_eq!(bytes.len(), NAME_AT);
    bytes
}

/// Returns what every key of who wrote in deleted documents of a name begins with.
#[must_use]
pub fn former_prefix(tenant: TenantId, name: &RoomName) -> Vec<u8> {
    let mut bytes = tenant_prefix(Kind::Former, tenant);
    bytes.extend_from_slice(name.as_str().as_bytes());
    bytes.push(0);
    bytes
}

/// Returns what every key of the ledger of `tenant` begins with.
#[must_use]
pub fn ledger_prefix(tenant: TenantId) -> Vec<u8> {
    tenant_prefix(Kind::Ledger, tenant)
}

/// Returns what every key of one kind of `tenant` begins with.
#[must_use]
pub fn tenant_prefix(kind: Kind, tenant: TenantId) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(RECORD_BYTES);
    bytes.push(kind as u8);
    bytes.extend_from_slice(&tenant.0.to_be_bytes());
    bytes
}

/// Returns what every record of one kind and one document begins with.
#[must_use]
pub fn document_prefix(kind: Kind, tenant: TenantId, document: DocumentId) -> Vec<u8> {
    let mut bytes = tenant_prefix(kind, tenant);
    bytes.extend_from_slice(&document.0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId(0x0102_0304);
    const DOCUMENT: DocumentId = DocumentId([0xaa; 16]);

    #[test]
    fn keys_have_the_documented_bytes() {
        let log = Key::log(TENANT, DOCUMENT, CommitNumber(5), 6);
        let mut want = vec![3, 1, 2, 3, 4];
        want.extend([0xaa; 16]);
        want.extend([0, 0, 0, 0, 0, 0, 0, 5, 0, 6]);
        assert_eq!(log.as_bytes(), want);

        let (hook, event) = (HookName::new("ab").unwrap(), HookEvent::Changed);
        let id = HookMarkId { tenant: TENANT, document: DOCUMENT, commit: CommitNumber(5), event };
        let mut want = vec![17, 1, 2, 3, 4];
        want.extend([0xaa; 16]);
        want.extend([0, 0, 0, 0, 0, 0, 0, 5, 2, b'a', b'b']);
        assert_eq!(Key::hook(&hook, &id).as_bytes(), want);

        let name = Key::name(TENANT, &RoomName::new("a/ü").unwrap());
        assert_eq!(name.as_bytes(), b"\x01\x01\x02\x03\x04a/\xc3\xbc");
    }

    #[test]
    fn a_key_says_what_it_was_made_of() {
        let slot = |kind, number, chunk| {
            Place::Record(Slot {
                kind,
                tenant: TENANT,
                document: DOCUMENT,
                number: CommitNumber(number),
                chunk,
            })
        };
        let check = |key: Key, want: Option<Place>| assert_eq!(key.place(), want, "{key:?}");
        check(Key::snapshot(TENANT, DOCUMENT, CommitNumber(7), 9), Some(slot(Kind::Snapshot, 7, 9)));
        check(
            Key::log(TENANT, DOCUMENT, CommitNumber(u64::MAX), u16::MAX),
            Some(slot(Kind::Log, u64::MAX, u16::MAX)),
        );
        check(Key::loading(TENANT, DOCUMENT), Some(slot(Kind::Loading, 0, 0)));
        check(Key::failed_loads(TENANT, DOCUMENT), Some(slot(Kind::FailedLoads, 0, 0)));
        check(Key::edited(TENANT, DOCUMENT), Some(slot(Kind::Edited, 0, 0)));
        let name = RoomName::new("room").unwrap();
        check(Key::name(TENANT, &name), Some(Place::Name { tenant: TENANT, name }));
        check(Key::from_stored(b""), None);
        check(Key::from_stored(b"\x01\0\0\0\0"), None);
        check(Key::from_stored(b"\x01\0\0\0\0\xff"), None);
        let thing = |chunk| Place::Ledger { tenant: TENANT, name: b"r".to_vec(), chunk };
        check(Key::ledger(TENANT, b"r", 0x0102), Some(thing(0x0102)));
        check(Key::from_stored(b"\x07\0\0\0\0\0\0"), None);
        let subject: Subject = "user:ann".parse().unwrap();
        let revoked = Key::revocation(TENANT, &subject);
        assert_eq!(revoked.as_bytes(), b"\x08\x01\x02\x03\x04user:ann");
        check(revoked, Some(Place::Revocation { tenant: TENANT, subject }));
        check(Key::from_stored(b"\x08\0\0\0\0ann"), None);
        assert_eq!(Key::tenant_name(TENANT).as_bytes(), b"\x0a\x01\x02\x03\x04");
        check(Key::tenant_name(TENANT), Some(Place::Tenant(TENANT)));
        check(Key::tenant_name(TENANT).successor(), None);
        let name = RoomName::new("a").unwrap();
        let former = Key::former(TENANT, &name, 7);
        assert_eq!(former.as_bytes(), b"\x0f\x01\x02\x03\x04a\0\0\x07");
        check(former, Some(Place::Former { tenant: TENANT, name, chunk: 7 }));
        check(Key::from_stored(b"\x0f\x01\x02\x03\x04a\x01\0\x07"), None);
        for event in HookEvent::ALL {
            let hook = HookName::new("search").unwrap();
            let id = HookMarkId { tenant: TENANT, document: DOCUMENT, commit: CommitNumber(7), event };
            check(Key::hook(&hook, &id), Some(Place::Hook { id, hook }));
        }
        check(Key::from_stored(b"\x0b\0\0\0\0"), None);
        check(Key::log(TENANT, DOCUMENT, CommitNumber(1), 0).successor(), None);
    }

    #[test]
    fn keys_order_by_number_and_then_by_chunk() {
        let key = |number, chunk| Key::log(TENANT, DOCUMENT, CommitNumber(number), chunk);
        assert!(key(1, u16::MAX) < key(2, 0));
        assert!(key(255, 0) < key(256, 0));
        assert!(Key::snapshot(TENANT, DOCUMENT, CommitNumber(u64::MAX), 0) < key(0, 0));
        assert!(key(1, 0) < key(1, 0).successor() && key(1, 0).successor() < key(1, 1));
    }
}
