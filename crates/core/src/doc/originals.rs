//! What yrs would write with other values than it read, as it came.
//!
//! yrs 0.28 writes some values differently ([`Fidelity`]): a `BigInt` that an `f64` holds as a number, -0 as 0. Of
//! a [subdocument](super::subdocument) it has only the name. Those who are there when such a value is written get its
//! bytes; whoever comes later gets what yrs writes. So a document remembers the bytes, by the ids of the elements, and
//! puts them where yrs has written these elements.
//!
//! By id, because yrs splits and joins items at will, and writes only the end of the first one of a difference. What is
//! deleted does not come back: yrs writes it without content, and an undo of yjs makes new elements.
//!
//! Of a struct in which anything would be lost all values are remembered. So this takes at most the bytes of the
//! updates and [`ENTRY_BYTES`] for each of those structs, which takes yrs more; and nothing at all otherwise, nor is
//! then anything looked at that is encoded.

use std::{collections::BTreeMap, iter};

use bytes::Bytes;

use super::{
    slices::Take,
    subdocument::{content_in_yrs, write_head},
};
use crate::{
    guard::{
        DeleteRange, Fidelity, Id, Malformed, Reader, ScannedUpdate, Struct, StructKind, scan_any,
        scan_update,
    },
    id::ClientId,
};

/// Bytes that one entry takes beside what it remembers: about those of its place in the map and of its allocation.
const ENTRY_BYTES: usize = 96;

/// Reference number of the content that has more than one element in a struct.
const CONTENT_ANY: u8 = 8;

/// The contents of elements whose values yrs does not keep.
#[derive(Debug, Default)]
pub(crate) struct Originals {
    /// By the first element; they do not overlap.
    entries: BTreeMap<Id, Entry>,
    memory_bytes: usize,
}

/// The elements of one struct, or its last ones if the document held the others.
#[derive(Debug)]
struct Entry {
    /// Clock after the last element.
    end: u32,
    /// The reference number of their content.
    content: u8,
    /// Their contents, one after another.
    bytes: Box<[u8]>,
}

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Element<'a> {
    clock: u32,
    content: u8,
    bytes: &'a [u8],
    fidelity: Fidelity,
}

impl Originals {
    /// Remembers what of the structs taken from `update` yrs does not keep.
    pub(crate) fn remember(&mut self, update: &ScannedUpdate<'_>, takes: &[Take]) -> Result<(), Malformed> {
        for take in takes {
            let sections = update.sections();
            let Ok(at) = sections.binary_search_by_key(&take.client, |section| section.client) else {
                continue;
            };
            let taken = update
                .structs(&sections[at])
                .skip_while(|read| read.end() <= take.from)
                .take_while(|read| read.clock < take.to)
                .filter(|read| read.fidelity == Fidelity::Lost);
            for read in taken {
                self.insert(update.bytes(), take.client, take.from.max(read.clock), &read)?;
            }
        }
        Ok(())
    }

    /// Remembers the elements of a struct from clock `from` on.
    fn insert(&mut self, update: &[u8], client: ClientId, from: u32, read: &Struct) -> Result<(), Malformed> {
        let StructKind::Item { content } = read.kind else { return Ok(()) };
        let mut reader = Reader::starting_at(update, read.content_at as usize);
        if content == CONTENT_ANY {
            reader.var_uint()?;
            for _ in read.clock..from {
                scan_any(&mut reader)?;
            }
        }
        let bytes = update[reader.position()..read.span.end as usize].into();
        let entry = Entry { end: read.end(), content, bytes };
        self.memory_bytes += entry.memory_bytes();
        self.entries.insert(Id { client, clock: from }, entry);
        Ok(())
    }

    /// Forgets the structs of which everything is deleted.
    pub(crate) fn forget(&mut self, deleted: &[DeleteRange]) {
        if self.entries.is_empty() {
            return;
        }
        for &DeleteRange { client, clock, len } in deleted {
            let end = clock + len;
            let within = self.entries.range(Id { client, clock }..Id { client, clock: end });
            let gone: Vec<Id> = within.filter(|(_, entry)| entry.end <= end).map(|(&id, _)| id).collect();
            for id in gone {
                self.memory_bytes -= self.entries.remove(&id).map_or(0, |entry| entry.memory_bytes());
            }
        }
    }

