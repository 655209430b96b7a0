//! A page: what a ledger has written together, as one record of the store.
//!
//! | bytes | of each thing |
//! | --- | --- |
//! | 0..2 | its name, in bytes, u16 |
//! | 2..6 | its bytes and one more, u32; 0 if the thing is there no more |
//! | 6.. | its name, then its bytes |
//!
//! Integers are big-endian. No name is in a page twice.

use bytes::{Buf, Bytes};

use crate::envelope::RecordFault;

/// Bytes of a thing besides its name and its own.
const HEADER_BYTES: usize = 6;

/// A thing as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: Bytes,
    /// None if the thing is there no more.
    pub(super) bytes: Option<Bytes>,
}

/// Adds a thing to a page, and returns how many bytes that takes.
///
/// # Panics
/// If the name has 2^16 bytes or more, or the thing 2^32: no ledger has either.
pub(super) fn push(page: &mut Vec<u8>, name: &[u8], bytes: Option<&[u8]>) -> u32 {
    let start = page.len();
    page.extend(u16::try_from(name.len()).expect("names are short").to_be_bytes());
    let length = bytes.map_or(0, |bytes| bytes.len().saturating_add(1));
    page.extend(u32::try_from(length).expect("a thing is far shorter").to_be_bytes());
    page.extend_from_slice(name);
    page.extend_from_slice(bytes.unwrap_or_default());
    (page.len() - start) as u32
}

/// Returns how many bytes a thing takes in a page.
pub(super) fn taken(entry: &Entry) -> u32 {
    (HEADER_BYTES + entry.name.len() + entry.bytes.as_ref().map_or(0, Bytes::len)) as u32
}

/// Returns what a page holds; nothing is copied.
pub(super) fn entries(mut page: Bytes) -> Result<Vec<Entry>, RecordFault> {
    let mut entries = Vec::new();
    while !page.is_empty() {
        entries.push(entry(&mut page).ok_or(RecordFault::Malformed { what: "page of a ledger" })?);
    }
    Ok(entries)
}

fn entry(page: &mut Bytes) -> Option<Entry> {
    if page.len() < HEADER_BYTES {
        return None;
    }
    let (name, bytes) = (page.get_u16() as usize, page.get_u32() as usize);
    let is_whole = page.len() >= name.checked_add(bytes.saturating_sub(1))?;
    is_whole.then(|| Entry {
        name: page.split_to(name),
        bytes: bytes.checked_sub(1).map(|bytes| page.split_to(bytes)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_documented_bytes() {
        let mut page = Vec::new();
        assert_eq!(push(&mut page, b"ab", Some(b"c")), 9);
        assert_eq!(push(&mut page, b"d", None), 7);
        assert_eq!(push(&mut page, b"e", Some(b"")), 7);
        assert_eq!(page, b"\0\x02\0\0\0\x02abc\0\x01\0\0\0\0d\0\x01\0\0\0\x01e");
        let entry = |name: &'static [u8], bytes: Option<&'static [u8]>| Entry {
            name: Bytes::from_static(name),
            bytes: bytes.map(Bytes::from_static),
        };
        let want = vec![entry(b"ab", Some(b"c")), entry(b"d", None), entry(b"e", Some(b""))];
        assert_eq!(want.iter().map(taken).collect::<Vec<_>>(), [9, 7, 7]);
        assert_eq!(entries(page.clone().into()).expect("it was just written"), want);
        for cut in [1, 5, 6, 8, 15] {
            assert!(entries(page[..cut].to_vec().into()).is_err(), "{cut}");
        }
        assert!(entries(vec![0xff; 6].into()).is_err());
    }
}
