//! What a field holds.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Decimal, FieldName};

/// A JSON value with exact numbers.
///
/// The order has no meaning but that it is one. Values are compared, cloned and dropped by recursion: whoever reads one bounds
/// its depth ([`VALUE_DEPTH_MAX`](crate::limits::VALUE_DEPTH_MAX)).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Value {
    /// `null`: a value like others, and not the same as an absent field.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Decimal),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Value>),
    /// An object; its order is that of its keys.
    Map(BTreeMap<String, Value>),
}

/// Values by field.
pub type Values = BTreeMap<FieldName, Value>;

impl Value {
    /// Returns the number, if it is one.
    #[must_use]
    pub const fn number(&self) -> Option<Decimal> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// Returns the items, if it is a list.
    #[must_use]
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Map(_) => None,
        }
    }

    /// Returns the member `id` of an object: what items of a list are known by.
    #[must_use]
    pub fn id(&self) -> Option<&Self> {
        match self {
            Self::Map(members) => members.get("id"),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }
}

impl From<Decimal> for Value {
    fn from(number: Decimal) -> Self {
        Self::Number(number)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}
