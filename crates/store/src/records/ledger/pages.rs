//! The pages of what is no history.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use bytes::Bytes;
use syncline_core::id::TenantId;

use super::{
    LedgerReadError, PAGE, Records,
    page::{self, Entry},
};
use crate::{
    batch::Batch,
    envelope::{self, RecordTooLong},
    key::Key,
    port::Store,
};

/// Bytes of pages up to which none is rewritten.
const PAGES_BYTES_MIN: u64 = 1 << 20;

/// Pages that are rewritten with one commit.
const WORN_MAX: usize = 32;

/// Writes what a ledger keeps, page by page, and knows in which page each thing is.
#[derive(Clone, Debug)]
pub struct LedgerShelf {
    tenant: TenantId,
    /// The number of the next page.
    next: u64,
    /// Only looked into, so its order is never seen.
    places: HashMap<Box<[u8]>, Standing>,
    pages: BTreeMap<u64, Wear>,
    /// Pages of which less than half counts.
    worn: BTreeSet<u64>,
    /// Bytes of all pages, and of what counts in them.
    bytes: u64,
    live: u64,
}

/// Where a thing is, or where it says that it is there no more.
#[derive(Clone, Copy, Debug)]
struct Standing {
    page: u64,
    /// What it takes there.
    bytes: u32,
    /// How many pages hold it, or say that it is there no more.
    copies: u32,
    is_gone: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wear {
    bytes: u64,
    live: u64,
}

/// The pages that are to be rewritten.
#[derive(Clone, Debug)]
pub struct WornPages {
    tenant: TenantId,
    numbers: Vec<u64>,
}

/// A page that is to be rewritten, and what it holds.
#[derive(Clone, Debug)]
pub struct WornPage {
    number: u64,
    entries: Vec<Entry>,
}

impl LedgerShelf {
    /// Gives what the ledger of `tenant` keeps to `each`, in the order of the names, but for history.
    ///
    /// # Errors
    /// [`LedgerReadError`]: the store cannot be read, or holds something that was not written.
    pub fn load(
        store: &dyn Store,
        tenant: TenantId,
        mut each: impl FnMut(Bytes, Bytes),
    ) -> Result<Self, LedgerReadError> {
        let (places, pages, worn) = Default::default();
        let mut shelf = Self { tenant, next: 1, places, pages, worn, bytes: 0, live: 0 };
        let mut found = Vec::new();
        for record in Records::after(store, tenant, &[PAGE], None) {
            let (name, bytes) = record?;
            let damaged = |source| LedgerReadError::Damaged { name: name.clone(), source };
            let Some(number) = number_of(&name) else { continue };
            shelf.begin(number, bytes.len());
            let entries = page::entries(bytes).map_err(damaged)?;
            found.extend(entries.into_iter().map(|entry| (number, entry)));
        }
        // Pages come by their numbers, and entries of one name stay in that order.
        found.sort_by(|(_, a), (_, b)| a.name.cmp(&b.name));
        let mut found = found.into_iter().peekable();
        while let Some((number, entry)) = found.next() {
            shelf.note(number, &entry.name, page::taken(&entry), entry.bytes.is_none());
            let is_last = found.peek().is_none_or(|(_, next)| next.name != entry.name);
            match entry.bytes {
                Some(bytes) if is_last => each(entry.name, bytes),
                Some(_) | None => {}
            }
        }
        let worn = shelf.pages.iter().filter(|(_, page)| page.is_worn()).map(|(&number, _)| number);
        shelf.worn = worn.collect();
        Ok(shelf)
    }

