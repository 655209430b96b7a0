//! What ties records to each other, found without looking at all of them.
//!
//! It is derived from the records when the ledger is loaded, and moves on with each of their changes; nothing of it is stored.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::entity::{
    Decision, EntityKey, EntityType, FieldName, OnDelete, Op, Others, Promises, Record, Reference, Scene,
    TypeName, decide, referred,
};

use super::Ledger;

/// Which records refer to which, by fields that restrict a deletion.
#[derive(Debug, Default)]
pub(super) struct Ties {
    /// Of each type that ties its records, by what: all of its records that live are in here accordingly.
    kinds: BTreeMap<TypeName, Vec<Reference>>,
    referrers: BTreeMap<EntityKey, BTreeSet<(EntityKey, FieldName)>>,
}

/// The records as the next op finds them.
pub(super) struct Surroundings<'a> {
    pub(super) ledger: &'a Ledger,
    /// Those that ops have changed which stand or fall with it.
    pub(super) changed: &'a BTreeMap<EntityKey, Record>,
}

impl Ties {
    /// Notes that a record has changed.
    pub(super) fn replace(&mut self, key: &EntityKey, before: Option<&Record>, after: Option<&Record>) {
        let Some(refs) = self.kinds.get(&key.kind) else { return };
        for (to, field) in before.into_iter().flat_map(|record| references(refs, record)) {
            if let Some(referrers) = self.referrers.get_mut(&to) {
                referrers.remove(&(key.clone(), field));
                if referrers.is_empty() {
                    self.referrers.remove(&to);
                }
            }
        }
        for (to, field) in after.into_iter().flat_map(|record| references(refs, record)) {
            self.referrers.entry(to).or_default().insert((key.clone(), field));
        }
    }
}

impl Ledger {
    /// Finds the ties of a type's records again, if it ties them by other settings than before.
    pub(super) fn tie(&mut self, kind: &TypeName) {
        let refs: Vec<Reference> = self.types.get(kind).map(restricting).unwrap_or_default();
        if self.ties.kinds.get(kind).map_or(&[][..], Vec::as_slice) == refs {
            return;
        }
        self.ties.referrers.retain(|_, referrers| {
            referrers.retain(|(key, _)| key.kind != *kind);
            !referrers.is_empty()
        });
        self.ties.kinds.insert(kind.clone(), refs);
        for (key, record) in self.records.iter().filter(|(key, _)| key.kind == *kind) {
            self.ties.replace(key, None, Some(record));
        }
    }
}

impl Ledger {
    /// Decides an op of the server, of which no rule and nobody is asked: it is done or refused.
    pub(super) fn decide_alone(&self, ty: &EntityType, key: &EntityKey, op: &Op) -> Decision {
        let (record, changed) = (self.record(key), BTreeMap::new());
        let scene = Scene { ty, actors: &self.actors, ruling: None };
        let others = Surroundings { ledger: self, changed: &changed };
        let promises = Promises { scene: &scene, others: &others, key, record, may_wait: false };
        promises.keep(op, decide(&scene, record, op))
    }
}

impl Surroundings<'_> {
    fn record(&self, key: &EntityKey) -> Option<&Record> {
        self.changed.get(key).or_else(|| self.ledger.record(key))
    }
}

impl Others for Surroundings<'_> {
    fn is_deleted(&self, key: &EntityKey) -> bool {
        self.record(key).is_some_and(|record| record.deleted)
    }

    fn referrers(&self, key: &EntityKey, count_max: usize) -> Vec<(EntityKey, FieldName)> {
        let known = self.ledger.ties.referrers.get(key).into_iter().flatten();
        let unchanged = known.filter(|(referrer, _)| !self.changed.contains_key(referrer)).cloned();
        let changed = self.changed.iter().flat_map(|(referrer, record)| {
            let refs = self.ledger.ties.kinds.get(&referrer.kind).map_or(&[][..], Vec::as_slice);
            let here = references(refs, record).filter(|(to, _)| to == key);
            here.map(|(_, field)| (referrer.clone(), field))
        });
        unchanged.chain(changed).take(count_max).collect()
    }
}

/// Returns what a record refers to; a tombstone refers to nothing.
fn references<'a>(
    refs: &'a [Reference],
    record: &'a Record,
) -> impl Iterator<Item = (EntityKey, FieldName)> + 'a {
    refs.iter().filter_map(|Reference { field, target, .. }| {
        Some((referred(target, record.value(field)?)?, field.clone()))
    })
}

fn restricting(ty: &EntityType) -> Vec<Reference> {
    ty.refs.iter().filter(|reference| reference.on_delete == OnDelete::Restrict).cloned().collect()
}
