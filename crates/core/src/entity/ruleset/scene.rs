//! What rules see of an op and its record.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use std::collections::HashMap;

use cel::objects::{Key, Map};
use cel::{Context, Env, Value as CelValue};

use super::{Hearing, relation};
use crate::entity::{Action, Decimal, EntityType, FieldKind, FieldName, Record, Relation, Value};
use crate::limits::RULE_SCENE_BYTES_MAX;

/// What a value counts besides its text.
const VALUE_BYTES: usize = 8;

// CEL holds maps in hash maps. Their order never shows: rules have no loops, and what they compute is ordered again.

/// Returns the variables of the rules, or none if there is too much to look at.
pub(super) fn of<'v>(env: &Arc<Env>, hearing: &Hearing<'_>, record: &Record) -> Option<Context<'static, 'v>> {
    let Hearing { ty, op, .. } = hearing;
    let mut eye = Eye { ty, left_bytes: RULE_SCENE_BYTES_MAX };
    let present = record.fields.iter().filter_map(|(name, slot)| Some((name, slot.value.as_ref()?)));
    let server = eye.fields(present)?;
    let set = eye.fields(op.action.values().into_iter().flatten())?;
    let was = eye.fields(op.was.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))))?;
    let mut unset = Vec::new();
    let mut delta = HashMap::new();
    match &op.action {
        Action::Update { unset: names, .. } => {
            for name in names {
                unset.push(eye.text(name.as_str())?);
            }
        }
        Action::Delta(amounts) => {
            for (name, amount) in amounts {
                delta.insert(eye.key(name.as_str())?, eye.number(Some(name), *amount)?);
            }
        }
        Action::Create(_) | Action::Restore(_) | Action::Delete | Action::Document(_) | Action::Noop => {}
    }
    let op_seen = map([
        (key("kind"), text(kind(&op.action))),
        (key("set"), set),
        (key("was"), was),
        (key("unset"), CelValue::List(Arc::new(unset))),
        (key("delta"), map(delta)),
    ]);
    let relation = relation(op, record);
    let actor = hearing.actors.name(op.stamp.dot.replica).map_or("", |name| name.as_str());
    let mut context = Context::with_env(Arc::clone(env));
    context.add_variable_from_value("op", op_seen);
    context.add_variable_from_value("server", server);
    context.add_variable_from_value("relation", text(relation_name(relation)));
    context.add_variable_from_value("fresh", CelValue::Bool(!relation.is_stale()));
    context.add_variable_from_value("actor", text(actor));
    let now_ms = i64::try_from(hearing.now.0).unwrap_or(i64::MAX);
    context.add_variable_from_value("now_ms", CelValue::Int(now_ms));
    Some(context)
}

/// Looks at values as long as there are not too many of them.
struct Eye<'a> {
    ty: &'a EntityType,
    left_bytes: usize,
}

impl Eye<'_> {
    fn fields<'v>(&mut self, fields: impl Iterator<Item = (&'v FieldName, &'v Value)>) -> Option<CelValue> {
        let seen =
            fields.map(|(name, value)| Some((self.key(name.as_str())?, self.value(Some(name), value)?)));
        Some(map(seen.collect::<Option<HashMap<_, _>>>()?))
    }

    /// `field` names the field whose value this is; none if it lies within one.
    fn value(&mut self, field: Option<&FieldName>, value: &Value) -> Option<CelValue> {
        match value {
            Value::Null => self.spend(0, CelValue::Null),
            Value::Bool(value) => self.spend(0, CelValue::Bool(*value)),
            Value::Number(number) => self.number(field, *number),
            Value::Text(text) => self.text(text),
            Value::List(items) => {
                let items = items.iter().map(|item| self.value(None, item)).collect::<Option<Vec<_>>>()?;
                self.spend(0, CelValue::List(Arc::new(items)))
            }
            Value::Map(members) => {
                let members = members.iter();
                let members = members.map(|(name, value)| Some((self.key(name)?, self.value(None, value)?)));
                let members = members.collect::<Option<HashMap<_, _>>>()?;
                self.spend(0, map(members))
            }
        }
    }

    fn number(&mut self, field: Option<&FieldName>, number: Decimal) -> Option<CelValue> {
        let kind = field.and_then(|field| self.ty.field(field)?.kind);
        let whole = if kind == Some(FieldKind::Integer) { number.to_whole() } else { None };
        self.spend(0, whole.map_or_else(|| CelValue::Float(number.to_double()), CelValue::Int))
    }

    fn text(&mut self, seen: &str) -> Option<CelValue> {
        self.spend(seen.len(), text(seen))
    }

    fn key(&mut self, name: &str) -> Option<Key> {
        self.spend(name.len(), key(name))
    }

    fn spend<T>(&mut self, bytes: usize, seen: T) -> Option<T> {
        self.left_bytes = self.left_bytes.checked_sub(bytes.saturating_add(VALUE_BYTES))?;
        Some(seen)
    }
}

fn map(members: impl IntoIterator<Item = (Key, CelValue)>) -> CelValue {
    CelValue::Map(Map { map: Arc::new(members.into_iter().collect()) })
}

fn key(name: &str) -> Key {
    Key::String(Arc::new(String::from(name)))
}

fn text(text: &str) -> CelValue {
    CelValue::String(Arc::new(text.to_string()))
}

const fn kind(action: &Action) -> &'static str {
    match action {
        Action::Create(_) => "create",
        Action::Update { .. } => "update",
        Action::Delta(_) => "delta",
        Action::Delete => "delete",
        Action::Restore(_) => "restore",
        Action::Document(_) => "crdt",
        Action::Noop => "noop",
    }
}

const fn relation_name(relation: Relation) -> &'static str {
    match relation {
        Relation::None => "none",
        Relation::Gone => "gone",
        Relation::Equal => "equal",
        Relation::Behind => "behind",
        Relation::Concurrent { .. } => "concurrent",
    }
}
