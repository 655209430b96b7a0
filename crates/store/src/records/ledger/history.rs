//! History: what is written once, numbered, and read from some place on.

use std::collections::VecDeque;

use bytes::Bytes;
use syncline_core::id::TenantId;

use super::{LedgerReadError, Records, page};
use crate::{
    batch::Batch,
    envelope::{self, RecordTooLong},
    key::Key,
    port::Store,
};

/// Puts things of history as one page. `last` is the name of the last of them, or of what they lie beside; each page has a
/// greater one than those before it.
///
/// # Errors
/// [`RecordTooLong`]; nothing is put then.
pub fn put_history<'t>(
    batch: &mut Batch,
    tenant: TenantId,
    last: &[u8],
    things: impl IntoIterator<Item = (&'t [u8], &'t [u8])>,
) -> Result<(), RecordTooLong> {
    let mut bytes = Vec::new();
    for (name, thing) in things {
        page::push(&mut bytes, name, Some(thing));
    }
    let values = envelope::seal(|chunk| Key::ledger(tenant, last, chunk), &bytes)?;
    values.into_iter().for_each(|(key, value)| batch.put_new(key, value));
    Ok(())
}

/// Returns the things of the pages of history whose names begin with `tag` and come after `after`, one by one: it holds one page
/// at a time. The first page may begin before that place. Behind an error nothing is promised.
pub fn history<'a>(
    store: &'a dyn Store,
    tenant: TenantId,
    tag: u8,
    after: &[u8],
) -> impl Iterator<Item = Result<(Bytes, Bytes), LedgerReadError>> + use<'a> {
    let mut pages = Records::after(store, tenant, &[tag], Some(after));
    let mut things = VecDeque::new();
    std::iter::from_fn(move || {
        while things.is_empty() {
            match pages.next()? {
                Ok((name, bytes)) => match page::entries(bytes) {
                    Ok(entries) => things.extend(entries),
                    Err(source) => return Some(Err(LedgerReadError::Damaged { name, source })),
                },
                Err(error) => return Some(Err(error)),
            }
        }
        let page::Entry { name, bytes } = things.pop_front()?;
        Some(Ok((name, bytes.unwrap_or_default())))
    })
}

/// A page of history, of which some may be removed.
#[derive(Clone, Debug)]
pub struct HistoryPage {
    name: Vec<u8>,
    /// What it takes in the store.
    bytes: usize,
    entries: Vec<page::Entry>,
}

/// Returns the pages of history whose names begin with `tag` and come after `after`, one by one. Behind an error nothing is promised.
pub fn history_pages<'a>(
    store: &'a dyn Store,
    tenant: TenantId,
    tag: u8,
    after: &[u8],
) -> impl Iterator<Item = Result<HistoryPage, LedgerReadError>> + use<'a> {
    Records::after(store, tenant, &[tag], Some(after)).map(|found| {
        let (name, bytes) = found?;
        let length = bytes.len();
        match page::entries(bytes) {
            Ok(entries) => Ok(HistoryPage { name, bytes: length, entries }),
            Err(source) => Err(LedgerReadError::Damaged { name, source }),
        }
    })
}

impl HistoryPage {
    /// Returns the name of the page: that of the last of its things, or of what they lie beside.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// Returns what it holds, by its names.
    pub fn things(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().map(|entry| (&entry.name[..], entry.bytes.as_deref().unwrap_or_default()))
    }

    /// Puts what is to be kept in place of the page, if that is not all.
    ///
    /// # Errors
    /// [`RecordTooLong`]: never, as what was put is longer.
    pub fn retain(
        &self,
        batch: &mut Batch,
        tenant: TenantId,
        keeps: impl Fn(&[u8]) -> bool,
    ) -> Result<(), RecordTooLong> {
        let kept: Vec<_> = self.things().filter(|(name, _)| keeps(name)).collect();
        if kept.len() == self.entries.len() {
            return Ok(());
        }
        let mut bytes = Vec::new();
        for (name, thing) in &kept {
            page::push(&mut bytes, name, Some(thing));
        }
        let values = envelope::seal(|chunk| Key::ledger(tenant, &self.name, chunk), &bytes)?;
        let had = envelope::chunk_count(self.bytes).unwrap_or(u16::MAX);
        let stay = if kept.is_empty() { 0 } else { values.len() as u16 };
        (stay..=had).for_each(|chunk| batch.delete(Key::ledger(tenant, &self.name, chunk)));
        values.into_iter().take(stay.into()).for_each(|(key, value)| batch.put(key, value));
        Ok(())
    }
}
