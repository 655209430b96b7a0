//! Scopes: what a device follows, as sets of buckets.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use syncline_core::entity::bucket::Bucket;
use syncline_core::entity::{EntityType, Record, TypeName};

use super::Ledger;

/// The records of one type in one bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Section {
    /// The type.
    pub kind: TypeName,
    /// The bucket.
    pub bucket: Bucket,
}

/// A scope whose placeholders are filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Its name.
    pub name: TypeName,
    /// What it holds.
    pub sections: BTreeSet<Section>,
}

/// The first 8 bytes of a SHA-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortHash(pub [u8; 8]);

impl Scope {
    /// Returns the scope that each type is by itself.
    #[must_use]
    pub fn of_type(kind: TypeName) -> Self {
        Self { name: kind.clone(), sections: [Section { bucket: Bucket::whole(&kind), kind }].into() }
    }

    /// Returns what a scope is to someone who may not read it: nothing.
    #[must_use]
    pub const fn nothing(name: TypeName) -> Self {
        Self { name, sections: BTreeSet::new() }
    }

    /// Returns whether no record can be in it twice, so that its checksum is that of its sections added up.
    pub(super) fn is_disjoint(&self) -> bool {
        let mut own =
            self.sections.iter().filter(|section| !section.is_whole()).map(|section| &section.bucket);
        let first = own.next();
        own.all(|bucket| Some(bucket) == first)
            && (first.is_none() || self.sections.iter().all(|section| !section.is_whole()))
    }
}

impl Section {
    fn is_whole(&self) -> bool {
        self.bucket == Bucket::whole(&self.kind)
    }
}

impl ShortHash {
    /// Returns the hash of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self::first_of(Sha256::new_with_prefix(text))
    }

    /// Returns the hash of texts in this order, each with its length before it.
    #[must_use]
    pub fn of_all<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hasher = Sha256::new();
        for text in texts {
            hasher.update((text.len() as u64).to_be_bytes());
            hasher.update(text);
        }
        Self::first_of(hasher)
    }

    pub(super) fn first_of(hasher: Sha256) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize()[..8]);
        Self(first)
    }
}

impl Ledger {
    /// Returns a hash of what a scope holds: of its buckets, and of how their types fill them.
    pub(super) fn hash_of(&self, scope: &Scope) -> ShortHash {
        let mut texts = Vec::new();
        for section in &scope.sections {
            let filling = self.fillings.get(&section.kind).filter(|_| !section.is_whole());
            let changes = filling.map_or(0, |filling| filling.changes).to_string();
            texts.extend([section.kind.as_str().to_owned(), section.bucket.as_str().to_owned(), changes]);
        }
        let texts = texts.iter().map(String::as_str);
        ShortHash::of_all(texts)
    }
}

/// Returns the buckets that a record is in besides that of its type.
pub(super) fn buckets_of(ty: &EntityType, record: &Record) -> BTreeSet<Bucket> {
    if ty.buckets.is_empty() {
        return BTreeSet::new();
    }
    let mut buckets = ty.buckets_of(&record.data());
    buckets.remove(&Bucket::whole(&ty.name));
    buckets
}
