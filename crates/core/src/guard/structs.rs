//! The structs of a Yjs V1 update: what is kept of each, and how one is read.
//!
//! ```text
//! struct   info 00: GC, var_uint length
//!          info 0a: Skip, var_uint length
//!          else an item: info = content | 80 if origin | 40 if right origin | 20 if parent sub
//!            [origin id] [right origin id]
//!            with neither: parent = 01 string root name | 00 id, and then [parent sub string]
//!            content
//! id       var_uint client, var_uint clock
//! content  1 deleted: var_uint length           5 embed: string of JSON
//!          3 binary: buf                        6 format: string key, string of JSON
//!          4 string                             7 type: see below
//!          8 any: var_uint n, n x any           9 document: string guid, any (an object)
//! type     0 array, 1 map, 2 text, 4 xml fragment, 6 xml text
//!          3 xml element: string name
//!          7 weak link: flags, start, end       (yrs only; yjs 13 does not know it)
//! ```
//!
//! After `readClientsStructRefs` of yjs 13.6 and `Update::decode_block` of yrs 0.28. Where the two read different
//! things out of the same bytes, neither is honest and the bytes are refused: flags beside GC or Skip, bit 10 of
//! `info`, type 5 (an XML hook has a name in yjs and none in yrs), types 9 and 15 (yrs only, written by nobody).

use core::ops::Range;

use super::{Fidelity, Malformed, Reader, json::scan_json_of_yrs, scan_any, value};
use crate::{id::ClientId, limits::CLOCK_MAX};

/// Least bytes of a struct: its info and a length.
pub(super) const STRUCT_BYTES_MIN: u64 = 2;

const INFO_GC: u8 = 0;
const INFO_SKIP: u8 = 10;
const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT_ORIGIN: u8 = 0x40;
const HAS_PARENT_SUB: u8 = 0x20;
const CONTENT_BITS: u8 = 0x1f;

/// More than one element is quoted, so that the end is written too.
const LINK_QUOTES_MANY: u8 = 0x01;
/// The start is the beginning of a type, not an element.
const LINK_START_OPEN: u8 = 0x08;
/// The end is the end of a type, not an element.
const LINK_END_OPEN: u8 = 0x10;
/// The type of an open start or end is a root.
const LINK_ROOT: u8 = 0x20;
/// Flags that exist; 02 and 04 say on which side of an element start and end are.
const LINK_FLAGS: u8 = 0x3f;

/// The name of one element: the `clock`th that `client` made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Who made it.
    pub client: ClientId,
    /// How many elements the client had made before.
    pub clock: u32,
}

/// What a struct is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StructKind {
    /// Elements that were deleted together with their surroundings.
    Gc,
    /// Elements that the update does not hold.
    Skip,
    /// Elements.
    Item {
        /// The reference number of their content: 1 or 3 to 9.
        content: u8,
    },
}

/// Where an item belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parent {
    /// Where its origin, or else its right origin, belongs. Also said of structs that are not items.
    Inherited,
    /// In a root type.
    Root,
    /// In the type that this element is.
    Item(Id),
}

/// A type of yrs that quotes others' elements. yjs 13 does not know it and throws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WeakLink {
    /// The elements and types that the quotation begins and ends with; nothing for a root type.
    pub quotes: [Option<Id>; 2],
}

/// What an item without neighbours begins: a list of elements, or the values of one entry of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Beginning<'a> {
    /// The type that it is in.
    pub parent: Parent,
    /// The name of a root type.
    pub root: Option<&'a str>,
    /// The key of an entry.
    pub key: Option<&'a str>,
}