    /// Puts things, or that they are there no more, as one page; of a name that comes twice the last counts. What counts of
    /// `worn` pages goes with it, and they are deleted.
    ///
    /// # Errors
    /// [`RecordTooLong`]; nothing is put then, and the shelf is of no use any more.
    pub fn put<'t>(
        &mut self,
        batch: &mut Batch,
        things: impl IntoIterator<Item = (&'t [u8], Option<&'t [u8]>)>,
        worn: &[WornPage],
    ) -> Result<(), RecordTooLong> {
        let things: Vec<_> = things.into_iter().collect();
        let number = self.next;
        let mut page =
            Vec::with_capacity(things.iter().map(|(_, thing)| 64 + thing.map_or(0, <[u8]>::len)).sum());
        self.begin(number, 0);
        // Of what never was there nothing need be said.
        let mut never = HashSet::new();
        for (name, thing) in things.into_iter().rev() {
            let before = self.places.get(name).map(|standing| standing.page);
            if before.is_none() && thing.is_none() {
                never.insert(name);
            } else if before.is_none_or(|before| before < number) && !never.contains(name) {
                let taken = page::push(&mut page, name, thing);
                self.note(number, name, taken, thing.is_none());
            }
        }
        for WornPage { number: from, entries } in worn {
            for entry in entries {
                if self.counts(*from, entry) {
                    let taken = page::push(&mut page, &entry.name, entry.bytes.as_deref());
                    self.note(number, &entry.name, taken, entry.bytes.is_none());
                }
            }
        }
        if page.is_empty() {
            self.pages.remove(&number);
            self.next = number;
        } else {
            self.begin(number, page.len());
            self.check(number);
            let values = envelope::seal(|chunk| self.key(number, chunk), &page)?;
            values.into_iter().for_each(|(key, value)| batch.put_new(key, value));
        }
        worn.iter().for_each(|page| self.remove(batch, page));
        Ok(())
    }

    /// Returns the pages that are to be given to [`put`](Self::put) next, if it is time for that.
    #[must_use]
    pub fn worn(&self) -> Option<WornPages> {
        let is_time = self.bytes >= PAGES_BYTES_MIN && self.live < self.bytes / 2;
        let numbers = || self.worn.iter().take(WORN_MAX).copied().collect();
        is_time.then(|| WornPages { tenant: self.tenant, numbers: numbers() })
    }

    /// Returns all pages, some at a time: when each has been given to [`put`](Self::put), no page holds a thing any more that was
    /// replaced, or is there no more.
    #[must_use]
    pub fn all(&self) -> Vec<WornPages> {
        let numbers: Vec<u64> = self.pages.keys().copied().collect();
        numbers
            .chunks(WORN_MAX)
            .map(|some| WornPages { tenant: self.tenant, numbers: some.to_vec() })
            .collect()
    }

    fn key(&self, number: u64, chunk: u16) -> Key {
        Key::ledger(self.tenant, &name_of(number), chunk)
    }

    fn begin(&mut self, number: u64, bytes: usize) {
        self.next = self.next.max(number.saturating_add(1));
        self.bytes += bytes as u64;
        self.pages.entry(number).or_default().bytes = bytes as u64;
    }

    /// Notes that a thing is in a page, behind all where it was. The caller looks afterwards whether that page is worn.
    fn note(&mut self, number: u64, name: &[u8], taken: u32, is_gone: bool) {
        let mut standing = Standing { page: number, bytes: taken, copies: 1, is_gone };
        match self.places.get_mut(name) {
            Some(place) => {
                standing.copies += place.copies;
                let before = std::mem::replace(place, standing);
                if before.is_counted() {
                    self.wear(before.page, before.bytes);
                }
            }
            None => drop(self.places.insert(name.into(), standing)),
        }
        if standing.is_counted() {
            self.pages.entry(number).or_default().live += u64::from(taken);
            self.live += u64::from(taken);
        }
    }

    /// Something in a page counts no more.
    fn wear(&mut self, number: u64, bytes: u32) {
        if let Some(page) = self.pages.get_mut(&number) {
            page.live -= u64::from(bytes);
            self.live -= u64::from(bytes);
        }
        self.check(number);
    }

    fn check(&mut self, number: u64) {
        let is_worn = self.pages.get(&number).is_some_and(Wear::is_worn);
        if is_worn {
            self.worn.insert(number)
        } else {
            self.worn.remove(&number)
        };
    }

    /// Returns whether this is what is known of the thing.
    fn counts(&self, number: u64, entry: &Entry) -> bool {
        self.places
            .get(&entry.name[..])
            .is_some_and(|standing| standing.page == number && standing.is_counted())
    }