    /// Returns an update that yrs has written with what it did not keep in its place.
    pub(crate) fn restore(&self, encoded: Bytes) -> Result<Bytes, Malformed> {
        if self.entries.is_empty() {
            return Ok(encoded);
        }
        let scanned = scan_update(&encoded)?;
        let mut sections: Vec<_> = scanned.sections().iter().collect();
        sections.sort_unstable_by_key(|section| section.span().start);
        let mut out = Vec::with_capacity(encoded.len() + encoded.len() / 8);
        let mut copied = 0;
        for section in sections {
            let mut originals = self.elements(section.client, section.clock).peekable();
            for read in scanned.structs(section) {
                while originals.next_if(|original| original.clock < read.clock).is_some() {}
                let Some(next) = originals.peek() else { break };
                let in_yrs = StructKind::Item { content: content_in_yrs(next.content) };
                if next.clock < read.end() && read.kind == in_yrs {
                    out.extend_from_slice(&encoded[copied..read.span.start as usize]);
                    write_head(&mut out, &encoded, &read, next.content);
                    restore_struct(&mut out, &encoded, &read, &mut originals)?;
                    copied = read.span.end as usize;
                }
            }
        }
        out.extend_from_slice(&encoded[copied..]);
        Ok(out.into())
    }

    /// Returns the elements that yrs does not keep and that `is_alive`, with their contents.
    pub(crate) fn lost(&self, is_alive: impl Fn(Id) -> bool) -> impl Iterator<Item = (Id, &[u8])> {
        self.entries
            .iter()
            .flat_map(|(id, entry)| entry.elements(id.clock).map(|one| (id.client, one)))
            .filter_map(move |(client, one)| {
                let id = Id { client, clock: one.clock };
                (one.fidelity == Fidelity::Lost && is_alive(id)).then_some((id, one.bytes))
            })
    }

    /// Returns the elements of `client` in the entries that reach beyond `clock`, ascending.
    fn elements(&self, client: ClientId, clock: u32) -> impl Iterator<Item = Element<'_>> {
        let before = self.entries.range(Id { client, clock: 0 }..Id { client, clock }).next_back();
        let first = before.filter(|(_, entry)| entry.end > clock).map_or(clock, |(id, _)| id.clock);
        let entries = self.entries.range(Id { client, clock: first }..=Id { client, clock: u32::MAX });
        entries.flat_map(|(id, entry)| entry.elements(id.clock))
    }

    /// Estimates what this holds in memory, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
}

impl Entry {
    /// Returns the elements, of which the first has clock `clock`.
    fn elements(&self, clock: u32) -> impl Iterator<Item = Element<'_>> {
        let mut reader = Reader::new(&self.bytes);
        let mut clocks = clock..self.end;
        iter::from_fn(move || {
            let clock = clocks.next()?;
            let start = reader.position();
            let fidelity = match self.content {
                // The guard has read the same bytes before.
                CONTENT_ANY => scan_any(&mut reader).ok()?,
                _ => reader.take(self.bytes.len() as u64).map(|_| Fidelity::Lost).ok()?,
            };
            let bytes = &self.bytes[start..reader.position()];
            Some(Element { clock, content: self.content, bytes, fidelity })
        })
    }

    fn memory_bytes(&self) -> usize {
        self.bytes.len() + ENTRY_BYTES
    }
}

/// Writes the content of a struct, from the originals where there are any.
fn restore_struct<'a>(
    out: &mut Vec<u8>,
    encoded: &[u8],
    read: &Struct,
    originals: &mut iter::Peekable<impl Iterator<Item = Element<'a>>>,
) -> Result<(), Malformed> {
    let mut reader = Reader::starting_at(encoded, read.content_at as usize);
    let mut start = reader.position();
    if read.kind == (StructKind::Item { content: CONTENT_ANY }) {
        reader.var_uint()?;
        out.extend_from_slice(&encoded[start..reader.position()]);
        for clock in read.clock..read.end() {
            start = reader.position();
            scan_any(&mut reader)?;
            let original = originals.next_if(|original| original.clock == clock);
            out.extend_from_slice(
                original.map_or(&encoded[start..reader.position()], |original| original.bytes),
            );
        }
    } else {
        let original = originals.next();
        out.extend_from_slice(
            original.map_or(&encoded[start..read.span.end as usize], |original| original.bytes),
        );
    }
    Ok(())
}
