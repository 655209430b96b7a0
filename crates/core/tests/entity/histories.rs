//! Random histories: what three devices write that see some of each other's writes, and all orders in which it may arrive.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use syncline_core::clock::{Dot, HybridTime, ReplicaId, VectorClock};
use syncline_core::entity::{Action, Actors, Context, Op, Stamp, Value};

use super::support::{actors, at, field};

const NAMES: [&str; 3] = ["ann", "bob", "cid"];

/// One write, before it is known what it can be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    actor: usize,
    /// Which earlier writes its author has received, one bit each, besides its own and what those rest on.
    sees: u16,
    /// What its clock is ahead of the first's, in milliseconds.
    skew_ms: u64,
    write: Write,
}

#[derive(Clone, Copy, Debug)]
enum Write {
    Quantity(i64),
    Name(i64),
    Both(i64, i64),
    Unset,
    Add(i64),
    Delete,
}

/// What the histories are to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writes {
    /// Registers: values are set and unset.
    Registers,
    /// Each write is complete.
    Whole,
    /// The quantity is changed by amounts, and set from a value that is told.
    Sums,
    /// The quantity is set and never unset.
    Extremes,
}

pub(crate) struct History {
    pub(crate) actors: Actors,
    /// In one order in which they may arrive.
    pub(crate) ops: Vec<Op>,
    /// Of each op, the places of those that it rests on.
    rests_on: Vec<BTreeSet<usize>>,
}

pub(crate) fn steps(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Step>> {
    let write = prop_oneof![
        4 => (0..4_i64).prop_map(Write::Quantity),
        2 => (0..4_i64).prop_map(Write::Name),
        2 => (0..4_i64, 0..4_i64).prop_map(|(quantity, name)| Write::Both(quantity, name)),
        1 => Just(Write::Unset),
        2 => (-3..4_i64).prop_map(Write::Add),
        1 => Just(Write::Delete),
    ];
    let step = (0..3_usize, any::<u16>(), 0..4_u64, write);
    prop::collection::vec(
        step.prop_map(|(actor, sees, skew_ms, write)| Step { actor, sees, skew_ms, write }),
        len,
    )
}

impl History {
    /// `numbers`: the number of each device, which must not matter.
    pub(crate) fn new(steps: &[Step], writes: Writes, numbers: [u64; 3]) -> Self {
        let mut names = ["", "", "", "srv:eu"];
        for (name, number) in NAMES.into_iter().zip(numbers) {
            names[number as usize] = name;
        }
        let mut history = Self { actors: actors(names), ops: Vec::new(), rests_on: Vec::new() };
        for step in steps {
            history.push(step, writes, ReplicaId(numbers[step.actor]));
        }
        history
    }

    fn push(&mut self, step: &Step, writes: Writes, actor: ReplicaId) {
        let mut rests_on = BTreeSet::new();
        for (at, op) in self.ops.iter().enumerate() {
            if op.stamp.dot.replica == actor || (step.sees >> at) & 1 == 1 {
                rests_on.insert(at);
                rests_on.extend(&self.rests_on[at]);
            }
        }
        let mut vv = VectorClock::new();
        let mut hlc = at(10 + step.skew_ms);
        for &at in &rests_on {
            vv.raise(self.ops[at].stamp.dot);
            hlc = hlc.max(self.ops[at].stamp.hlc.next().unwrap_or(HybridTime::MAX));
        }
        let own = self.ops.iter().filter(|op| op.stamp.dot.replica == actor).count() as u64;
        let (action, was) = action(step.write, writes, rests_on.is_empty());
        let stamp = Stamp { hlc, dot: Dot::new(actor, own + 1) };
        self.ops.push(Op { stamp, context: Context { vv, beyond: false }, action, was });
        self.rests_on.push(rests_on);
    }

    /// Calls `visit` with each order of the ops in which none comes before one that it rests on.
    pub(crate) fn orders(&self, visit: &mut dyn FnMut(&[&Op])) {
        self.extend(&mut Vec::new(), visit);
    }

    fn extend(&self, order: &mut Vec<usize>, visit: &mut dyn FnMut(&[&Op])) {
        if order.len() == self.ops.len() {
            let ops: Vec<&Op> = order.iter().map(|&at| &self.ops[at]).collect();
            return visit(&ops);
        }
        for at in 0..self.ops.len() {
            if !order.contains(&at) && self.rests_on[at].iter().all(|before| order.contains(before)) {
                order.push(at);
                self.extend(order, visit);
                order.pop();
            }
        }
    }
}

type Was = BTreeMap<syncline_core::entity::FieldName, Option<Value>>;

fn action(write: Write, writes: Writes, is_first: bool) -> (Action, Was) {
    let set =
        |fields: &[(&str, i64)]| fields.iter().map(|&(name, value)| (field(name), value.into())).collect();
    let one = |name: &str, value: i64| {
        if writes == Writes::Whole { set(&[(name, value), ("x", 0)]) } else { set(&[(name, value)]) }
    };
    // Names are texts, so that no policy counts them, and could be ids.
    let named = |mut values: syncline_core::entity::Values| {
        if let Some(value) = values.get_mut(&field("name")) {
            *value = Value::Text(format!("n{}", value.number().expect("it was one")));
        }
        values
    };
    let values = match write {
        Write::Quantity(value) | Write::Add(value) => one("qty", value),
        Write::Name(value) => one("name", value),
        Write::Both(quantity, name) => set(&[("qty", quantity), ("name", name)]),
        Write::Unset | Write::Delete => one("qty", 0),
    };
    let values = named(values);
    if is_first {
        return (Action::Create(values), Was::new());
    }
    match (write, writes) {
        (Write::Delete, _) => (Action::Delete, Was::new()),
        (Write::Add(amount), Writes::Sums) => {
            (Action::Delta([(field("qty"), amount.into())].into()), Was::new())
        }
        (Write::Unset, Writes::Registers) => {
            (Action::Update { set: Default::default(), unset: [field("qty")].into() }, Was::new())
        }
        (_, Writes::Sums) => (
            Action::Update { set: values, unset: Default::default() },
            [(field("qty"), Some(1.into()))].into(),
        ),
        (_, Writes::Registers | Writes::Whole | Writes::Extremes) => {
            (Action::Update { set: values, unset: Default::default() }, Was::new())
        }
    }
}