    /// Removes a page of which nothing counts any more.
    fn remove(&mut self, batch: &mut Batch, WornPage { number, entries }: &WornPage) {
        let Some(Wear { bytes, .. }) = self.pages.remove(number) else { return };
        for entry in entries {
            let Some(standing) = self.places.get_mut(&entry.name[..]) else { continue };
            let was_counted = standing.is_counted();
            standing.copies -= 1;
            let now = *standing;
            if now.copies == 0 {
                self.places.remove(&entry.name[..]);
            } else if was_counted && !now.is_counted() {
                self.wear(now.page, now.bytes);
            }
        }
        self.worn.remove(number);
        self.bytes -= bytes;
        // What was put has no more chunks than can be.
        let chunks = envelope::chunk_count(bytes as usize).unwrap_or(u16::MAX);
        (0..=chunks).for_each(|chunk| batch.delete(self.key(*number, chunk)));
    }
}

impl Wear {
    const fn is_worn(&self) -> bool {
        self.live < self.bytes / 2
    }
}

impl Standing {
    /// That a thing is there no more counts as long as another page holds it.
    const fn is_counted(&self) -> bool {
        !self.is_gone || self.copies > 1
    }
}

impl WornPages {
    /// Reads them.
    ///
    /// # Errors
    /// [`LedgerReadError`]: the store cannot be read, or holds something that was not written.
    pub fn read(&self, store: &dyn Store) -> Result<Vec<WornPage>, LedgerReadError> {
        let read = |&number: &u64| {
            let name = name_of(number);
            let record = Records::after(store, self.tenant, &name, None).next();
            let (name, bytes) = record.transpose()?.unwrap_or_else(|| (name.to_vec(), Bytes::new()));
            let entries = page::entries(bytes).map_err(|source| LedgerReadError::Damaged { name, source })?;
            Ok(WornPage { number, entries })
        };
        self.numbers.iter().map(read).collect()
    }
}

fn name_of(number: u64) -> [u8; 9] {
    let mut name = [PAGE; 9];
    name[1..].copy_from_slice(&number.to_be_bytes());
    name
}

