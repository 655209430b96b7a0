//! Ops: what an author wants of a record.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use bytes::Bytes;

use super::rules::check_bounds;
use super::{
    Context, Decimal, EntityType, Fault, FieldFault, FieldName, FieldRule, Policy, Refusal, RefusalCode,
    Stamp, Value, Values,
};

/// What an op does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Action {
    /// Makes the entity, with these fields.
    Create(Values),
    /// Writes some of its fields.
    Update {
        /// Those that get a value.
        set: Values,
        /// Those that lose theirs.
        unset: BTreeSet<FieldName>,
    },
    /// Changes numbers by these amounts.
    Delta(BTreeMap<FieldName, Decimal>),
    /// Deletes the entity.
    Delete,
    /// Brings a deleted entity back, with these fields and no others.
    Restore(Values),
    /// Changes the document behind the record by this update, in its own format.
    Document(Bytes),
    /// Uses up a number and does nothing else.
    Noop,
}

/// An op that is ready to be decided: its author is known, its time is settled, its context resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Op {
    /// Which op it is, and when it counts as made.
    pub stamp: Stamp,
    /// What its author had seen.
    pub context: Context,
    /// What it does.
    pub action: Action,
    /// The values that its author saw in fields that it writes: absent fields are there without one.
    pub was: BTreeMap<FieldName, Option<Value>>,
}

impl Action {
    /// Checks the op against its type, whatever the record is.
    ///
    /// # Errors
    /// A [`Refusal`] with `validation-failed` and each fault.
    pub fn check(&self, ty: &EntityType) -> Result<(), Refusal> {
        let mut faults = Vec::new();
        match self {
            Self::Create(values) | Self::Restore(values) => check_values(ty, values, &mut faults),
            Self::Update { set, unset } => {
                check_values(ty, set, &mut faults);
                for name in unset {
                    check_name(ty, name, &mut faults);
                    if set.contains_key(name) {
                        faults.push(FieldFault { field: name.clone(), fault: Fault::Twice });
                    }
                }
            }
            Self::Delta(amounts) => {
                for (name, amount) in amounts {
                    check_name(ty, name, &mut faults);
                    if !amount.is_countable() {
                        faults.push(FieldFault { field: name.clone(), fault: Fault::NotCounted });
                    }
                }
            }
            Self::Delete | Self::Noop | Self::Document(_) => {}
        }
        let is_crdt = ty.policy == Policy::Crdt;
        let fits = match self {
            Self::Document(_) => is_crdt,
            Self::Update { .. } | Self::Delta(_) => !is_crdt,
            Self::Create(_) | Self::Restore(_) | Self::Delete | Self::Noop => true,
        };
        if faults.is_empty() && fits {
            return Ok(());
        }
        Err(Refusal { code: RefusalCode::ValidationFailed, faults })
    }

    /// Returns the fields that it names.
    #[must_use]
    pub fn fields(&self) -> BTreeSet<FieldName> {
        match self {
            Self::Create(set) | Self::Restore(set) => set.keys().cloned().collect(),
            Self::Update { set, unset } => set.keys().chain(unset).cloned().collect(),
            Self::Delta(amounts) => amounts.keys().cloned().collect(),
            Self::Delete | Self::Document(_) | Self::Noop => BTreeSet::new(),
        }
    }

    /// Returns what it sets.
    #[must_use]
    pub const fn values(&self) -> Option<&Values> {
        match self {
            Self::Create(values) | Self::Restore(values) | Self::Update { set: values, .. } => Some(values),
            Self::Delta(_) | Self::Delete | Self::Document(_) | Self::Noop => None,
        }
    }
}

fn check_name(ty: &EntityType, name: &FieldName, faults: &mut Vec<FieldFault>) {
    if ty.closed && ty.field(name).is_none() {
        faults.push(FieldFault { field: name.clone(), fault: Fault::Undeclared });
    }
}

fn check_values(ty: &EntityType, values: &Values, faults: &mut Vec<FieldFault>) {
    for (name, value) in values {
        check_name(ty, name, faults);
        let fault = check_value(ty, name, value);
        faults.extend(fault.map(|fault| FieldFault { field: name.clone(), fault }));
    }
}

fn check_value(ty: &EntityType, name: &FieldName, value: &Value) -> Option<Fault> {
    let field = ty.field(name);
    if let Some(kind) = field.and_then(|field| field.kind).filter(|kind| !kind.holds(value)) {
        return Some(Fault::Kind { kind });
    }
    let rule = ty.rule(name, Some(value));
    if rule.is_counted() && !value.number().is_some_and(Decimal::is_countable) {
        return Some(Fault::NotCounted);
    }
    if rule == FieldRule::ListById && !have_ids(value) {
        return Some(Fault::ItemId);
    }
    // What a sum comes to is checked when it is known.
    if rule == FieldRule::Additive { None } else { check_bounds(field, value).err() }
}

fn have_ids(value: &Value) -> bool {
    let Some(items) = value.items() else { return *value == Value::Null };
    let ids: BTreeSet<_> = items.iter().filter_map(Value::id).collect();
    ids.len() == items.len()
}
