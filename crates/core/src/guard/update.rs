//! Scan of Yjs V1 updates.
//!
//! ```text
//! update      var_uint n, n x section, delete set
//! section     var_uint n, var_uint client, var_uint first clock, n x struct
//! delete set  var_uint n, n x (var_uint client, var_uint m, m x (var_uint clock, var_uint length))
//! ```
//!
//! The structs of a section follow each other without gaps: each begins where the one before ended. A Skip is a
//! struct like others and stands for elements that the update does not hold.
//!
//! Sections and deleted ranges are kept, structs are not: what is a proof once needs no memory, and
//! [`ScannedUpdate::structs`] reads them again. So a scan takes at most some 24 bytes of memory for each byte, which
//! an update of nothing but deleted ranges needs, and next to none for text.

use alloc::{collections::BTreeSet, vec::Vec};
use core::ops::Range;

use super::{
    Id, Malformed, Reader, Struct, StructKind,
    structs::{STRUCT_BYTES_MIN, read_clock, read_struct},
};
use crate::{id::ClientId, limits::CLOCK_MAX};

/// Least bytes of a section: three numbers and a struct.
const SECTION_BYTES_MIN: u64 = 3 + STRUCT_BYTES_MIN;

/// The structs of one client in an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Who made them.
    pub client: ClientId,
    /// Clock of the first element.
    pub clock: u32,
    /// Clock after the last element.
    end: u32,
    /// Number of structs, at least one.
    structs: u32,
    /// Where the first struct is in the update, in bytes.
    at: u32,
    /// Where the last struct ends.
    bytes_end: u32,
}

impl Section {
    /// Returns the clock after the last struct.
    #[must_use]
    pub const fn end(&self) -> u32 {
        self.end
    }

    /// Returns how many structs there are, at least one.
    #[must_use]
    pub const fn struct_count(&self) -> u32 {
        self.structs
    }

    /// Returns where the structs are in the update, in bytes.
    #[must_use]
    pub const fn span(&self) -> Range<usize> {
        self.at as usize..self.bytes_end as usize
    }
}

/// A range of elements that an update deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeleteRange {
    /// Who made them.
    pub client: ClientId,
    /// Clock of the first.
    pub clock: u32,
    /// How many, at least one. `clock + len` is at most [`CLOCK_MAX`].
    pub len: u32,
}

impl DeleteRange {
    /// Returns the clock after the last element.
    #[must_use]
    pub const fn end(&self) -> u32 {
        self.clock + self.len
    }
}

/// The bytes of an update that yrs decodes without error or harm, and what is in them.
#[derive(Clone, Debug)]
pub struct ScannedUpdate<'a> {
    bytes: &'a [u8],
    sections: Vec<Section>,
    deletes: Vec<DeleteRange>,
}

/// Proves that `bytes` are a Yjs V1 update that may be given to yrs.
///
/// # Errors
/// [`Malformed`] says what is wrong, and where.
pub fn scan_update(bytes: &[u8]) -> Result<ScannedUpdate<'_>, Malformed> {
    if u32::try_from(bytes.len()).is_err() {
        return Err(Malformed::TooLong { bytes: bytes.len() });
    }
    let mut reader = Reader::new(bytes);
    let sections = read_sections(&mut reader)?;
    let deletes = read_deletes(&mut reader)?;
    reader.finish()?;
    Ok(ScannedUpdate { bytes, sections, deletes })
}

impl<'a> ScannedUpdate<'a> {
    /// Returns the bytes that were scanned.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the clients that have structs, in ascending order, each once.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Returns the structs of `section`, which must be one of [`Self::sections`], by ascending clock.
    ///
    /// They are read from the bytes again, which takes as long as the scan did.
    #[must_use]
    pub fn structs(&self, section: &Section) -> Structs<'a> {
        let reader = Reader::starting_at(self.bytes, section.at as usize);
        Structs { reader, clock: section.clock, left: section.structs }
    }

    /// Returns what the update deletes, by ascending client and clock; ranges neither overlap nor touch.
    #[must_use]
    pub fn deletes(&self) -> &[DeleteRange] {
        &self.deletes
    }

    /// Returns whether any of these clients has made something that the update brings.
    #[must_use]
    pub fn is_by_any_of(&self, clients: &BTreeSet<ClientId>) -> bool {
        self.sections.iter().any(|section| clients.contains(&section.client))
    }

    /// Returns whether the update neither holds structs nor deletes anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sections.is_empty() && self.deletes.is_empty()
    }

    /// Returns whether both updates hold structs of the same kind and length under the same ids, and delete the
    /// same elements.
    ///
    /// Skips are passed over: yrs drops those that a section begins with, and the clocks of the structs around a
    /// Skip tell as much. Values are not compared: yrs reorders the keys of objects.
    #[must_use]
    pub fn same_shape(&self, other: &ScannedUpdate<'_>) -> bool {
        self.deletes == other.deletes && self.shape().eq(other.shape())
    }

    fn shape(&self) -> impl Iterator<Item = (Id, u32, StructKind)> {
        self.sections.iter().flat_map(|section| {
            let structs = self.structs(section).filter(|read| read.kind != StructKind::Skip);
            structs.map(|read| (Id { client: section.client, clock: read.clock }, read.len, read.kind))
        })
    }
}

