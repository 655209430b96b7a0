//! Walks over keys in order, a page at a time.

use std::vec;

use crate::{
    key::Key,
    port::{ReadError, Store},
};

/// Keys read at a time. With values of 7 KiB a page is under 1 MiB.
const PAGE_KEYS: usize = 128;

/// The keys that begin with a prefix, and what they hold, from a key on. It ends after the first error.
pub(crate) struct Walk<'a> {
    store: &'a dyn Store,
    prefix: Vec<u8>,
    /// Where the next page begins; `None` after the last.
    from: Option<Vec<u8>>,
    page: vec::IntoIter<(Key, Vec<u8>)>,
}

impl<'a> Walk<'a> {
    /// Begins with the first key that has `prefix`.
    pub(crate) fn new(store: &'a dyn Store, prefix: Vec<u8>) -> Self {
        Self { store, from: Some(prefix.clone()), prefix, page: Vec::new().into_iter() }
    }

    /// Begins with `from`, if that has `prefix`, or the first key after it.
    pub(crate) fn from(store: &'a dyn Store, prefix: Vec<u8>, from: &Key) -> Self {
        Self { store, prefix, from: Some(from.as_bytes().to_vec()), page: Vec::new().into_iter() }
    }
}

impl Iterator for Walk<'_> {
    type Item = Result<(Key, Vec<u8>), ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(found) = self.page.next() {
            return Some(Ok(found));
        }
        let from = self.from.take()?;
        match self.store.scan(&self.prefix, &from, PAGE_KEYS) {
            Ok(page) => {
                if page.len() == PAGE_KEYS {
                    self.from = page.last().map(|(key, _)| key.successor().as_bytes().to_vec());
                }
                self.page = page.into_iter();
                self.page.next().map(Ok)
            }
            Err(error) => Some(Err(error)),
        }
    }
}
