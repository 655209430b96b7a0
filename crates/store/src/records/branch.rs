//! Of which document one began as a branch. The record goes with the first commit of the branch, in one batch.
//!
//! | bytes | payload |
//! | --- | --- |
//! | 16 | the document that it is a branch of |
//! | 8 | the commit of that one with whose state it began, u64 |
//! | 8 | when it began, in milliseconds since 1970, u64 |
//! | 2, n | its own name: length, u16, and UTF-8 |
//! | 2, n | the name of the document that it is a branch of, likewise |
//!
//! Integers are big-endian. The record stays when the other document goes, and goes with its own.

use bytes::Buf;
use syncline_core::{
    id::{CommitNumber, DocumentId, RoomName, TenantId},
    time::WallMs,
};

use super::{RecordError, damaged, read_one};
use crate::{
    batch::Batch,
    envelope::{self, RecordFault},
    key::{Key, Kind, Place, tenant_prefix},
    port::Store,
    walk::Walk,
};

/// Where a branch comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// The document that it is a branch of.
    pub of: DocumentId,
    /// The commit of that one with whose state it began.
    pub commit: CommitNumber,
    /// When it began.
    pub at: WallMs,
    /// Its own name.
    pub name: RoomName,
    /// The name of the document that it is a branch of.
    pub of_name: RoomName,
}

/// Puts where a document comes from.
pub fn put_branch(batch: &mut Batch, tenant: TenantId, document: DocumentId, branch: &Branch) {
    let key = Key::branch(tenant, document);
    let Branch { of, commit, at, name, of_name } = branch;
    let mut payload = [&of.0[..], &commit.0.to_be_bytes(), &at.0.to_be_bytes()].concat();
    for name in [name, of_name] {
        // A name has 256 bytes at most.
        let length = u16::try_from(name.as_str().len()).unwrap_or(u16::MAX);
        payload.extend_from_slice(&length.to_be_bytes());
        payload.extend_from_slice(name.as_str().as_bytes());
    }
    let value = envelope::seal_one(&key, &payload);
    batch.put(key, value);
}

/// Returns where a document comes from, if it began as a branch.
///
/// # Errors
/// [`RecordError`]: the store cannot be read, or the record is damaged.
pub fn branch(
    store: &dyn Store,
    tenant: TenantId,
    document: DocumentId,
) -> Result<Option<Branch>, RecordError> {
    read_one(store, Key::branch(tenant, document), decode_branch)
}

/// Returns all documents of `tenant` that began as branches. A name may mean another document by now.
///
/// # Errors
/// [`RecordError`]: the store cannot be read, or a record is damaged.
pub fn branches(store: &dyn Store, tenant: TenantId) -> Result<Vec<(DocumentId, Branch)>, RecordError> {
    let mut found = Vec::new();
    for stored in Walk::new(store, tenant_prefix(Kind::Branch, tenant)) {
        let (key, value) = stored?;
        let Some(Place::Record(slot)) = key.place() else {
            return Err(damaged(key, MALFORMED));
        };
        match envelope::open_one(&key, &value).and_then(decode_branch) {
            Ok(branch) => found.push((slot.document, branch)),
            Err(fault) => return Err(damaged(key, fault)),
        }
    }
    Ok(found)
}

const MALFORMED: RecordFault = RecordFault::Malformed { what: "origin of a branch" };

/// Decodes where a document comes from.
pub(crate) fn decode_branch(payload: &[u8]) -> Result<Branch, RecordFault> {
    let (of, mut rest) = payload.split_first_chunk::<16>().ok_or(MALFORMED)?;
    let mut number = || rest.try_get_u64().map_err(|_| MALFORMED);
    let (commit, at) = (number()?, number()?);
    let mut name = || {
        let length = usize::from(rest.try_get_u16().map_err(|_| MALFORMED)?);
        let (name, behind) = rest.split_at_checked(length).ok_or(MALFORMED)?;
        rest = behind;
        let name = std::str::from_utf8(name).map_err(|_| MALFORMED)?;
        RoomName::new(name).map_err(|_| MALFORMED)
    };
    let (name, of_name) = (name()?, name()?);
    if !rest.is_empty() {
        return Err(MALFORMED);
    }
    Ok(Branch { of: DocumentId(*of), commit: CommitNumber(commit), at: WallMs(at), name, of_name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mem::MemoryStore, records, verify::verify};

    const TENANT: TenantId = TenantId(3);

    fn of(n: u8, name: &str) -> Branch {
        let name = RoomName::new(name).expect("a name");
        let of_name = RoomName::new("ü").expect("a name");
        Branch { of: DocumentId([n; 16]), commit: CommitNumber(5), at: WallMs(6), name, of_name }
    }

    #[test]
    fn an_origin_is_read_as_it_was_written() {
        let mut store = MemoryStore::new();
        let mut batch = Batch::new();
        records::put_tenant(&mut batch, TENANT, &"three".parse().expect("a name"));
        let longest = of(1, &"x".repeat(256));
        put_branch(&mut batch, TENANT, DocumentId([7; 16]), &longest);
        put_branch(&mut batch, TENANT, DocumentId([8; 16]), &of(7, "a"));
        put_branch(&mut batch, TenantId(0), DocumentId([9; 16]), &of(1, "b"));
        store.commit(batch).expect("stored");
        assert_eq!(branch(&store, TENANT, DocumentId([7; 16])).expect("read"), Some(longest.clone()));
        assert_eq!(branch(&store, TENANT, DocumentId([9; 16])).expect("read"), None, "another tenant's");
        let all = branches(&store, TENANT).expect("read");
        assert_eq!(all, [(DocumentId([7; 16]), longest), (DocumentId([8; 16]), of(7, "a"))]);
        assert_eq!(verify(&store).expect("read").faults, []);
        let gone = records::document_records(&store, TENANT, DocumentId([7; 16]), 9).expect("read");
        store.commit(gone).expect("stored");
        assert_eq!(branches(&store, TENANT).expect("read"), [(DocumentId([8; 16]), of(7, "a"))]);
    }

    #[test]
    fn the_bytes_are_those_that_are_documented() {
        let key = Key::branch(TENANT, DocumentId([7; 16]));
        let mut batch = Batch::new();
        put_branch(&mut batch, TENANT, DocumentId([7; 16]), &of(1, "ab"));
        let mut store = MemoryStore::new();
        store.commit(batch).expect("stored");
        let value = store.get(&key).expect("read").expect("there");
        let payload = envelope::open_one(&key, &value).expect("sound");
        let mut want = vec![1; 16];
        want.extend([0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 2, b'a', b'b', 0, 2, 0xc3, 0xbc]);
        assert_eq!(payload, want);
        for end in 0..want.len() {
            assert_eq!(decode_branch(&want[..end]), Err(MALFORMED), "cut at {end}");
        }
        want.push(0);
        assert_eq!(decode_branch(&want), Err(MALFORMED), "something follows");
    }
}