/// A run of consecutive elements of one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Struct {
    /// Clock of the first element.
    pub clock: u32,
    /// Number of elements, at least 1. `clock + len` is at most [`CLOCK_MAX`].
    pub len: u32,
    /// What they are.
    pub kind: StructKind,
    /// The element that was left of the first when it was made.
    pub origin: Option<Id>,
    /// The element that was right of the last when it was made.
    pub right_origin: Option<Id>,
    /// Where they belong.
    pub parent: Parent,
    /// What is quoted, if the content is a weak link.
    pub weak_link: Option<WeakLink>,
    /// Whether yrs writes the content as it is.
    pub fidelity: Fidelity,
    /// Where the content of an item begins in the update, in bytes; it ends with the struct.
    pub content_at: u32,
    /// Where the struct is in the update, in bytes.
    pub span: Range<u32>,
}

impl Struct {
    /// Returns the clock after the last element.
    #[must_use]
    pub const fn end(&self) -> u32 {
        self.clock + self.len
    }

    /// Returns what this begins, an item of `update` that names no neighbours; nothing if it is another.
    #[must_use]
    pub fn beginning<'a>(&self, update: &'a [u8]) -> Option<Beginning<'a>> {
        let mut reader = Reader::starting_at(update, self.span.start as usize);
        let info = reader.u8().ok()?;
        let root = match self.parent {
            Parent::Inherited => return None,
            Parent::Root => {
                reader.var_uint().ok()?;
                Some(reader.var_string().ok()?)
            }
            Parent::Item(_) => {
                read_parent(&mut reader).ok()?;
                None
            }
        };
        let key = if info & HAS_PARENT_SUB == 0 { None } else { Some(reader.var_string().ok()?) };
        Some(Beginning { parent: self.parent, root, key })
    }
}

/// Reads a clock, which is below [`CLOCK_MAX`] or, if it is an end, may reach it.
pub(super) fn read_clock(reader: &mut Reader<'_>, max: u32) -> Result<u32, Malformed> {
    let at = reader.position();
    let clock = reader.var_uint()?;
    match u32::try_from(clock) {
        Ok(narrow) if narrow <= max => Ok(narrow),
        _ => Err(Malformed::Clock { at, clock }),
    }
}

/// Reads the struct of which the first element has clock `clock`, at most [`CLOCK_MAX`].
pub(super) fn read_struct(reader: &mut Reader<'_>, clock: u32) -> Result<Struct, Malformed> {
    let start = reader.position();
    let info = reader.u8()?;
    let mut read = Struct {
        clock,
        len: 0,
        kind: StructKind::Gc,
        origin: None,
        right_origin: None,
        parent: Parent::Inherited,
        weak_link: None,
        fidelity: Fidelity::Kept,
        content_at: 0,
        span: 0..0,
    };
    let len = match info {
        INFO_GC => reader.var_uint()?,
        INFO_SKIP => {
            read.kind = StructKind::Skip;
            reader.var_uint()?
        }
        _ => read_item(reader, info, start, &mut read)?,
    };
    if len == 0 {
        return Err(Malformed::ZeroLength { at: start });
    }
    let end = u64::from(clock).saturating_add(len);
    if end > u64::from(CLOCK_MAX) {
        return Err(Malformed::Clock { at: start, clock: end });
    }
    // SUBTLE: `len` is below `end`, which is at most 2^31; an update of more than 2^32 bytes is not scanned.
    read.len = len as u32;
    read.span = start as u32..reader.position() as u32;
    Ok(read)
}

/// Reads an item after its `info` into `item`, and returns its length.
fn read_item(reader: &mut Reader<'_>, info: u8, start: usize, item: &mut Struct) -> Result<u64, Malformed> {
    let content = info & CONTENT_BITS;
    match content {
        1 | 3..=9 => item.kind = StructKind::Item { content },
        2 => return Err(Malformed::LegacyContent { at: start }),
        _ => return Err(Malformed::StructKind { at: start, info }),
    }
    if info & HAS_ORIGIN != 0 {
        item.origin = Some(read_id(reader)?);
    }
    if info & HAS_RIGHT_ORIGIN != 0 {
        item.right_origin = Some(read_id(reader)?);
    }
    if item.origin.is_none() && item.right_origin.is_none() {
        item.parent = read_parent(reader)?;
        if info & HAS_PARENT_SUB != 0 {
            reader.var_string()?;
        }
    }
    // SUBTLE: an update of more than 2^32 bytes is not scanned.
    item.content_at = reader.position() as u32;
    read_content(reader, content, item)
}

