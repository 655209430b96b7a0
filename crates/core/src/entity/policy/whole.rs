//! Records that are one register: the later write wins whole.

use super::case::{Case, Decision, Outcome};
use super::common;
use crate::clock::HybridTime;
use crate::entity::conflict::Draft;
use crate::entity::rules::check_bounds;
use crate::entity::{
    Action, Change, Decimal, Fault, FieldFault, FieldName, Life, Refusal, RefusalCode, Value, Values,
};

pub(super) fn decide(case: &Case<'_>) -> Decision {
    let record = case.record.stamp();
    let seen = case.op.context.vv.contains(record.dot);
    let later = case.scene.actors.compare(case.op.stamp, record).is_gt();
    let values = match wanted(case, seen) {
        Ok(values) => values,
        Err(fault) => {
            return Decision::refused(Refusal {
                code: RefusalCode::ValidationFailed,
                faults: [fault].into(),
            });
        }
    };
    let is_same = values == case.record.data();
    if !seen && !later {
        return if is_same {
            Decision::unchanged(Outcome::Applied)
        } else {
            common::superseded(case, case.kind)
        };
    }
    let hlc = if later { case.op.stamp.hlc } else { record.hlc.next().unwrap_or(HybridTime::MAX) };
    let mut change = Change::new(case.op.stamp, Life::Lives);
    for name in case.record.fields.keys() {
        change.fields.insert(name.clone(), (None, hlc));
    }
    for (name, value) in values {
        change.fields.insert(name, (Some(value), hlc));
    }
    let lost =
        case.unseen().filter(|(name, slot)| slot.value.is_some() && slot.value != change.fields[*name].0);
    let lost = lost.collect();
    let conflict = (!seen && !is_same).then(|| Draft::lost_to(case.kind, case.op, &lost));
    Decision { conflict, ..Decision::changed(Outcome::Applied, change) }
}

/// The whole record as its author wants it.
fn wanted(case: &Case<'_>, seen: bool) -> Result<Values, FieldFault> {
    let Action::Delta(amounts) = &case.op.action else {
        return Ok(case.op.action.values().cloned().unwrap_or_default());
    };
    let mut values = case.record.data();
    for (name, &amount) in amounts {
        let fault = |fault| FieldFault { field: name.clone(), fault };
        let sum = sum(&values, name, amount).filter(|_| seen).ok_or(fault(Fault::NotAdditive))?;
        check_bounds(case.scene.ty.field(name), &sum).map_err(fault)?;
        values.insert(name.clone(), sum);
    }
    Ok(values)
}

fn sum(values: &Values, name: &FieldName, amount: Decimal) -> Option<Value> {
    let current = values.get(name).map_or(Some(Decimal::default()), Value::number)?;
    current.checked_add(amount).map(Value::Number)
}
