//! Automerge changes without the hashes that follow from others.
//!
//! A change begins with four bytes of its SHA-256, and names the changes that it follows by theirs, in full. A change of one key is
//! hardly longer than that, and hashes do not compress. Of changes that stand one behind the other they can be computed:
//!
//! | bytes | of what is shortened, again and again until it ends |
//! | --- | --- |
//! | var + n | bytes that stand as they were: how many, and the bytes. They end it, or a change comes next: |
//! | var | how many changes it follows |
//! | var | for each of them how many changes before this one it stands, 1 for the last one; or 0, and its 32 bytes |
//! | var + n | what the change says besides: how many bytes, and the bytes |
//!
//! `var` is a number as [`write_var`] writes it, which is how automerge writes lengths. What a change is:
//! `syncline_core::guard::automerge`. Whatever is not written just so stands as it was.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use syncline_core::codec::{DecodeError, Reader, write_var};

pub(super) type Hash = [u8; HASH_BYTES];

const HASH_BYTES: usize = 32;
const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
/// Bytes of its hash that a chunk begins with, behind the magic ones.
const CHECKED_BYTES: usize = 4;
/// The kind of a chunk that is a change, not packed.
const CHANGE: u8 = 1;
/// How many times over the bytes are hashed, at most: within what looks like a change others may seem to begin.
const HASHED_MAX: usize = 2;

/// A change as it stands between other bytes.
struct Change<'a> {
    /// How long it is.
    bytes: usize,
    hash: Hash,
    follows: &'a [Hash],
    rest: &'a [u8],
}

/// The changes that were written.
#[derive(Default)]
struct Known {
    count: usize,
    /// The last place of each, counted from 0.
    places: HashMap<Hash, usize>,
}

impl Known {
    fn write(&mut self, change: &Change<'_>, short: &mut Vec<u8>) {
        write_var(change.follows.len() as u64, short);
        for hash in change.follows {
            match self.places.get(hash) {
                Some(place) => write_var((self.count - place) as u64, short),
                None => {
                    short.push(0);
                    short.extend_from_slice(hash);
                }
            }
        }
        write_bytes(change.rest, short);
        self.places.insert(change.hash, self.count);
        self.count += 1;
    }
}

/// Returns the bytes without hashes that can be computed; nothing if there are none.
pub(super) fn shortened(bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut short, mut known) = (Vec::new(), Known::default());
    let (mut plain, mut at, mut hashed_max) = (0, 0, HASHED_MAX * bytes.len());
    while let Some(next) = bytes[at..].windows(MAGIC.len()).position(|bytes| bytes == MAGIC) {
        at += next;
        let Some(change) = read(&bytes[at..], &mut hashed_max) else {
            at += 1;
            continue;
        };
        write_bytes(&bytes[plain..at], &mut short);
        known.write(&change, &mut short);
        at += change.bytes;
        plain = at;
    }
    write_bytes(&bytes[plain..], &mut short);
    (known.count > 0).then_some(short)
}

/// Returns what was shortened.
///
/// # Errors
/// [`DecodeError`] if it was not.
pub(super) fn whole(short: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let (mut bytes, mut hashes) = (Vec::new(), Vec::new());
    let mut reader = Reader::new(short);
    loop {
        bytes.extend_from_slice(read_bytes(&mut reader)?);
        if reader.bytes_left() == 0 {
            return Ok(bytes);
        }
        let body = read_change(&mut reader, &hashes)?;
        let chunk = chunk(&body);
        let hash = hash(&chunk);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&hash[..CHECKED_BYTES]);
        bytes.extend_from_slice(&chunk);
        hashes.push(hash);
    }
}

/// Reads the change that bytes begin with, if it is written as automerge writes it, and so many bytes may be hashed.
fn read<'a>(bytes: &'a [u8], hashed_max: &mut usize) -> Option<Change<'a>> {
    let mut reader = Reader::new(bytes);
    reader.take(MAGIC.len()).ok()?;
    let checked = reader.take(CHECKED_BYTES).ok()?;
    let chunk_at = reader.at();
    if reader.byte().ok()? != CHANGE {
        return None;
    }
    let mut body = Reader::new(read_bytes(&mut reader).ok()?);
    *hashed_max = hashed_max.checked_sub(reader.at())?;
    let hash = hash(&bytes[chunk_at..reader.at()]);
    let follows = body.count(HASH_BYTES).ok()?;
    let (follows, _) = body.take(follows * HASH_BYTES).ok()?.as_chunks();
    let rest = body.take(body.bytes_left()).ok()?;
    hash.starts_with(checked).then_some(Change { bytes: reader.at(), hash, follows, rest })
}

/// Reads the body of a change. `hashes` are those of the changes before it.
fn read_change(reader: &mut Reader<'_>, hashes: &[Hash]) -> Result<Vec<u8>, DecodeError> {
    let follows = reader.count(1)?;
    let mut body = Vec::new();
    write_var(follows as u64, &mut body);
    for _ in 0..follows {
        match reader.var()? {
            0 => body.extend_from_slice(reader.take(HASH_BYTES)?),
            back => {
                let number = usize::try_from(back).ok().and_then(|back| hashes.len().checked_sub(back));
                let number = number.ok_or(DecodeError::Range { at: reader.at() })?;
                body.extend_from_slice(&hashes[number]);
            }
        }
    }
    body.extend_from_slice(read_bytes(reader)?);
    Ok(body)
}