fn read_parent(reader: &mut Reader<'_>) -> Result<Parent, Malformed> {
    let at = reader.position();
    match reader.var_uint()? {
        0 => Ok(Parent::Item(read_id(reader)?)),
        1 => {
            reader.var_string()?;
            Ok(Parent::Root)
        }
        form => Err(Malformed::ParentForm { at, form }),
    }
}

/// Reads content of a known kind, and returns how many elements it is.
fn read_content(reader: &mut Reader<'_>, content: u8, item: &mut Struct) -> Result<u64, Malformed> {
    match content {
        1 => return reader.var_uint(),
        3 => drop(reader.buf()?),
        4 => return Ok(utf16_len(reader.var_string()?)),
        5 => item.fidelity = read_json(reader)?,
        6 => {
            reader.var_string()?;
            item.fidelity = read_json(reader)?;
        }
        7 => item.weak_link = read_type(reader)?,
        8 => {
            let len = reader.count(1)?;
            for _ in 0..len {
                item.fidelity = item.fidelity.and(scan_any(reader)?);
            }
            return Ok(len);
        }
        _ => {
            reader.var_string()?;
            let at = reader.position();
            if reader.clone().u8()? != value::TAG_OBJECT {
                return Err(Malformed::SubdocumentOptions { at });
            }
            scan_any(reader)?;
            // yrs keeps four options, writes two more that yjs never does, and says of no document that it should load.
            item.fidelity = Fidelity::Lost;
        }
    }
    Ok(1)
}

/// Reads the head of a type, and returns what it is if it is a weak link.
fn read_type(reader: &mut Reader<'_>) -> Result<Option<WeakLink>, Malformed> {
    let at = reader.position();
    match reader.u8()? {
        0 | 1 | 2 | 4 | 6 => Ok(None),
        3 => reader.var_string().map(|_| None),
        7 => read_weak_link(reader).map(Some),
        type_ref => Err(Malformed::TypeRef { at, type_ref }),
    }
}

fn read_weak_link(reader: &mut Reader<'_>) -> Result<WeakLink, Malformed> {
    let at = reader.position();
    let flags = reader.u8()?;
    if flags & !LINK_FLAGS != 0 {
        return Err(Malformed::WeakLinkFlags { at, flags });
    }
    let is_root = flags & LINK_ROOT != 0;
    let is_written = [true, flags & (LINK_QUOTES_MANY | LINK_END_OPEN) != 0];
    let is_open = [flags & LINK_START_OPEN != 0, flags & LINK_END_OPEN != 0];
    let mut link = WeakLink::default();
    for end in 0..2 {
        match (is_written[end], is_open[end] && is_root) {
            (false, _) => {}
            (true, true) => drop(reader.var_string()?),
            (true, false) => link.quotes[end] = Some(read_id(reader)?),
        }
    }
    Ok(link)
}

fn read_json(reader: &mut Reader<'_>) -> Result<Fidelity, Malformed> {
    let text = reader.var_string()?;
    scan_json_of_yrs(text, reader.position() - text.len())
}

fn read_id(reader: &mut Reader<'_>) -> Result<Id, Malformed> {
    let client = ClientId(reader.var_uint()?);
    Ok(Id { client, clock: read_clock(reader, CLOCK_MAX - 1)? })
}

/// Returns the length of `text` in UTF-16 code units, the unit of Yjs: one for each character, and another for
/// those of four bytes.
fn utf16_len(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let units = bytes.iter().map(|&byte| u64::from(byte & 0xc0 != 0x80) + u64::from(byte >= 0xf0));
    if text.is_ascii() { bytes.len() as u64 } else { units.sum() }
}