/// Iterates over the structs of a section. See [`ScannedUpdate::structs`].
#[derive(Clone, Debug)]
pub struct Structs<'a> {
    reader: Reader<'a>,
    clock: u32,
    left: u32,
}

impl Iterator for Structs<'_> {
    type Item = Struct;

    fn next(&mut self) -> Option<Struct> {
        self.left = self.left.checked_sub(1)?;
        // The scan has read the same bytes from the same place: this fails only for a section of another update.
        let read = read_struct(&mut self.reader, self.clock).ok()?;
        self.clock = read.end();
        Some(read)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left as usize))
    }
}

fn read_sections(reader: &mut Reader<'_>) -> Result<Vec<Section>, Malformed> {
    let mut sections = Vec::new();
    for _ in 0..reader.count(SECTION_BYTES_MIN)? {
        sections.push(read_section(reader)?);
    }
    sections.sort_unstable_by_key(|section| section.client);
    match sections.windows(2).find(|pair| pair[0].client == pair[1].client) {
        None => Ok(sections),
        Some(pair) => {
            let at = pair[0].at.max(pair[1].at) as usize;
            Err(Malformed::DuplicateClient { at, client: pair[0].client })
        }
    }
}

fn read_section(reader: &mut Reader<'_>) -> Result<Section, Malformed> {
    let start = reader.position();
    let structs = reader.count(STRUCT_BYTES_MIN)?;
    // yrs recurses once for each section without structs.
    if structs == 0 {
        return Err(Malformed::EmptySection { at: start });
    }
    let client = ClientId(reader.var_uint()?);
    let clock = read_clock(reader, CLOCK_MAX)?;
    // SUBTLE: both are less than the length of the update, which fits a u32.
    let at = reader.position() as u32;
    let mut section = Section { client, clock, end: clock, structs: structs as u32, at, bytes_end: at };
    for _ in 0..structs {
        section.end = read_struct(reader, section.end)?.end();
    }
    section.bytes_end = reader.position() as u32;
    Ok(section)
}

fn read_deletes(reader: &mut Reader<'_>) -> Result<Vec<DeleteRange>, Malformed> {
    let mut deletes = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..reader.count(2)? {
        let at = reader.position();
        let client = ClientId(reader.var_uint()?);
        clients.push((client, at));
        read_deletes_of(reader, client, &mut deletes)?;
    }
    // yrs keeps only the last of two lists for one client.
    clients.sort_unstable();
    if let Some(pair) = clients.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Malformed::DuplicateClient { at: pair[1].1, client: pair[1].0 });
    }
    deletes.sort_unstable();
    Ok(deletes)
}

/// Reads the deleted ranges of `client` and appends them to `deletes`, those that touch as one.
fn read_deletes_of(
    reader: &mut Reader<'_>,
    client: ClientId,
    deletes: &mut Vec<DeleteRange>,
) -> Result<(), Malformed> {
    let mut touching: Option<DeleteRange> = None;
    for _ in 0..reader.count(2)? {
        let at = reader.position();
        let clock = read_clock(reader, CLOCK_MAX)?;
        let len = read_clock(reader, CLOCK_MAX)?;
        if len == 0 {
            return Err(Malformed::ZeroLength { at });
        }
        let end = u64::from(clock) + u64::from(len);
        if end > u64::from(CLOCK_MAX) {
            return Err(Malformed::Clock { at, clock: end });
        }
        // yrs searches the list as a sorted one.
        match &mut touching {
            Some(before) if clock < before.end() => return Err(Malformed::DeleteOrder { at }),
            Some(before) if clock == before.end() => before.len += len,
            _ => deletes.extend(touching.replace(DeleteRange { client, clock, len })),
        }
    }
    deletes.extend(touching);
    Ok(())
}

#[cfg(test)]
mod tests;
