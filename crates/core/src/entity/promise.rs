//! What types promise across records.
//!
//! A decision is about one record. What it would do may break what the type promises of several: that no deletion leaves a
//! reference behind, that no two hold the same. Then it is decided once more, by [`Promises::keep`]:
//!
//! * a deletion of what is referred to is refused, and kept in a conflict;
//! * values that would break a promise are held back: the rest of the op is done, and people decide about these;
//! * where they cannot be held back the op is refused.
//!
//! So promises hold of what there is, whatever devices wrote offline, and nothing that they wrote is lost.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::conflict::{ConflictKind, Draft};
use super::policy::{Decision, Outcome, Scene};
use super::{
    Change, EntityId, EntityKey, Fault, FieldFault, FieldName, Life, OnDelete, Op, Policy, Record, Reference,
    Refusal, RefusalCode, Value,
};
use crate::limits::FAULTS_TOLD_MAX;

/// What is to be known of other records.
pub trait Others {
    /// Returns whether the entity was deleted; one that nobody knows was not.
    fn is_deleted(&self, key: &EntityKey) -> bool;

    /// Returns records that live and refer to the entity by a field that restricts its deletion, at most `count_max`.
    fn referrers(&self, key: &EntityKey, count_max: usize) -> Vec<(EntityKey, FieldName)>;

    /// Returns a record that lives, of the type of the entity and not that of the entity, which holds these values in these
    /// fields of a `unique` of the type.
    fn holder(&self, key: &EntityKey, fields: &[FieldName], values: &[Value]) -> Option<EntityKey>;
}

/// What the type of a record promises, and what else there is.
pub struct Promises<'a> {
    /// What the decision was made from.
    pub scene: &'a Scene<'a>,
    /// The other records.
    pub others: &'a dyn Others,
    /// The entity.
    pub key: &'a EntityKey,
    /// Its record before the op.
    pub record: Option<&'a Record>,
    /// Whether people may be asked: what must be done whole, or is their own choice, is done or refused.
    pub may_wait: bool,
}

/// A value that would break a promise.
struct Breach {
    kind: ConflictKind,
    /// What the op writes of it.
    fields: Vec<FieldName>,
    fault: FieldFault,
    /// The entity because of which.
    other: EntityKey,
}

