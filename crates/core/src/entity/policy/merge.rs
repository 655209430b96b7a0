//! Writes that are settled field by field.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::case::{Case, Decision, Outcome, Scene};
use crate::clock::HybridTime;
use crate::entity::conflict::Draft;
use crate::entity::rules::{Contest, Intent, Settled, check_bounds, settle};
use crate::entity::{
    Action, Change, FieldFault, FieldName, FieldRule, Life, Op, Policy, Refusal, RefusalCode, Slot, Stamp,
    Value, Values,
};

/// Settles each field by its rule, or all by one.
pub(super) fn decide(case: &Case<'_>, rule: Option<FieldRule>) -> Decision {
    let mut merge = Merge::new(case, rule);
    let mut faults = Vec::new();
    for (name, intent) in intents(case) {
        if let Err(fault) = merge.write(&name, intent) {
            faults.push(FieldFault { field: name, fault });
        }
    }
    if !faults.is_empty() {
        return Decision::refused(Refusal { code: RefusalCode::ValidationFailed, faults });
    }
    merge.finish()
}

/// Returns the change that begins a record with these values.
pub(super) fn initial(scene: &Scene<'_>, op: &Op, values: &Values) -> Result<Change, Refusal> {
    let mut change = Change::new(op.stamp, Life::Begins);
    let mut faults = Vec::new();
    for (name, value) in values {
        if let Err(fault) = check_bounds(scene.ty.field(name), value) {
            faults.push(FieldFault { field: name.clone(), fault });
        }
        change.fields.insert(name.clone(), (Some(value.clone()), op.stamp.hlc));
    }
    if faults.is_empty() { Ok(change) } else { Err(Refusal { code: RefusalCode::ValidationFailed, faults }) }
}

/// Returns whether the record would not be the same after the op.
pub(super) fn differs(case: &Case<'_>) -> bool {
    let differs = |(name, intent): (FieldName, Intent)| match intent {
        Intent::Set(value) => value.as_ref() != case.record.value(&name),
        Intent::Add(amount) => amount != Default::default(),
    };
    intents(case).into_iter().any(differs)
}

/// What the op wants of each field. A creation or restoration of what is there wants no other fields than its own; those that
/// are counted stay, since no write alone decides what they are.
fn intents(case: &Case<'_>) -> Vec<(FieldName, Intent)> {
    let set = |values: &Values| -> Vec<(FieldName, Intent)> {
        values.iter().map(|(name, value)| (name.clone(), Intent::Set(Some(value.clone())))).collect()
    };
    match &case.op.action {
        Action::Create(values) => set(values),
        Action::Restore(values) => {
            let others = case.record.fields.iter().filter(|(name, slot)| {
                let rule = case.scene.ty.rule(name, slot.value.as_ref());
                slot.value.is_some() && !values.contains_key(*name) && !rule.is_counted()
            });
            let mut all = set(values);
            all.extend(others.map(|(name, _)| (name.clone(), Intent::Set(None))));
            all
        }
        Action::Update { set: values, unset } => {
            let mut all = set(values);
            all.extend(unset.iter().map(|name| (name.clone(), Intent::Set(None))));
            all
        }
        Action::Delta(amounts) => {
            amounts.iter().map(|(name, &amount)| (name.clone(), Intent::Add(amount))).collect()
        }
        Action::Delete | Action::Document(_) | Action::Noop => Vec::new(),
    }
}

struct Merge<'a> {
    case: &'a Case<'a>,
    rule: Option<FieldRule>,
    change: Change,
    ours_lost: BTreeMap<FieldName, Option<Value>>,
    theirs_lost: BTreeMap<&'a FieldName, &'a Slot>,
    opened: BTreeMap<FieldName, Option<Value>>,
    combined: BTreeMap<FieldName, (FieldRule, Value)>,
    touched: Vec<FieldName>,
}

impl<'a> Merge<'a> {
    fn new(case: &'a Case<'a>, rule: Option<FieldRule>) -> Self {
        Self {
            case,
            rule,
            change: Change::new(case.op.stamp, Life::Lives),
            ours_lost: BTreeMap::new(),
            theirs_lost: BTreeMap::new(),
            opened: BTreeMap::new(),
            combined: BTreeMap::new(),
            touched: Vec::new(),
        }
    }

