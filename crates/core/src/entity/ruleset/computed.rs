//! What rules compute, as fields hold it.

use alloc::string::String;

use cel::Value as CelValue;
use cel::objects::Key;

use crate::entity::{Decimal, Value};
use crate::limits::{RULE_SCENE_BYTES_MAX, VALUE_DEPTH_MAX};

/// How much was computed. A rule that makes more of each record that it meets would else make records without end.
#[derive(Default)]
pub(super) struct Size {
    bytes: usize,
}

impl Size {
    /// Returns the value that a field gets; none if it is of a type that fields do not hold, or too much.
    pub(super) fn value(&mut self, computed: &CelValue) -> Option<Value> {
        self.nested(computed, 0)
    }

    fn nested(&mut self, computed: &CelValue, depth: usize) -> Option<Value> {
        self.add(1)?;
        if depth > VALUE_DEPTH_MAX {
            return None;
        }
        Some(match computed {
            CelValue::Null => Value::Null,
            CelValue::Bool(value) => Value::Bool(*value),
            CelValue::Int(number) => Value::from(*number),
            CelValue::UInt(number) => Value::Number(Decimal::from_parts(i128::from(*number), 0)?),
            CelValue::Float(number) => Value::Number(Decimal::from_double(*number)?),
            CelValue::String(text) => Value::Text(self.text(text)?),
            CelValue::List(items) => {
                let items = items.iter().map(|item| self.nested(item, depth + 1));
                Value::List(items.collect::<Option<_>>()?)
            }
            CelValue::Map(members) => {
                let members = members.map.iter().map(|(key, value)| match key {
                    Key::String(name) => Some((self.text(name)?, self.nested(value, depth + 1)?)),
                    Key::Int(_) | Key::Uint(_) | Key::Bool(_) => None,
                });
                Value::Map(members.collect::<Option<_>>()?)
            }
            CelValue::Function(..) | CelValue::Bytes(_) | CelValue::Opaque(_) | CelValue::Struct(_) => {
                return None;
            }
        })
    }

    fn text(&mut self, text: &str) -> Option<String> {
        self.add(text.len())?;
        Some(text.into())
    }

    fn add(&mut self, bytes: usize) -> Option<()> {
        self.bytes = self.bytes.saturating_add(bytes);
        (self.bytes <= RULE_SCENE_BYTES_MAX).then_some(())
    }
}