/// Returns what the hash of a change with this body is taken of.
fn chunk(body: &[u8]) -> Vec<u8> {
    let mut chunk = vec![CHANGE];
    write_bytes(body, &mut chunk);
    chunk
}

fn hash(chunk: &[u8]) -> Hash {
    Sha256::digest(chunk).into()
}

fn write_bytes(bytes: &[u8], to: &mut Vec<u8>) {
    write_var(bytes.len() as u64, to);
    to.extend_from_slice(bytes);
}

fn read_bytes<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let bytes = reader.count(1)?;
    reader.take(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::{collection::vec, prelude::*, sample::Index};

    use super::*;

    /// A change that follows others, as automerge writes it, and its hash.
    pub(in crate::records) fn change(follows: &[Hash], rest: &[u8]) -> (Hash, Vec<u8>) {
        let mut body = Vec::new();
        write_var(follows.len() as u64, &mut body);
        body.extend(follows.concat());
        body.extend_from_slice(rest);
        let chunk = chunk(&body);
        let hash = hash(&chunk);
        (hash, [&MAGIC, &hash[..CHECKED_BYTES], &chunk].concat())
    }

    /// Changes, each of which follows some of those before it and perhaps one that is not among them, or is there for a second time. Other
    /// bytes are between them.
    fn changes() -> impl Strategy<Value = Vec<u8>> {
        let new = (vec(any::<Index>(), 0..3), any::<bool>(), vec(any::<u8>(), 0..300));
        let one = prop_oneof![3 => new.prop_map(Ok), 1 => any::<Index>().prop_map(Err)];
        vec((vec(any::<u8>(), 0..9), one), 0..12).prop_map(|made| {
            let mut changes = Vec::<(Hash, Vec<u8>)>::new();
            let mut bytes = Vec::new();
            for (plain, one) in made {
                let before = |index: Index| (!changes.is_empty()).then(|| index.get(&changes).clone());
                let next = match one {
                    Err(again) => before(again),
                    Ok((follows, follows_another, rest)) => {
                        let known = follows.into_iter().filter_map(before).map(|(hash, _)| hash);
                        let other = follows_another.then_some([7; HASH_BYTES]);
                        Some(change(&known.chain(other).collect::<Vec<_>>(), &rest))
                    }
                };
                bytes.extend(plain);
                bytes.extend(next.iter().flat_map(|(_, change)| change));
                changes.extend(next);
            }
            bytes
        })
    }

    proptest! {
        #[test]
        fn what_was_shortened_comes_back(bytes in changes(), flips in vec((any::<Index>(), any::<u8>()), 0..3)) {
            let mut bytes = bytes;
            for (index, byte) in flips {
                if let Some(at) = (!bytes.is_empty()).then(|| index.index(bytes.len())) {
                    bytes[at] = byte;
                }
            }
            if let Some(short) = shortened(&bytes) {
                prop_assert_eq!(whole(&short), Ok(bytes));
            }
        }

        #[test]
        fn whatever_is_stored_is_read_or_refused(bytes in vec(any::<u8>(), 0..300), of in changes(), cut: Index) {
            let _ = whole(&bytes);
            if let Some(short) = shortened(&of) {
                let _ = whole(&short[..cut.index(short.len())]);
                let _ = whole(&[&short[..cut.index(short.len())], &bytes].concat());
            }
        }
    }

    #[test]
    fn hashes_of_changes_before_are_left_out() {
        let (first, one) = change(&[], b"one");
        let (_, two) = change(&[first], b"two");
        let short = shortened(&[one, b"between".to_vec(), two].concat()).expect("two changes");
        assert_eq!(short, b"\0\0\x03one\x07between\x01\x01\x03two\0");
    }

    /// Each would be hashed up to the end: of a megabyte of them, many gigabytes.
    #[test]
    fn what_only_looks_like_changes_costs_little() {
        let (_, change) = change(&[], &[1; 1 << 14]);
        let check = |count: usize, is_found: bool| {
            let mut bytes = change.clone();
            for _ in 0..count {
                let mut beginning = [&MAGIC[..], &[0; CHECKED_BYTES], &[CHANGE]].concat();
                write_var(bytes.len() as u64, &mut beginning);
                bytes.splice(..0, beginning);
            }
            assert_eq!(shortened(&bytes).is_some(), is_found, "{count} beginnings");
        };
        check(0, true);
        check(HASHED_MAX - 1, true);
        check(HASHED_MAX, false);
    }

    #[test]
    fn what_is_not_written_as_automerge_writes_stands_as_it_was() {
        let (_, whole) = change(&[], &[1; 200]);
        assert!(shortened(&whole).is_some());
        let check = |why: &str, bytes: Vec<u8>| assert_eq!(shortened(&bytes), None, "{why}");
        let mut other = whole.clone();
        other[4] ^= 1;
        check("its hash is another", other);
        check("it is cut off", whole[..whole.len() - 1].to_vec());
        let mut packed = whole.clone();
        packed[8] = 2;
        check("it is packed", packed);
        check("there is none", b"words".to_vec());
        // Its length in one byte more than need be, with the hash that goes with that.
        let chunk = [&[CHANGE, 0x83, 0x80, 0], &b"\0ab"[..]].concat();
        check("its length is padded", [&MAGIC, &hash(&chunk)[..CHECKED_BYTES], &chunk].concat());
    }
}
