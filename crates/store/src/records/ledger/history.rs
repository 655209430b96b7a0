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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{envelope::BODY_BYTES_MAX, mem::MemoryStore, verify::verify};

    const TAG: u8 = 128;
    const OURS: TenantId = TenantId::DEFAULT;
    const THEIRS: TenantId = TenantId(4);

    type Model = BTreeMap<Vec<u8>, Vec<u8>>;

    fn name_of(index: u64) -> Vec<u8> {
        [&[TAG][..], &index.to_be_bytes()].concat()
    }

    fn told(store: &MemoryStore, tenant: TenantId) -> Vec<(Vec<u8>, Vec<u8>)> {
        let things = history(store, tenant, TAG, &name_of(0));
        things
            .map(|thing| thing.expect("read"))
            .map(|(name, thing)| (name.to_vec(), thing.to_vec()))
            .collect()
    }

    /// Pages of things, each of so many bytes.
    fn pages() -> impl Strategy<Value = Vec<Vec<usize>>> {
        let bytes = prop_oneof![4 => 0..20_usize, 1 => BODY_BYTES_MAX - 40..BODY_BYTES_MAX + 2, 1 => 0..3 * BODY_BYTES_MAX];
        vec(vec(bytes, 1..5), 1..8)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

        /// Whatever is removed, in whatever portions and however often, is stored nowhere any more; all else is read as it was
        /// written, from any place on, and nothing of another tenant is touched.
        #[test]
        fn pages_hold_what_is_retained(pages in pages(), rounds in vec(vec(any::<prop::sample::Index>(), 0..6), 1..5)) {
            let mut store = MemoryStore::new();
            let mut model = Model::new();
            let mut index = 0;
            for lengths in pages {
                let mut things = Vec::new();
                for bytes in lengths {
                    index += 1;
                    things.push((name_of(index), vec![index as u8; bytes]));
                }
                for tenant in [OURS, THEIRS] {
                    let mut batch = Batch::new();
                    let last = name_of(index);
                    let each = things.iter().map(|(name, thing)| (&name[..], &thing[..]));
                    put_history(&mut batch, tenant, &last, each).expect("it fits");
                    store.commit(batch).expect("stored");
                }
                model.extend(things);
            }
            let whole: Vec<_> = model.clone().into_iter().collect();
            for doomed in rounds {
                let doomed: BTreeSet<_> = doomed.into_iter().map(|of| name_of(1 + of.index(index as usize) as u64)).collect();
                let found: Vec<_> = history_pages(&store, OURS, TAG, &name_of(0)).map(|page| page.expect("read")).collect();
                for page in found {
                    let mut batch = Batch::new();
                    page.retain(&mut batch, OURS, |name| !doomed.contains(name)).expect("it fits");
                    let is_touched = page.things().any(|(name, _)| doomed.contains(name));
                    prop_assert_eq!(batch.is_empty(), !is_touched);
                    store.commit(batch).expect("stored");
                }
                model.retain(|name, _| !doomed.contains(name));
                let want: Vec<_> = model.clone().into_iter().collect();
                prop_assert_eq!(told(&store, OURS), want);
                let held: usize = model.iter().map(|(name, thing)| 6 + name.len() + thing.len()).sum();
                let stored = store.live().iter().filter(|(key, _)| key.tenant() == Some(OURS));
                let (keys, bytes) = stored.fold((0, 0), |(keys, bytes), (_, value)| (keys + 1, bytes + value.len()));
                prop_assert_eq!(bytes, held + keys * envelope::HEADER_BYTES, "no byte more is stored");
            }
            prop_assert_eq!(told(&store, THEIRS), whole);
            prop_assert_eq!(verify(&store).expect("read").garbage_chunks, 0);
        }
    }
}
