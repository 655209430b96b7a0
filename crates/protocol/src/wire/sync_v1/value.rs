//! Values of fields, exactly as they are written.

use std::collections::BTreeMap;

use syncline_core::entity::{Decimal, FieldName, Value, Values};

use super::fault::{FaultReason, Faults};
use super::json::{Kind, Node};

/// Reads a value; in place of a number that is none there is `null`, and a fault. The scan has bounded the depth.
pub(super) fn value<'a>(node: Node<'a>, faults: &mut Faults<'a>) -> Value {
    match node.kind() {
        Kind::Null => Value::Null,
        Kind::Bool(is) => Value::Bool(is),
        Kind::Number => number(node, faults).map_or(Value::Null, Value::Number),
        Kind::Text => Value::Text(node.text().unwrap_or_default().into_owned()),
        Kind::List => {
            // Grown by doubling, a long list of short items would take thrice its room.
            let mut items = Vec::with_capacity(node.items().count());
            items.extend(node.items().map(|item| value(item, faults)));
            Value::List(items)
        }
        Kind::Map => {
            Value::Map(node.members().map(|(key, it)| (key.into_owned(), value(it, faults))).collect())
        }
    }
}

/// Reads the values of fields.
pub(super) fn values<'a>(node: Node<'a>, faults: &mut Faults<'a>) -> Values {
    fields(node, faults, |it, faults| Some(value(it, faults)))
}

/// Reads a number for each field.
pub(super) fn numbers<'a>(node: Node<'a>, faults: &mut Faults<'a>) -> BTreeMap<FieldName, Decimal> {
    fields(node, faults, number)
}

/// Reads what an author saw: `null` stands for a field that was absent, too.
pub(super) fn optional_values<'a>(
    node: Node<'a>,
    faults: &mut Faults<'a>,
) -> BTreeMap<FieldName, Option<Value>> {
    fields(node, faults, |it, faults| Some(Some(value(it, faults)).filter(|it| *it != Value::Null)))
}

fn fields<'a, T>(
    node: Node<'a>,
    faults: &mut Faults<'a>,
    read: impl Fn(Node<'a>, &mut Faults<'a>) -> Option<T>,
) -> BTreeMap<FieldName, T> {
    let mut fields = BTreeMap::new();
    for (name, it) in node.members() {
        let name = faults.named(&name, it, FieldName::new);
        fields.extend(name.zip(read(it, faults)));
    }
    fields
}

fn number<'a>(node: Node<'a>, faults: &mut Faults<'a>) -> Option<Decimal> {
    let number = Decimal::parse(node.raw()).ok();
    if number.is_none() {
        faults.add(node, FaultReason::Number);
    }
    number
}
