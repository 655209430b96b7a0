//! Large updates in pieces that yrs can take: few clients and few structs at a time, none before what it rests on.
//!
//! yrs walks an update from the highest client id down. A client whose structs were taken already because others rest
//! on them costs it one level of recursion, all such in a row, and each switch to another client a search through those
//! that wait. So 40,000 clients that wait for each other, 480 KB, overflow a stack of 2 MiB, and honest clients may form
//! such chains: everyone who types after someone else does.
//!
//! It decodes all structs before it integrates the first, at about a hundred bytes for one of an empty nested type. And
//! when it commits, it joins those that continue each other from the last to the first, keeping what each was joined to
//! so far until all are: the square of their number, 30 GB for 50,000 values of one byte, which are 350 KB.
//!
//! All three are bounded by what goes in at once.

use std::{collections::BTreeSet, ops::Range};

use bytes::Bytes;

use super::{
    contain::{Changes, Contained, Failed, decode},
    index::Plan,
    splice::{Splice, merge_in_order},
    yjs::ApplyError,
};
use crate::{
    guard::{DeleteRange, Id, ScannedUpdate, Struct, StructKind, scan_update},
    id::ClientId,
    limits::{SLICE_CLIENTS_MAX, SLICE_JOIN_BYTES_MAX, SLICE_STRUCTS_MAX},
};

/// Bytes in which yrs keeps a value, beside what it refers to.
const VALUE_BYTES: u64 = 24;

/// Structs to take from one client's section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Take {
    pub(crate) client: ClientId,
    /// Clock of the first struct taken; with [`Plan::straddles`] the document may hold its beginning.
    pub(crate) clock: u32,
    /// The document's clock before and after.
    pub(crate) from: u32,
    pub(crate) to: u32,
    /// How many structs.
    pub(crate) count: u32,
    /// Where they stand in the update's bytes.
    pub(crate) span: Range<u32>,
}

impl Take {
    /// Takes nothing yet of a client whose clock is `from`.
    pub(crate) fn nothing(client: ClientId, from: u32) -> Self {
        Self { client, clock: from, from, to: from, count: 0, span: 0..0 }
    }

    /// Takes the struct that follows.
    pub(crate) fn push(&mut self, next: &Struct) {
        if self.count == 0 {
            self.clock = next.clock;
            self.span.start = next.span.start;
        }
        self.count += 1;
        self.span.end = next.span.end;
        self.to = next.end();
    }
}

/// What to take, in an order in which nothing comes before what it rests on, in slices.
#[derive(Debug, Default)]
pub(crate) struct Slices {
    takes: Vec<Take>,
    /// Where each slice begins in `takes`.
    starts: Vec<usize>,
    /// What must be deleted with the slice that it comes in, by the number of that slice.
    gone: Vec<(usize, DeleteRange)>,
    /// Of the last slice.
    clients: BTreeSet<ClientId>,
    structs: u32,
    /// Structs that yrs may join to the one before, and bytes that it copies at most if it joins them all.
    joins: u64,
    join_bytes: u64,
}

impl Slices {
    /// Returns whether an update may have so much in it that it must go in in slices.
    pub(crate) fn may_be_needed(update: &ScannedUpdate<'_>) -> bool {
        let structs = update.sections().iter().map(|section| u64::from(section.struct_count())).sum::<u64>();
        let values_bytes = update.bytes().len() as u64 * VALUE_BYTES;
        update.sections().len() > SLICE_CLIENTS_MAX
            || structs > u64::from(SLICE_STRUCTS_MAX)
            || structs.saturating_mul(values_bytes) > SLICE_JOIN_BYTES_MAX
    }

    /// Adds a struct of `client`, whose clock was `from` before.
    pub(crate) fn push(&mut self, client: ClientId, from: u32, next: &Struct) {
        let continues = self.takes.last().is_some_and(|last| last.client == client);
        let join_bytes = join_bytes(client, next);
        let is_full = self.structs == SLICE_STRUCTS_MAX
            || self.join_bytes + self.joins * join_bytes > SLICE_JOIN_BYTES_MAX
            || !continues && self.clients.len() == SLICE_CLIENTS_MAX && !self.clients.contains(&client);
        if is_full || self.starts.is_empty() {
            self.starts.push(self.takes.len());
            self.clients.clear();
            (self.structs, self.joins, self.join_bytes) = (0, 0, 0);
        }
        if is_full || !continues {
            self.clients.insert(client);
            self.takes.push(Take::nothing(client, from));
        }
        self.structs += 1;
        self.join_bytes += self.joins * join_bytes;
        self.joins += u64::from(join_bytes > 0);
        if let Some(last) = self.takes.last_mut() {
            last.push(next);
        }
    }

