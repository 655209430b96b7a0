//! Fields of a type.

#[cfg(feature = "serde")]
use super::form::is_default;
#[cfg(feature = "serde")]
use super::scalar::bound;
use crate::entity::{Decimal, Value};

/// How writes to one field are settled that did not see each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum FieldRule {
    /// The later write wins.
    #[default]
    Lww,
    /// What the server has stays.
    Server,
    /// What comes later replaces it.
    Client,
    /// Changes add up.
    Additive,
    /// The least number stays.
    Min,
    /// The greatest number stays.
    Max,
    /// Lists are sets: what is in either is in the result.
    SetUnion,
    /// Items of lists are known by their `id` and merged one by one.
    ListById,
    /// People decide.
    Manual,
}

impl FieldRule {
    /// Returns whether the field is a number under this rule, which no write sets outright.
    #[must_use]
    pub const fn is_counted(self) -> bool {
        match self {
            Self::Additive | Self::Min | Self::Max => true,
            Self::Lww | Self::Server | Self::Client | Self::SetUnion | Self::ListById | Self::Manual => false,
        }
    }
}

/// What a field holds; `null` is held by each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum FieldKind {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A string.
    Text,
    /// An array.
    List,
    /// An object.
    Map,
}

impl FieldKind {
    /// Returns whether a value is of this kind.
    #[must_use]
    pub fn holds(self, value: &Value) -> bool {
        match value {
            Value::Null => true,
            Value::Bool(_) => self == Self::Bool,
            Value::Number(number) => self == Self::Number || (self == Self::Integer && number.is_whole()),
            Value::Text(_) => self == Self::Text,
            Value::List(_) => self == Self::List,
            Value::Map(_) => self == Self::Map,
        }
    }

    const fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Number)
    }
}

/// Between which numbers a field must lie, ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Bounds {
    /// The least.
    #[cfg_attr(feature = "serde", serde(with = "bound", skip_serializing_if = "is_default"))]
    pub min: Option<Decimal>,
    /// The greatest.
    #[cfg_attr(feature = "serde", serde(with = "bound", skip_serializing_if = "is_default"))]
    pub max: Option<Decimal>,
}

/// One field of a type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
pub struct Field {
    /// What it holds, if that is declared.
    #[cfg_attr(feature = "serde", serde(rename = "type", skip_serializing_if = "is_default"))]
    pub kind: Option<FieldKind>,
    /// How its writes are settled, if the policy asks.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_default"))]
    pub rule: Option<FieldRule>,
    /// Its bounds, if it holds a number.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_default"))]
    pub bounds: Bounds,
    /// Whether its values are kept out of logs.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "is_default"))]
    pub sensitive: bool,
}

impl Field {
    pub(super) fn rule_fits(&self) -> bool {
        let Some(kind) = self.kind else { return true };
        match self.rule.unwrap_or_default() {
            FieldRule::Additive | FieldRule::Min | FieldRule::Max => kind.is_number(),
            FieldRule::SetUnion | FieldRule::ListById => kind == FieldKind::List,
            FieldRule::Lww | FieldRule::Server | FieldRule::Client | FieldRule::Manual => true,
        }
    }

    pub(super) fn bounds_hold(&self) -> bool {
        let Bounds { min, max } = self.bounds;
        let is_bounded = min.is_some() || max.is_some();
        let is_number = self.kind.is_none_or(FieldKind::is_number);
        let is_empty = min.zip(max).is_some_and(|(min, max)| min > max);
        !is_bounded || (is_number && !is_empty)
    }
}
