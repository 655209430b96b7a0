//! Fields that are counted: sums, least and greatest numbers.
//!
//! What they come to depends on the set of writes and not on their order, as long as no bound refuses one of them.

use super::{Contest, Intent, Settled, check_bounds};
use crate::entity::{Decimal, Fault, FieldRule, Value};

pub(super) fn settle(contest: &Contest<'_>, intent: Intent) -> Result<Settled, Fault> {
    match (contest.rule, intent) {
        (FieldRule::Additive, intent) => add(contest, intent),
        (_, Intent::Set(Some(value))) => extreme(contest, value),
        (_, Intent::Set(None)) => Err(Fault::Unset),
        (_, Intent::Add(_)) => Err(Fault::NotAdditive),
    }
}

/// Reads a value as a number; what is absent counts as 0.
pub(super) fn number_of(value: Option<&Value>) -> Result<Decimal, Fault> {
    value.map_or(Ok(Decimal::default()), |value| value.number().ok_or(Fault::NotCounted))
}

fn add(contest: &Contest<'_>, intent: Intent) -> Result<Settled, Fault> {
    let current = number_of(contest.current())?;
    let meant = match &intent {
        Intent::Set(value) => value.as_ref().and_then(Value::number),
        Intent::Add(_) => None,
    };
    let amount = match intent {
        Intent::Add(amount) => amount,
        Intent::Set(None) => return Err(Fault::Unset),
        Intent::Set(Some(value)) => {
            let new = number_of(Some(&value))?;
            let was = match contest.was {
                Some(was) => number_of(was.as_ref())?,
                None if contest.exact => current,
                None => return Err(Fault::WasMissing),
            };
            new.checked_sub(was).ok_or(Fault::NotCounted)?
        }
    };
    let sum = current.checked_add(amount).filter(|sum| sum.is_countable()).ok_or(Fault::NotCounted)?;
    let is_meant = contest.seen && meant.is_none_or(|meant| meant == sum);
    let value = Value::Number(sum);
    check_bounds(contest.field, &value)?;
    Ok(if is_meant {
        Settled::Take(Some(value))
    } else {
        Settled::Combine { value, loses_ours: false, loses_theirs: false }
    })
}

fn extreme(contest: &Contest<'_>, value: Value) -> Result<Settled, Fault> {
    let new = number_of(Some(&value))?;
    let Some(current) = contest.current() else { return Ok(Settled::Take(Some(value))) };
    let order = new.cmp(&number_of(Some(current))?);
    let order = if contest.rule == FieldRule::Min { order.reverse() } else { order };
    Ok(match order {
        core::cmp::Ordering::Less => Settled::Keep(Some(value)),
        core::cmp::Ordering::Equal => Settled::Same,
        core::cmp::Ordering::Greater => Settled::Take(Some(value)),
    })
}
