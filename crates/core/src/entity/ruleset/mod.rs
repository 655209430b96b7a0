//! Business rules: what the operator of a type says of ops, in CEL.
//!
//! CEL is the Common Expression Language (<https://github.com/google/cel-spec>). Rules are compiled when their type is declared
//! and evaluated for each op that meets a record that lives; the first whose condition is true rules, and [`decide`] does what
//! it says.
//!
//! | variable | type | what it is |
//! | --- | --- | --- |
//! | `op.kind` | string | `create`, `update`, `delta`, `delete` or `restore` |
//! | `op.set`, `op.was` | map | the fields that the op sets, and the values that its author says it saw |
//! | `op.unset` | list | the names of the fields that it unsets |
//! | `op.delta` | map | the amounts by which it changes fields |
//! | `server` | map | the fields of the record |
//! | `relation` | string | `equal`, `behind` or `concurrent` |
//! | `fresh` | bool | whether the author had seen the record as it is |
//! | `actor` | string | the device, or `srv:<region>` |
//! | `now_ms` | int | the server's time, in milliseconds since the Unix epoch |
//!
//! A number is an int if its field is declared `integer`, and else a double: the types of an expression depend on what is
//! declared and not on the numbers that happen to be there, and CEL computes with one type at a time. (It compares both.) A
//! computed double becomes the number that its shortest form shows.
//!
//! An expression that fails (a field that is not there, types that do not fit) makes its rule not match. There are no loops:
//! an expression costs no more than its length times what it looks at.
//!
//! Invariants:
//! * a judgement depends on nothing but the rules and the arguments;
//! * an op or a record that is too large to be looked at passes no rule unseen: people decide.
//!
//! [`decide`]: super::decide

mod compile;
mod computed;
mod error;
mod scene;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cel::{Context, Env, Value as CelValue};
use compile::{Expression, Rule, Then};
pub use error::{RuleFault, RulePart, RulesError};

use super::{Action, Actors, EntityType, Op, Record, Relation, Ruling, Values, relate};
use crate::time::WallMs;

/// The rules of one type, ready to be evaluated.
pub struct Ruleset {
    env: Arc<Env>,
    rules: Vec<Rule>,
}

/// An op, and what rules may look at to judge it.
#[derive(Clone, Copy, Debug)]
pub struct Hearing<'a> {
    /// The type of the entity: the one that the rules were compiled from.
    pub ty: &'a EntityType,
    /// The actors by number.
    pub actors: &'a Actors,
    /// The record as it is.
    pub record: Option<&'a Record>,
    /// The op.
    pub op: &'a Op,
    /// The server's time.
    pub now: WallMs,
}

/// What rules say of an op.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What [`decide`](super::decide) is told.
    pub ruling: Ruling,
    /// The rule that says so, by its place in the type from 0; none if the op or the record is too large to be looked at.
    pub rule: Option<usize>,
}

impl Ruleset {
    /// Compiles the rules of a type.
    ///
    /// # Errors
    /// [`RulesError`] names the rule, the place in it, and what is wrong there.
    pub fn compile(ty: &EntityType) -> Result<Self, RulesError> {
        let env = Arc::new(Env::stdlib().with_optional_support(false));
        let rules = ty.rules.iter().enumerate();
        let rules =
            rules.map(|(rule, source)| Rule::compile(&env, rule, source)).collect::<Result<_, _>>()?;
        Ok(Self { env, rules })
    }

    /// Returns what the first rule says whose condition is true, if there is one.
    ///
    /// Rules are about records that live: whoever creates one, or writes to a tombstone, meets none.
    #[must_use]
    pub fn judge(&self, hearing: &Hearing<'_>) -> Option<Judgement> {
        let record = hearing.record.filter(|record| !record.deleted)?;
        if self.rules.is_empty() || hearing.op.action == Action::Noop {
            return None;
        }
        let Some(context) = scene::of(&self.env, hearing, record) else {
            return Some(Judgement { ruling: Ruling::Escalate, rule: None });
        };
        self.rules.iter().enumerate().find_map(|(at, rule)| {
            let is_true = matches!(evaluate(&rule.when, &context), Some(CelValue::Bool(true)));
            let ruling = if is_true { said(&rule.then, hearing.ty, &context) } else { None };
            ruling.map(|ruling| Judgement { ruling, rule: Some(at) })
        })
    }
}

impl fmt::Debug for Ruleset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ruleset").field("rules", &self.rules.len()).finish_non_exhaustive()
    }
}

/// Returns how an op relates to a record that lives, as rules see it: a creation has seen nothing of it.
fn relation(op: &Op, record: &Record) -> Relation {
    match op.action {
        Action::Create(_) => Relation::Concurrent { ahead: false },
        Action::Update { .. }
        | Action::Delta(_)
        | Action::Delete
        | Action::Restore(_)
        | Action::Document(_)
        | Action::Noop => relate(&op.context, Some(record)),
    }
}

/// Returns what a rule says; nothing if it computes what its type does not allow.
fn said(then: &Then, ty: &EntityType, context: &Context<'_, '_>) -> Option<Ruling> {
    let fields = match then {
        Then::Say(ruling) => return Some(ruling.clone()),
        Then::Compute(fields) => fields,
    };
    let mut size = computed::Size::default();
    let values = fields
        .iter()
        .map(|(name, expression)| Some((name.clone(), size.value(&evaluate(expression, context)?)?)));
    let set: Values = values.collect::<Option<_>>()?;
    let update = Action::Update { set: set.clone(), unset: Default::default() };
    update.check(ty).ok()?;
    Some(Ruling::Compute(set))
}

/// Returns the value of an expression, or none if it fails. What evaluates it is not ours: a panic is a failure.
fn evaluate(expression: &Expression, context: &Context<'_, '_>) -> Option<CelValue> {
    let resolved = catch_unwind(AssertUnwindSafe(|| CelValue::resolve(expression, context)));
    resolved.ok()?.ok()
}
