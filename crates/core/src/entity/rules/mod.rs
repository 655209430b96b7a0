//! Rules of fields: what one write does to one field.
//!
//! | rule | the field was not written since its author saw it | it was |
//! | --- | --- | --- |
//! | lww | taken | the later write stays |
//! | server, client | taken | the server's stays, the new is taken |
//! | manual | taken | the server's stays, and people decide |
//! | set_union | taken | both lists, as a set |
//! | list_by_id | taken | item by item: see [`list`] |
//! | additive | the field changes by the same amount | the same |
//! | min, max | the less, the greater | the same |
//!
//! Two writes of one value are no conflict.

mod counted;
pub(super) mod list;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{Decimal, Fault, Field, FieldRule, Slot, Value};

/// What an op wants of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    /// This value, or none.
    Set(Option<Value>),
    /// A change by this amount.
    Add(Decimal),
}

/// One write and the field that it meets.
pub(super) struct Contest<'a> {
    pub(super) rule: FieldRule,
    /// The declaration of the field.
    pub(super) field: Option<&'a Field>,
    /// The field as it is; none if it was never written.
    pub(super) slot: Option<&'a Slot>,
    /// Whether the author of the op had seen the field as it is.
    pub(super) seen: bool,
    /// Whether the author of the op knows the number that it set a new one for.
    pub(super) exact: bool,
    /// The value from which the author set a new one, if the op says so.
    pub(super) was: Option<&'a Option<Value>>,
    /// Whether the op counts as made after the field's last write.
    pub(super) later: bool,
}

/// How a contest ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// The field gets the op's value, and becomes its write.
    Take(Option<Value>),
    /// The field gets a value that differs from what the author meant.
    Combine {
        value: Value,
        /// Whether part of the op's value is lost.
        loses_ours: bool,
        /// Whether part of the field's value is lost.
        loses_theirs: bool,
    },
    /// The field has the value already.
    Same,
    /// The field stays, and the op's value is lost.
    Keep(Option<Value>),
    /// The field stays, and people decide about this value.
    Open(Option<Value>),
}

/// Settles one write.
pub(super) fn settle(contest: &Contest<'_>, intent: Intent) -> Result<Settled, Fault> {
    if contest.rule.is_counted() {
        return counted::settle(contest, intent);
    }
    let adds = matches!(intent, Intent::Add(_));
    let value = contest.target(intent)?;
    let current = contest.current();
    if contest.seen || contest.slot.is_none() {
        return Ok(Settled::Take(value));
    }
    if value.as_ref() == current {
        return Ok(if contest.later { Settled::Take(value) } else { Settled::Same });
    }
    Ok(match contest.rule {
        FieldRule::Server => Settled::Keep(value),
        FieldRule::Client => match value {
            // What was added to is not lost.
            Some(value) if adds => Settled::Combine { value, loses_ours: false, loses_theirs: false },
            value => Settled::Take(value),
        },
        FieldRule::Manual => Settled::Open(value),
        FieldRule::SetUnion => match items(value.as_ref(), current) {
            Some((ours, theirs)) => union(ours, theirs),
            None => contest.register(value),
        },
        FieldRule::ListById => match items(value.as_ref(), current) {
            Some((ours, theirs)) => {
                let was = contest.was.and_then(|was| was.as_ref()?.items());
                list::merge(ours, theirs, was, contest.later)
            }
            None => contest.register(value),
        },
        FieldRule::Lww | FieldRule::Additive | FieldRule::Min | FieldRule::Max => contest.register(value),
    })
}

/// Checks a number against the bounds of its field.
pub(super) fn check_bounds(field: Option<&Field>, value: &Value) -> Result<(), Fault> {
    let (Some(field), Some(number)) = (field, value.number()) else { return Ok(()) };
    if let Some(min) = field.bounds.min.filter(|&min| number < min) {
        return Err(Fault::Min { min });
    }
    match field.bounds.max.filter(|&max| number > max) {
        Some(max) => Err(Fault::Max { max }),
        None => Ok(()),
    }
}

impl<'a> Contest<'a> {
    fn current(&self) -> Option<&'a Value> {
        self.slot?.value.as_ref()
    }

    fn register(&self, value: Option<Value>) -> Settled {
        if self.later { Settled::Take(value) } else { Settled::Keep(value) }
    }

    /// The value that the author wants. An amount means one only on top of a value that is known, or that the rule keeps or
    /// replaces whatever it is.
    fn target(&self, intent: Intent) -> Result<Option<Value>, Fault> {
        let amount = match intent {
            Intent::Set(value) => return Ok(value),
            Intent::Add(amount) => amount,
        };
        let is_settled_by_time = match self.rule {
            FieldRule::Server | FieldRule::Client | FieldRule::Manual => false,
            FieldRule::Lww | FieldRule::SetUnion | FieldRule::ListById => true,
            FieldRule::Additive | FieldRule::Min | FieldRule::Max => true,
        };
        if is_settled_by_time && !self.seen {
            return Err(Fault::NotAdditive);
        }
        let sum = counted::number_of(self.current())?.checked_add(amount).ok_or(Fault::NotCounted)?;
        let sum = Value::Number(sum);
        check_bounds(self.field, &sum)?;
        Ok(Some(sum))
    }
}

fn items<'a>(ours: Option<&'a Value>, theirs: Option<&'a Value>) -> Option<(&'a [Value], &'a [Value])> {
    Some((ours?.items()?, theirs?.items()?))
}

/// The items of both, each once, in the order of values: the order in which the lists came leaves no trace.
fn union(ours: &[Value], theirs: &[Value]) -> Settled {
    let both: BTreeSet<&Value> = ours.iter().chain(theirs).collect();
    let both: Vec<Value> = both.into_iter().cloned().collect();
    if both == theirs {
        return Settled::Same;
    }
    if both == ours {
        return Settled::Take(Some(Value::List(both)));
    }
    Settled::Combine { value: Value::List(both), loses_ours: false, loses_theirs: false }
}
