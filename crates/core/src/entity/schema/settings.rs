//! What a type says besides its policy and its fields.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt;

#[cfg(feature = "serde")]
use super::form::{RuleForm, is_default};
use crate::entity::{FieldName, TypeName};

/// What becomes of a deletion whose author had not seen a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum DeleteUpdate {
    /// It deletes.
    #[default]
    Delete,
    /// The record stays.
    Keep,
    /// People decide.
    Manual,
}

/// What decides where rules do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Fallback {
    /// What the server has stays.
    Server,
    /// What comes later replaces it.
    Client,
    /// The later write wins.
    Lww,
    /// People decide.
    Manual,
}

/// The versions of its schema that a type takes from clients, ends included; none is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SchemaRange {
    /// The least.
    pub min: Option<u32>,
    /// The greatest.
    pub max: Option<u32>,
}

impl SchemaRange {
    /// Returns whether a version is among them.
    #[must_use]
    pub fn contains(self, version: u32) -> bool {
        self.min.is_none_or(|min| version >= min) && self.max.is_none_or(|max| version <= max)
    }
}

/// A field that holds the id of another entity.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Reference {
    /// The field.
    pub field: FieldName,
    /// The type of the other entity.
    #[cfg_attr(feature = "serde", serde(rename = "type"))]
    pub target: TypeName,
    /// What becomes of it when the other entity is deleted.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
    pub on_delete: OnDelete,
}

/// What a reference means to the deletion of the entity that it names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum OnDelete {
    /// Nothing: the reference stays, and names a deleted entity.
    #[default]
    Keep,
    /// While a record that lives holds the reference, the deletion is refused.
    Restrict,
}

/// Who is asked over HTTP whether an op may take effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Handler {
    /// Where it is: `http` or `https`, without a user in it.
    pub url: String,
    /// How long it may take, in milliseconds, from 1 to [`HANDLER_MS_MAX`](crate::limits::HANDLER_MS_MAX).
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
    pub timeout_ms: Option<u64>,
    /// What questions are signed with.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "is_default"))]
    pub secret: Option<Secret>,
}

/// A text that nothing shows by accident.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Secret(String);

impl Secret {
    /// Keeps a text secret.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Handler {
    /// Returns whether the address has a host, and nothing before it but the scheme.
    pub(super) fn has_address(&self) -> bool {
        let rest = self.url.strip_prefix("https://").or_else(|| self.url.strip_prefix("http://"));
        let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        let is_plain = self.url.chars().all(|c| !c.is_control() && !c.is_whitespace());
        is_plain && host.is_some_and(|host| !host.is_empty() && !host.contains('@'))
    }
}

/// One line of the rules that a type is settled by, under [`Policy::Rules`](super::Policy::Rules).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "RuleForm", into = "RuleForm"))]
pub struct Rule {
    /// The condition, in CEL.
    pub when: String,
    /// What follows if it is true and no rule before it was.
    pub verdict: Verdict,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Whose values are taken.
    Take(Take),
    /// The record gets the values of these CEL expressions.
    Compute(BTreeMap<FieldName, String>),
    /// The op is refused, with this reason.
    Veto(String),
    /// People decide.
    Escalate,
}

/// Whose values are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Take {
    /// What the server has stays.
    Server,
    /// The op's values are taken.
    Client,
    /// Of each field the later write.
    Lww,
}