fn number_of(name: &[u8]) -> Option<u64> {
    let number = name.strip_prefix(&[PAGE])?;
    number.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{envelope::BODY_BYTES_MAX, mem::MemoryStore, verify::verify};

    const TENANT: TenantId = TenantId::DEFAULT;

    type Model = BTreeMap<Vec<u8>, Bytes>;

    /// Commits, each of some names and how many bytes are put there; nothing deletes it.
    fn commits() -> impl Strategy<Value = Vec<Vec<(u8, Option<usize>)>>> {
        let bytes = prop_oneof![4 => 0..20_usize, 1 => BODY_BYTES_MAX - 20..BODY_BYTES_MAX + 2, 1 => 0..5 * BODY_BYTES_MAX];
        let thing = (1..6_u8, prop::option::weighted(0.7, bytes));
        prop::collection::vec(prop::collection::vec(thing, 0..5), 0..30)
    }

    fn load(store: &MemoryStore) -> (LedgerShelf, Model) {
        let mut found = Model::new();
        let mut last = None;
        let shelf = LedgerShelf::load(store, TENANT, |name, bytes| {
            assert!(
                last.replace(name.to_vec()).is_none_or(|last| last[..] < *name),
                "they come in their order"
            );
            found.insert(name.to_vec(), bytes);
        });
        (shelf.expect("the store is read"), found)
    }

    /// What the shelf knows beside the things themselves.
    fn known(shelf: &LedgerShelf) -> (u64, u64, Vec<(u64, Wear)>, Vec<u64>) {
        let pages = shelf.pages.iter().map(|(&number, &page)| (number, page)).collect();
        (shelf.bytes, shelf.live, pages, shelf.worn.iter().copied().collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

        /// Things of all lengths are put over each other and deleted, with pages rewritten and restarts in between, as in a map;
        /// what the shelf knows is what it would know after a restart; and when all is rewritten, nothing is left but what counts.
        #[test]
        fn a_shelf_is_a_map(commits in commits(), restart in 0..30_usize, rewrite in 1..5_usize) {
            let mut store = MemoryStore::new();
            let (mut shelf, mut model) = load(&store);
            for (at, things) in commits.into_iter().enumerate() {
                if at == restart {
                    shelf = load(&store).0;
                }
                let things: Vec<_> = things.into_iter().map(|(name, bytes)| (vec![name, 0], bytes.map(|bytes| vec![at as u8; bytes]))).collect();
                let is_time = at % rewrite == 0;
                let numbers = shelf.worn.iter().copied().filter(|_| is_time).collect();
                let worn = WornPages { tenant: TENANT, numbers }.read(&store).expect("they are there");
                let mut batch = Batch::new();
                shelf.put(&mut batch, things.iter().map(|(name, bytes)| (&name[..], bytes.as_deref())), &worn).expect("short");
                store.commit(batch).expect("stored");
                for (name, bytes) in things {
                    match bytes {
                        Some(bytes) => drop(model.insert(name, bytes.into())),
                        None => drop(model.remove(&name)),
                    }
                }
                let (again, found) = load(&store);
                prop_assert_eq!(&found, &model);
                prop_assert_eq!(known(&again), known(&shelf));
                let live: usize = model.iter().map(|(name, bytes)| 6 + name.len() + bytes.len()).sum();
                prop_assert!(shelf.live >= live as u64);
            }
            for _ in 0..2 {
                let all = WornPages { tenant: TENANT, numbers: shelf.pages.keys().copied().collect() };
                let mut batch = Batch::new();
                shelf.put(&mut batch, [], &all.read(&store).expect("they are there")).expect("short");
                store.commit(batch).expect("stored");
            }
            prop_assert_eq!(&load(&store).1, &model);
            prop_assert_eq!((shelf.live, shelf.places.len()), (shelf.bytes, model.len()));
            LedgerShelf::load(&store, TenantId(4), |_, _| unreachable!("it is another's")).expect("read");
            let report = verify(&store).expect("read");
            prop_assert_eq!((report.ledger_records, report.garbage_chunks, &report.faults[..]), (shelf.pages.len() as u64, 0, &[][..]));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// What erasures rest on: when all pages were rewritten once, in portions, of each thing the last bytes are stored and no
        /// others, whatever happened before, and the shelf goes on as it would after a restart.
        #[test]
        fn rewritten_pages_hold_only_what_counts(commits in prop::collection::vec(commits(), 1..6)) {
            let mut store = MemoryStore::new();
            let (mut shelf, _) = load(&store);
            for (at, things) in commits.into_iter().flatten().enumerate() {
                let things: Vec<_> = things.into_iter().map(|(name, bytes)| (vec![name, 0], bytes.map(|bytes| vec![at as u8; bytes.min(200)]))).collect();
                let mut batch = Batch::new();
                shelf.put(&mut batch, things.iter().map(|(name, bytes)| (&name[..], bytes.as_deref())), &[]).expect("short");
                store.commit(batch).expect("stored");
            }
            let model = load(&store).1;
            for pages in shelf.all() {
                let mut batch = Batch::new();
                shelf.put(&mut batch, [], &pages.read(&store).expect("they are there")).expect("short");
                store.commit(batch).expect("stored");
            }
            let mut stored = Vec::new();
            for record in Records::after(&store, TENANT, &[PAGE], None) {
                let entries = page::entries(record.expect("read").1).expect("it is a page");
                stored.extend(entries.into_iter().filter_map(|entry| Some((entry.name.to_vec(), entry.bytes?))));
            }
            stored.sort();
            prop_assert_eq!(&stored, &model.clone().into_iter().collect::<Vec<_>>());
            let (again, found) = load(&store);
            prop_assert_eq!(&found, &model);
            prop_assert_eq!(known(&again), known(&shelf));
        }
    }

    /// A page is rewritten when it is time, and not before.
    #[test]
    fn pages_wear_out() {
        let mut store = MemoryStore::new();
        let mut shelf = load(&store).0;
        let bytes = vec![7; 10_000];
        let mut rewritten = 0;
        for at in 0..400_u32 {
            let worn =
                shelf.worn().map(|worn| worn.read(&store).expect("they are there")).unwrap_or_default();
            rewritten += worn.len();
            let mut batch = Batch::new();
            // One thing stays of each page, and one is replaced by the next.
            let stays = at.to_be_bytes();
            shelf
                .put(&mut batch, [(&b"hot"[..], Some(&bytes[..])), (&stays[..], Some(&b"x"[..]))], &worn)
                .expect("short");
            store.commit(batch).expect("stored");
            assert!(shelf.bytes < PAGES_BYTES_MIN + 40_000, "{at}: {}", shelf.bytes);
        }
        assert!(rewritten > 250, "{rewritten}");
        assert_eq!(load(&store).1.len(), 401);
    }
}
