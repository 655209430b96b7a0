//! What ties records to each other, found without looking at all of them.
//!
//! It is derived from the records when the ledger is loaded, and moves on with each of their changes; nothing of it is stored.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use syncline_core::entity::{
    Decision, EntityId, EntityKey, EntityType, FieldName, OnDelete, Op, Others, Promises, Record, Reference,
    Scene, TypeName, Value, decide, referred,
};
use syncline_core::limits::FAULTS_TOLD_MAX;

use super::Ledger;

/// Which records refer to which by fields that restrict a deletion, and which hold what no others may.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Ties {
    /// Of each type that ties its records: all of its records that live are in here accordingly.
    kinds: BTreeMap<TypeName, OfKind>,
    referrers: BTreeMap<EntityKey, BTreeSet<(EntityKey, FieldName)>>,
}

/// By what a type ties its records.
#[derive(Debug, Default, PartialEq, Eq)]
struct OfKind {
    refs: Vec<Reference>,
    unique: Vec<Unique>,
}

/// Fields of which no two records hold the same.
#[derive(Debug, PartialEq, Eq)]
struct Unique {
    fields: Vec<FieldName>,
    holders: BTreeMap<Vec<Value>, EntityId>,
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
        let Some(OfKind { refs, unique }) = self.kinds.get_mut(&key.kind) else { return };
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
        unique.iter_mut().for_each(|unique| unique.replace(&key.id, before, after));
    }

    /// Returns whether the records of a type are tied to others.
    pub(super) fn is_tied(&self, kind: &TypeName) -> bool {
        self.of(kind).is_some_and(|of| !of.refs.is_empty() || !of.unique.is_empty())
    }

    fn of(&self, kind: &TypeName) -> Option<&OfKind> {
        self.kinds.get(kind)
    }
}

impl OfKind {
    fn new(ty: &EntityType) -> Self {
        let restricting = ty.refs.iter().filter(|reference| reference.on_delete == OnDelete::Restrict);
        let unique = ty.unique.iter().map(|fields| Unique::new(fields.clone()));
        Self { refs: restricting.cloned().collect(), unique: unique.collect() }
    }

    fn is_like(&self, other: &Self) -> bool {
        let fields = |of: &Self| of.unique.iter().map(|unique| unique.fields.clone()).collect::<Vec<_>>();
        self.refs == other.refs && fields(self) == fields(other)
    }
}

impl Unique {
    const fn new(fields: Vec<FieldName>) -> Self {
        Self { fields, holders: BTreeMap::new() }
    }

    fn replace(&mut self, id: &EntityId, before: Option<&Record>, after: Option<&Record>) {
        let values = |record: &Record| held(&self.fields, record);
        let (before, after) = (before.and_then(values), after.and_then(values));
        if before == after {
            return;
        }
        if let Some(before) = before.filter(|before| self.holders.get(before) == Some(id)) {
            self.holders.remove(&before);
        }
        if let Some(after) = after {
            self.holders.entry(after).or_insert_with(|| id.clone());
        }
    }
}

impl Ledger {
    /// Finds the ties of a type's records again, if it ties them by other settings than before.
    pub(super) fn tie(&mut self, kind: &TypeName) {
        let ties = self.types.get(kind).map(OfKind::new).unwrap_or_default();
        if ties.is_like(self.ties.of(kind).unwrap_or(&OfKind::default())) {
            return;
        }
        self.ties.referrers.retain(|_, referrers| {
            referrers.retain(|(key, _)| key.kind != *kind);
            !referrers.is_empty()
        });
        self.ties.kinds.insert(kind.clone(), ties);
        for (key, record) in self.records.iter().filter(|(key, _)| key.kind == *kind) {
            self.ties.replace(key, None, Some(&record.read()));
        }
    }

    /// Returns fields of a type in which records agree already that may not, with some of the records.
    pub(super) fn colliding(&self, ty: &EntityType) -> Option<(Vec<FieldName>, Vec<EntityId>)> {
        let known = self.ties.of(&ty.name).map_or(&[][..], |of| &of.unique);
        let new = ty.unique.iter().filter(|fields| !known.iter().any(|known| known.fields == **fields));
        new.into_iter().find_map(|fields| {
            let mut holders: BTreeMap<Vec<Value>, Vec<&EntityId>> = BTreeMap::new();
            for (key, record) in self.records.iter().filter(|(key, _)| key.kind == ty.name) {
                held(fields, &record.read())
                    .into_iter()
                    .for_each(|values| holders.entry(values).or_default().push(&key.id));
            }
            let mut found = holders.into_values().filter(|ids| ids.len() > 1).flatten().take(FAULTS_TOLD_MAX);
            let first = found.next()?;
            Some((fields.clone(), [first].into_iter().chain(found).cloned().collect()))
        })
    }

    /// Decides an op of the server, of which no rule and nobody is asked: it is done or refused.
    pub(super) fn decide_alone(&self, ty: &EntityType, key: &EntityKey, op: &Op) -> Decision {
        let (record, changed) = (self.record(key), BTreeMap::new());
        let record = record.as_ref();
        let scene = Scene { ty, actors: &self.actors, ruling: None };
        let others = Surroundings { ledger: self, changed: &changed };
        let promises = Promises { scene: &scene, others: &others, key, record, may_wait: false };
        promises.keep(op, decide(&scene, record, op))
    }
}

impl Surroundings<'_> {
    fn record(&self, key: &EntityKey) -> Option<Cow<'_, Record>> {
        let changed = self.changed.get(key).map(Cow::Borrowed);
        changed.or_else(|| self.ledger.record(key).map(Cow::Owned))
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
            let refs = self.ledger.ties.of(&referrer.kind).map_or(&[][..], |of| &of.refs);
            let here = references(refs, record).filter(|(to, _)| to == key);
            here.map(|(_, field)| (referrer.clone(), field))
        });
        unchanged.chain(changed).take(count_max).collect()
    }

    fn holder(&self, key: &EntityKey, fields: &[FieldName], values: &[Value]) -> Option<EntityKey> {
        let known = self.ledger.ties.of(&key.kind).map_or(&[][..], |of| &of.unique);
        let unique = known.iter().find(|unique| unique.fields == fields)?;
        let known = unique.holders.get(values).map(|id| EntityKey { kind: key.kind.clone(), id: id.clone() });
        let known = known.filter(|holder| holder != key && !self.changed.contains_key(holder));
        known.or_else(|| {
            let mut changed =
                self.changed.iter().filter(|(other, _)| other.kind == key.kind && *other != key);
            let holder = changed.find(|(_, record)| held(fields, record).as_deref() == Some(values));
            holder.map(|(holder, _)| holder.clone())
        })
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

/// Returns what a record holds in some fields, if it holds something in each; a tombstone holds nothing.
fn held(fields: &[FieldName], record: &Record) -> Option<Vec<Value>> {
    fields.iter().map(|field| record.value(field).filter(|value| **value != Value::Null).cloned()).collect()
}
