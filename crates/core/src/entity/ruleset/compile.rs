//! From sources to expressions that cost little.

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cel::common::ast::{EntryExpr, Expr, IdedExpr, SourceInfo};
use cel::{Env, ParseErrors};

use super::{RuleFault, RulePart, RulesError, Ruling};
use crate::entity::FieldName;
use crate::entity::schema::{Rule as Source, Take, Verdict};
use crate::limits::{RULE_BYTES_MAX, RULE_DEPTH_MAX};

pub(super) type Expression = IdedExpr;

/// The variables. Another name is a mistake of who wrote the rule, and would only ever make it fail.
const VARIABLES: [&str; 6] = ["op", "server", "relation", "fresh", "actor", "now_ms"];

/// The members of the variable `op`.
const OP: [&str; 5] = ["kind", "set", "unset", "delta", "was"];

const FUNCTIONS: [&str; 9] =
    ["size", "contains", "startsWith", "endsWith", "int", "uint", "double", "string", "bool"];

pub(super) struct Rule {
    pub(super) when: Expression,
    pub(super) then: Then,
}

/// What follows from a condition.
pub(super) enum Then {
    Say(Ruling),
    Compute(BTreeMap<FieldName, Expression>),
}

impl Rule {
    pub(super) fn compile(env: &Env, at: usize, source: &Source) -> Result<Self, RulesError> {
        let rule = at + 1;
        let then = match &source.verdict {
            Verdict::Take(Take::Server) => Then::Say(Ruling::Server),
            Verdict::Take(Take::Client) => Then::Say(Ruling::Client),
            Verdict::Take(Take::Lww) => Then::Say(Ruling::Lww),
            Verdict::Veto(_) => Then::Say(Ruling::Veto),
            Verdict::Escalate => Then::Say(Ruling::Escalate),
            Verdict::Compute(fields) => {
                let fields = fields.iter().map(|(name, source)| {
                    let part = || RulePart::Compute(name.clone());
                    Ok((name.clone(), expression(env, source).map_err(|place| place.of(rule, part()))?))
                });
                Then::Compute(fields.collect::<Result<_, RulesError>>()?)
            }
        };
        let when = expression(env, &source.when).map_err(|place| place.of(rule, RulePart::When))?;
        Ok(Self { when, then })
    }
}

/// What is wrong, and where.
struct Misplaced {
    line: usize,
    column: usize,
    fault: RuleFault,
}

impl Misplaced {
    const fn at_start(fault: RuleFault) -> Self {
        Self { line: 1, column: 1, fault }
    }

    fn of(self, rule: usize, part: RulePart) -> RulesError {
        let Self { line, column, fault } = self;
        RulesError { rule, part, line, column, fault }
    }
}

fn expression(env: &Env, source: &str) -> Result<Expression, Misplaced> {
    if source.len() > RULE_BYTES_MAX {
        let fault = RuleFault::TooLong { bytes: source.len(), max: RULE_BYTES_MAX };
        return Err(Misplaced::at_start(fault));
    }
    let parser = env.parser().max_recursion_depth(RULE_DEPTH_MAX);
    // A panic of the parser, which is not ours, would be the admin's to cause.
    let parsed = catch_unwind(AssertUnwindSafe(|| parser.parse_with_source_info(source)));
    let (expression, info) = match parsed {
        Ok(Ok(parsed)) => parsed,
        Ok(Err(found)) => return Err(syntax(found)),
        Err(_) => return Err(Misplaced::at_start(no_expression())),
    };
    check(&expression, 0).map_err(|(id, fault)| place(&info, id, fault))?;
    Ok(expression)
}

fn no_expression() -> RuleFault {
    RuleFault::Syntax { reason: "this is no expression".to_string() }
}

fn syntax(found: ParseErrors) -> Misplaced {
    let Some(first) = found.errors.into_iter().next() else { return Misplaced::at_start(no_expression()) };
    let natural = |number: isize| usize::try_from(number).unwrap_or_default().max(1);
    let fault = RuleFault::Syntax { reason: first.msg };
    Misplaced { line: natural(first.pos.0), column: natural(first.pos.1), fault }
}

fn place(info: &SourceInfo, id: u64, fault: RuleFault) -> Misplaced {
    let start = info.offset_for(id).and_then(|(start, _)| usize::try_from(start).ok());
    let before = start.and_then(|start| info.source.get(..start)).unwrap_or_default();
    let last = before.rsplit('\n').next().unwrap_or_default();
    Misplaced { line: before.matches('\n').count() + 1, column: last.chars().count() + 1, fault }
}

/// Checks that an expression is shallow, has no loops, and names what there is.
fn check(expression: &Expression, depth: u16) -> Result<(), (u64, RuleFault)> {
    let refused = |fault| Err((expression.id, fault));
    let unknown = |name: &str| Err((expression.id, RuleFault::Unknown { name: name.to_string() }));
    let depth = depth + 1;
    if depth > RULE_DEPTH_MAX {
        return refused(RuleFault::TooDeep { max: RULE_DEPTH_MAX });
    }
    match &expression.expr {
        Expr::Unspecified => refused(no_expression()),
        Expr::Literal(_) => Ok(()),
        Expr::Comprehension(_) => refused(RuleFault::Loop),
        Expr::Struct(of) => unknown(&of.type_name),
        Expr::Ident(name) if VARIABLES.contains(&name.as_str()) => Ok(()),
        Expr::Ident(name) => unknown(name),
        Expr::Select(select) => {
            let is_op = matches!(&select.operand.expr, Expr::Ident(name) if name == "op");
            if is_op && !OP.contains(&select.field.as_str()) {
                return unknown(&["op.", &select.field].concat());
            }
            check(&select.operand, depth)
        }
        Expr::Call(call) => {
            // Names of operators are no names that a source can write.
            let is_named = call.func_name.starts_with(|c: char| c.is_ascii_alphabetic());
            if is_named && !FUNCTIONS.contains(&call.func_name.as_str()) {
                return unknown(&call.func_name);
            }
            call.target.iter().try_for_each(|target| check(target, depth))?;
            call.args.iter().try_for_each(|argument| check(argument, depth))
        }
        Expr::List(list) => list.elements.iter().try_for_each(|element| check(element, depth)),
        Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => {
                check(&entry.key, depth)?;
                check(&entry.value, depth)
            }
            EntryExpr::StructField(field) => check(&field.value, depth),
        }),
    }
}
