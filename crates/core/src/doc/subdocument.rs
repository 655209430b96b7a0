//! Subdocuments, which yrs never gets to see.
//!
//! When a transaction deletes a subdocument, yrs 0.28 first collects and joins what is deleted, and then follows the
//! subdocument's pointer to its item, which may have been freed by then: two neighbours deleted at once are enough to
//! read freed memory. So what goes into yrs in the place of a subdocument is an embed that names it: as long, as
//! countable, never joined with its neighbours, and read as the same JSON. What was written is among the
//! [originals](super::originals), which are put back into all that yrs encodes.

use yrs::Any;

use crate::guard::{Malformed, Reader, ScannedUpdate, Struct, StructKind, write_string};

/// Reference number of the content that is a subdocument.
const CONTENT_DOCUMENT: u8 = 9;

/// Reference number of the content that is a JSON value.
const CONTENT_EMBED: u8 = 5;

/// The bits of a struct's first byte that are the reference number of its content.
const CONTENT_BITS: u8 = 0x1f;

/// Returns the reference number of the content that stands in yrs for one of `content`.
pub(crate) const fn content_in_yrs(content: u8) -> u8 {
    if content == CONTENT_DOCUMENT { CONTENT_EMBED } else { content }
}

/// Returns whether an embed is one that may stand for a subdocument.
pub(super) fn may_be_subdocument(embed: &Any) -> bool {
    matches!(embed, Any::Map(members) if members.len() == 1 && members.contains_key("guid"))
}

/// Returns an update with embeds in the place of all subdocuments; nothing if there are none.
pub(crate) fn replace_subdocuments(update: &ScannedUpdate<'_>) -> Result<Option<Vec<u8>>, Malformed> {
    let structs = update.sections().iter().flat_map(|section| update.structs(section));
    let mut subdocuments: Vec<_> = structs.filter(is_subdocument).collect();
    if subdocuments.is_empty() {
        return Ok(None);
    }
    subdocuments.sort_unstable_by_key(|read| read.span.start);
    let bytes = update.bytes();
    let mut out = Vec::with_capacity(bytes.len() + subdocuments.len() * 8);
    let mut copied = 0;
    for read in subdocuments {
        out.extend_from_slice(&bytes[copied..read.span.start as usize]);
        write_head(&mut out, bytes, &read, CONTENT_EMBED);
        let guid = Reader::starting_at(bytes, read.content_at as usize).var_string()?;
        write_string(&mut out, &serde_json::json!({ "guid": guid }).to_string());
        copied = read.span.end as usize;
    }
    out.extend_from_slice(&bytes[copied..]);
    Ok(Some(out))
}

/// Writes all of an item but its content, which is to be of another kind.
pub(crate) fn write_head(out: &mut Vec<u8>, update: &[u8], read: &Struct, content: u8) {
    let head = &update[read.span.start as usize..read.content_at as usize];
    if let Some((info, rest)) = head.split_first() {
        out.push(info & !CONTENT_BITS | content);
        out.extend_from_slice(rest);
    }
}

fn is_subdocument(read: &Struct) -> bool {
    read.kind == StructKind::Item { content: CONTENT_DOCUMENT }
}