    /// Has elements of the last struct deleted with it: several values of an entry in one item, of which yrs would keep some if the map
    /// went in a later slice.
    pub(crate) fn delete(&mut self, elements: DeleteRange) {
        self.gone.push((self.starts.len(), elements));
    }

    /// Returns how many slices there are.
    pub(crate) fn count(&self) -> usize {
        self.starts.len()
    }

    /// Returns the takes of each slice, and what is deleted with them.
    fn iter(&self) -> impl Iterator<Item = (&[Take], Vec<DeleteRange>)> {
        let ends = self.starts.iter().skip(1).copied().chain([self.takes.len()]);
        let gone = self.gone.chunk_by(|one, next| one.0 == next.0);
        let mut gone = gone.peekable();
        (1..).zip(self.starts.iter().zip(ends)).map(move |(slice, (&start, end))| {
            let gone = gone.next_if(|gone| gone[0].0 == slice).unwrap_or_default();
            (&self.takes[start..end], gone.iter().map(|(_, elements)| *elements).collect())
        })
    }
}

/// Returns the bytes that yrs copies when it joins a struct to the one before, and again for every one before that; 0 if
/// it does not.
fn join_bytes(client: ClientId, of: &Struct) -> u64 {
    let before = of.clock.checked_sub(1).map(|clock| Id { client, clock });
    match of.kind {
        StructKind::Item { content: 4 } if of.origin == before => of.span.len() as u64,
        StructKind::Item { content: 8 } if of.origin == before => u64::from(of.len) * VALUE_BYTES,
        StructKind::Item { .. } | StructKind::Gc | StructKind::Skip => 0,
    }
}

/// Integrates the slices of a plan one after another, and then the deletions.
///
/// # Errors
/// [`ApplyError::Broken`] if a slice fails after another went in: the document then holds half an update.
pub(crate) fn integrate(
    doc: &mut Contained,
    update: &Bytes,
    plan: &Plan,
    slices: &Slices,
    deletes: &[DeleteRange],
) -> Result<Changes, ApplyError> {
    let mut encoded = Vec::new();
    let mut deleted = Vec::new();
    let deletions = (!deletes.is_empty()).then(|| cut(update, &[], deletes));
    let parts = slices.iter().map(|(takes, gone)| cut(update, takes, &gone)).chain(deletions);
    for (at, part) in parts.enumerate() {
        let decoded = scan_update(&part).ok().and_then(|scanned| decode(&scanned, plan.fidelity));
        let Some(decoded) = decoded else {
            if at == 0 {
                return Err(ApplyError::Disagreement);
            }
            doc.give_up();
            return Err(ApplyError::Broken);
        };
        let changes = doc.integrate(decoded, plan.straddles).map_err(|Failed| ApplyError::Broken)?;
        deleted.extend(changes.deleted);
        encoded.extend(changes.encoded);
    }
    if encoded.is_empty() {
        return Ok(Changes { deleted, encoded: None });
    }
    let Ok(Some(merged)) = merge_in_order(&encoded) else {
        doc.give_up();
        return Err(ApplyError::Broken);
    };
    Ok(Changes { deleted, encoded: Some(merged) })
}

/// Copies the structs to take and the given deletions out of an update.
pub(crate) fn cut(update: &Bytes, takes: &[Take], deletes: &[DeleteRange]) -> Bytes {
    let mut splice = Splice::default();
    for take in takes {
        let bytes = &update[take.span.start as usize..take.span.end as usize];
        let added = splice.structs(take.client, take.clock..take.to, take.count, bytes);
        debug_assert!(added.is_ok(), "the structs of a client are taken in their order");
    }
    deletes.iter().for_each(|&range| splice.delete(range));
    splice.finish()
}
