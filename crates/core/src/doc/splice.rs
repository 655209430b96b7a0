//! Builds an update out of the bytes of others, without decoding a value.
//!
//! A V1 update is, for each client, a run of structs that stand for themselves (every id in them is absolute), and then
//! a delete set. So structs can be left out at the ends of a run, and runs that continue each other can be joined, by
//! copying bytes. Values pass through untouched, which yrs does not promise; see `originals`.
//!
//! Layout (lib0 variable-length unsigned integers throughout):
//! `sections, (structs, client, clock, struct bytes)*, clients, (client, ranges, (clock, length)*)*`.

use std::{collections::BTreeMap, ops::Range};

use bytes::Bytes;

use crate::{
    guard::{DeleteRange, Malformed, scan_update, write_var_uint},
    id::ClientId,
};

/// An update in the making.
#[derive(Debug, Default)]
pub(crate) struct Splice {
    sections: BTreeMap<ClientId, Run>,
    deletes: BTreeMap<ClientId, Vec<Range<u32>>>,
}

#[derive(Debug)]
struct Run {
    count: u64,
    clock: u32,
    end: u32,
    structs: Vec<u8>,
}

/// Two runs of one client do not continue each other.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotContiguous;

impl Splice {
    /// Adds the structs of one client from `clocks.start` to `clocks.end`; `bytes` holds `count` of them.
    pub(crate) fn structs(
        &mut self,
        client: ClientId,
        clocks: Range<u32>,
        count: u32,
        bytes: &[u8],
    ) -> Result<(), NotContiguous> {
        let run = self.sections.entry(client).or_insert_with(|| Run {
            count: 0,
            clock: clocks.start,
            end: clocks.start,
            structs: Vec::with_capacity(bytes.len()),
        });
        if run.end != clocks.start {
            return Err(NotContiguous);
        }
        run.end = clocks.end;
        run.count += u64::from(count);
        run.structs.extend_from_slice(bytes);
        Ok(())
    }

    /// Adds a range of deleted structs.
    pub(crate) fn delete(&mut self, range: DeleteRange) {
        self.deletes.entry(range.client).or_default().push(range.clock..range.clock + range.len);
    }

    /// Writes the update. Clients stand in descending order, as yjs writes them; delete ranges are sorted and merged.
    pub(crate) fn finish(self) -> Bytes {
        let structs: usize = self.sections.values().map(|run| run.structs.len() + 24).sum();
        let mut out = Vec::with_capacity(structs + 16 * self.deletes.len() + 16);
        write_var_uint(&mut out, self.sections.len() as u64);
        for (client, run) in self.sections.into_iter().rev() {
            write_var_uint(&mut out, run.count);
            write_var_uint(&mut out, client.0);
            write_var_uint(&mut out, run.clock.into());
            out.extend_from_slice(&run.structs);
        }
        write_var_uint(&mut out, self.deletes.len() as u64);
        for (client, ranges) in self.deletes.into_iter().rev() {
            let ranges = merged(ranges);
            write_var_uint(&mut out, client.0);
            write_var_uint(&mut out, ranges.len() as u64);
            for range in ranges {
                write_var_uint(&mut out, range.start.into());
                write_var_uint(&mut out, (range.end - range.start).into());
            }
        }
        out.into()
    }
}

fn merged(mut ranges: Vec<Range<u32>>) -> Vec<Range<u32>> {
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, kept| {
        let touches = next.start <= kept.end;
        if touches {
            kept.end = kept.end.max(next.end);
        }
        touches
    });
    ranges
}

/// Merges updates that were integrated one after another into one that says the same. `None` if they do not continue
/// each other.
///
/// # Errors
/// [`Malformed`] if one of them is not an update.
pub fn merge_in_order(updates: &[Bytes]) -> Result<Option<Bytes>, Malformed> {
    if let [only] = updates {
        return Ok(Some(only.clone()));
    }
    let mut splice = Splice::default();
    for update in updates {
        let scanned = scan_update(update)?;
        for section in scanned.sections() {
            let clocks = section.clock..section.end();
            let bytes = &update[section.span()];
            if splice.structs(section.client, clocks, section.struct_count(), bytes).is_err() {
                return Ok(None);
            }
        }
        scanned.deletes().iter().for_each(|&range| splice.delete(range));
    }
    Ok(Some(splice.finish()))
}