impl Promises<'_> {
    /// Returns the decision, changed so that it breaks no promise.
    #[must_use]
    pub fn keep(&self, op: &Op, decision: Decision) -> Decision {
        let Some(change) = &decision.change else { return decision };
        if change.life == Life::Ends {
            return self.keep_referred(op, decision);
        }
        let breaches = self.breaches(change);
        if breaches.is_empty() {
            return decision;
        }
        if !self.may_wait || !self.is_by_field() {
            let faults = breaches.into_iter().map(|breach| breach.fault).collect();
            return Decision::refused(Refusal { code: RefusalCode::ValidationFailed, faults });
        }
        self.hold_back(op, decision, breaches)
    }

    /// Refuses a deletion of what others refer to.
    fn keep_referred(&self, op: &Op, decision: Decision) -> Decision {
        let mut referrers = self.others.referrers(self.key, FAULTS_TOLD_MAX + 1);
        referrers.retain(|(referrer, _)| referrer != self.key);
        referrers.truncate(FAULTS_TOLD_MAX);
        let Some(record) = self.record.filter(|_| !referrers.is_empty()) else { return decision };
        let mut draft = Draft::auto(ConflictKind::Reference, op, BTreeMap::new(), record);
        draft.others = referrers.iter().map(|(referrer, _)| referrer.clone()).collect();
        let faults =
            referrers.into_iter().map(|(by, field)| FieldFault { field, fault: Fault::Referred { by } });
        let refusal = Refusal { code: RefusalCode::ValidationFailed, faults: faults.collect() };
        Decision { conflict: Some(draft), ..Decision::refused(refusal) }
    }

    /// Takes values out of a decision, for people to decide about.
    fn hold_back(&self, op: &Op, mut decision: Decision, mut breaches: Vec<Breach>) -> Decision {
        let Some(change) = &mut decision.change else { return decision };
        let kind = breaches.first().map_or(ConflictKind::Reference, |breach| breach.kind);
        let mut held = BTreeMap::new();
        let mut others = BTreeSet::new();
        // What is left without these values may break another promise. In the end it is the record as it is, which breaks none.
        while !breaches.is_empty() {
            for breach in breaches {
                others.insert(breach.other);
                for name in breach.fields {
                    held.extend(change.fields.remove_entry(&name).map(|(name, (value, _))| (name, value)));
                }
            }
            breaches = self.breaches(change);
        }
        let is_idle = change.life == Life::Lives && change.fields.is_empty() && !change.document;
        decision.change = decision.change.filter(|_| !is_idle);
        let standing = held.keys().map(|name| (name.clone(), self.standing(name).cloned())).collect();
        let draft = Draft { others, ..Draft::held_back(kind, op, held, standing) };
        decision.conflict = Some(match decision.conflict {
            Some(also) => draft.and(also),
            None => draft,
        });
        decision.outcome = Outcome::Conflict;
        decision
    }

    fn breaches(&self, change: &Change) -> Vec<Breach> {
        let restricting =
            self.scene.ty.refs.iter().filter(|reference| reference.on_delete == OnDelete::Restrict);
        let dangling = restricting.filter_map(|reference| self.dangling(reference, change));
        let taken = self.scene.ty.unique.iter().filter_map(|fields| self.taken(fields, change));
        dangling.chain(taken).collect()
    }

    /// Values that another record holds. What is absent or `null` collides with nothing.
    fn taken(&self, fields: &[FieldName], change: &Change) -> Option<Breach> {
        let written: Vec<FieldName> =
            fields.iter().filter(|name| change.fields.contains_key(*name)).cloned().collect();
        let first = written.first()?;
        let stays = |name: &FieldName| self.standing(name).filter(|_| change.life == Life::Lives);
        let value = |name: &FieldName| match change.fields.get(name) {
            Some((value, _)) => value.as_ref(),
            None => stays(name),
        };
        let present = |name: &FieldName| value(name).filter(|value| **value != Value::Null).cloned();
        let values: Vec<Value> = fields.iter().map(present).collect::<Option<_>>()?;
        let is_held = fields.iter().all(|name| value(name) == stays(name));
        let by = self.others.holder(self.key, fields, &values).filter(|_| !is_held)?;
        let fault = FieldFault { field: first.clone(), fault: Fault::Taken { by: by.clone() } };
        Some(Breach { kind: ConflictKind::Unique, fields: written, fault, other: by })
    }

    /// A reference to what was deleted, which the record does not hold already.
    fn dangling(&self, Reference { field, target, .. }: &Reference, change: &Change) -> Option<Breach> {
        let (value, _) = change.fields.get(field)?;
        let referred = referred(target, value.as_ref()?)?;
        if value.as_ref() == self.standing(field) || !self.others.is_deleted(&referred) {
            return None;
        }
        let fault = FieldFault { field: field.clone(), fault: Fault::Deleted { key: referred.clone() } };
        Some(Breach { kind: ConflictKind::Reference, fields: [field.clone()].into(), fault, other: referred })
    }

    fn standing(&self, name: &FieldName) -> Option<&Value> {
        self.record?.value(name)
    }

    /// Whether a field can be held back alone, and be written by who decides about it.
    fn is_by_field(&self) -> bool {
        let ty = self.scene.ty;
        !ty.whole && !matches!(ty.policy, Policy::AppendOnly | Policy::Crdt)
    }
}

/// Returns the entity that a reference names.
#[must_use]
pub fn referred(target: &super::TypeName, value: &Value) -> Option<EntityKey> {
    let Value::Text(text) = value else { return None };
    Some(EntityKey { kind: target.clone(), id: EntityId::new(text).ok()? })
}