    fn write(&mut self, name: &FieldName, intent: Intent) -> Result<(), crate::entity::Fault> {
        let (case, ty) = (self.case, self.case.scene.ty);
        let entry = case.record.fields.get_key_value(name);
        let slot = entry.map(|(_, slot)| slot);
        let value = match &intent {
            Intent::Set(Some(value)) => Some(value),
            Intent::Set(None) | Intent::Add(_) => slot.and_then(|slot| slot.value.as_ref()),
        };
        let rule = self.rule.unwrap_or_else(|| match intent {
            // Where no field is declared all numbers are counted, and what takes an amount is a number.
            Intent::Add(_) => ty.rule(name, Some(&Value::Number(Default::default()))),
            Intent::Set(_) => ty.rule(name, value),
        });
        let seen = slot.is_none_or(|slot| slot.is_seen(&case.op.context.vv));
        // What is created had no value before.
        let none = None;
        let was = case.op.was.get(name).or(matches!(case.op.action, Action::Create(_)).then_some(&none));
        let contest = Contest {
            rule,
            field: ty.field(name),
            slot,
            seen,
            exact: if ty.policy == Policy::Additive { !case.stale } else { seen },
            was,
            later: slot.is_none_or(|slot| case.scene.actors.compare(case.op.stamp, slot.stamp).is_gt()),
        };
        let settled = settle(&contest, intent)?;
        self.touched.push(name.clone());
        self.note(name, entry.filter(|_| !seen), rule, settled);
        Ok(())
    }

    /// `unseen`: the field as it is, if the author has not seen it so.
    fn note(
        &mut self,
        name: &FieldName,
        unseen: Option<(&'a FieldName, &'a Slot)>,
        rule: FieldRule,
        settled: Settled,
    ) {
        match settled {
            Settled::Same => {}
            Settled::Take(value) => {
                let lost = unseen.filter(|(_, slot)| slot.value.is_some() && slot.value != value);
                self.theirs_lost.extend(lost);
                self.put(name, rule, value);
            }
            Settled::Combine { value, loses_ours, loses_theirs } => {
                if loses_ours {
                    let ours = self.case.op.action.values().and_then(|values| values.get(name));
                    self.ours_lost.insert(name.clone(), ours.cloned());
                }
                self.theirs_lost.extend(unseen.filter(|_| loses_theirs));
                self.combined.insert(name.clone(), (rule, value.clone()));
                let others = unseen.map(|(_, slot)| slot.unseen(&self.case.op.context.vv));
                self.change.combined.extend(others.map(|others| (name.clone(), others)));
                self.put(name, rule, Some(value));
            }
            Settled::Keep(value) => {
                self.ours_lost.insert(name.clone(), value);
            }
            Settled::Open(value) => {
                self.opened.insert(name.clone(), value);
            }
        }
    }

    fn put(&mut self, name: &FieldName, rule: FieldRule, value: Option<Value>) {
        let slot = self.case.record.fields.get(name).map(|slot| slot.stamp);
        let hlc = self.time(rule, slot);
        self.change.fields.insert(name.clone(), (value, hlc));
    }

    /// The time from which the new value counts: the op's. Where it replaces a later write, since its author had seen that or
    /// the rule does not ask, it counts as made right after that one.
    fn time(&self, rule: FieldRule, replaced: Option<Stamp>) -> HybridTime {
        let own = self.case.op.stamp;
        match replaced {
            Some(replaced) if rule.is_counted() => own.hlc.max(replaced.hlc),
            Some(replaced) if self.case.scene.actors.compare(own, replaced).is_lt() => {
                replaced.hlc.next().unwrap_or(HybridTime::MAX)
            }
            Some(_) | None => own.hlc,
        }
    }

    fn finish(self) -> Decision {
        let case = self.case;
        let changes = !self.change.fields.is_empty();
        let others = || case.unseen().any(|(name, _)| !self.touched.contains(name));
        let differs = !self.ours_lost.is_empty()
            || !self.combined.is_empty()
            || (case.scene.ty.policy == Policy::FieldMerge && others());
        let outcome = match (changes, self.opened.is_empty()) {
            (_, false) => Outcome::Conflict,
            (false, true) if !self.ours_lost.is_empty() => Outcome::Superseded,
            (false, true) => Outcome::Applied,
            (true, true) if differs => Outcome::Merged,
            (true, true) => Outcome::Applied,
        };
        let conflict = if !self.opened.is_empty() {
            let mut draft = Draft::open(case.kind, case.op, case.record, self.opened.keys().cloned());
            draft.narrow(self.opened);
            draft.keep(case.op, self.ours_lost, &self.theirs_lost);
            Some(draft)
        } else if !self.ours_lost.is_empty() {
            let mut draft = Draft::auto(case.kind, case.op, self.ours_lost, case.record);
            draft.keep(case.op, BTreeMap::new(), &self.theirs_lost);
            Some(draft)
        } else if !self.theirs_lost.is_empty() {
            Some(Draft::lost_to(case.kind, case.op, &self.theirs_lost))
        } else {
            None
        };
        Decision { outcome, change: changes.then_some(self.change), conflict, combined: self.combined }
    }
}
