//! Types of entities: what their fields are, and how writes that did not see each other are settled.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Decimal, FieldName, TypeName, Value};

/// How writes to entities of one type are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Policy {
    /// Entities are created and never changed.
    AppendOnly,
    /// The later write of a field wins, or of the whole record.
    Lww,
    /// Fields that one side changed are merged; of others each has its rule.
    FieldMerge,
    /// Nothing is changed by who has not seen the latest state; a handler may judge the rest.
    ServerAuthoritative,
    /// What the server has stays.
    ServerWins,
    /// What comes later replaces what the server has.
    ClientWins,
    /// What was written first stays.
    FirstWriteWins,
    /// Changes of numbers add up.
    Additive,
    /// The greatest number stays.
    Max,
    /// The least number stays.
    Min,
    /// Conditions decide, in their order.
    Rules,
    /// People decide.
    Manual,
    /// The record is a document that merges by itself.
    Crdt,
}

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
pub struct Bounds {
    /// The least.
    pub min: Option<Decimal>,
    /// The greatest.
    pub max: Option<Decimal>,
}

/// One field of a type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Field {
    /// What it holds, if that is declared.
    pub kind: Option<FieldKind>,
    /// How its writes are settled, if the policy asks.
    pub rule: Option<FieldRule>,
    /// Its bounds, if it holds a number.
    pub bounds: Bounds,
    /// Whether its values are kept out of logs.
    pub sensitive: bool,
}

/// What becomes of a deletion whose author had not seen a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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

/// A field that holds the id of another entity.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Reference {
    /// The field.
    pub field: FieldName,
    /// The type of the other entity.
    pub target: TypeName,
}

/// A type of entities.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EntityType {
    /// Its name.
    pub name: TypeName,
    /// How writes are settled.
    pub policy: Policy,
    /// Under [`Policy::Lww`]: whether the record is one register and not one for each field.
    pub whole: bool,
    /// The fields, if they are declared.
    pub fields: Option<BTreeMap<FieldName, Field>>,
    /// Whether undeclared fields are refused.
    pub closed: bool,
    /// What decides where rules do not, and when a conflict is not resolved in time.
    pub fallback: Option<Fallback>,
    /// Under [`Policy::FieldMerge`]: what becomes of a deletion whose author had not seen a change.
    pub delete_update: DeleteUpdate,
    /// Whether a client may merge ops before it sends them.
    pub coalesce: bool,
    /// Whether a client shows changes only when it has all of them.
    pub consistent: bool,
    /// Under [`Policy::ServerAuthoritative`]: whether clients may create.
    pub client_create: bool,
    /// The fields that hold ids of other entities.
    pub refs: Vec<Reference>,
    /// Templates of the buckets that a record lies in.
    pub buckets: Vec<String>,
    /// The version of the schema.
    pub schema_v: u32,
}

/// Why a type means nothing, or means something else than before. Whoever declares it is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeError {
    /// The rule of a field needs another kind of field.
    #[error("the rule of field `{field}` does not fit its type")]
    RuleKind {
        /// The field.
        field: FieldName,
    },
    /// The bounds of a field hold nothing, or the field is no number.
    #[error("the bounds of field `{field}` hold no value")]
    Bounds {
        /// The field.
        field: FieldName,
    },
    /// Only `lww` knows whole records.
    #[error("`whole` is for the policy `lww`")]
    Whole,
    /// A type without fields cannot be closed.
    #[error("a closed type declares its fields")]
    ClosedWithoutFields,
    /// The change alters what stored records mean.
    #[error("the change of `{what}` alters what records mean")]
    Incompatible {
        /// The setting, or the field.
        what: String,
    },
}

impl EntityType {
    /// Returns a type with a policy and no other setting.
    #[must_use]
    pub const fn new(name: TypeName, policy: Policy) -> Self {
        Self {
            name,
            policy,
            whole: false,
            fields: None,
            closed: false,
            fallback: None,
            delete_update: DeleteUpdate::Delete,
            coalesce: true,
            consistent: false,
            client_create: false,
            refs: Vec::new(),
            buckets: Vec::new(),
            schema_v: 1,
        }
    }

    /// Checks that the settings go together.
    ///
    /// # Errors
    /// [`TypeError`] names the setting that does not; [`TypeError::Incompatible`] is not among them.
    pub fn check(&self) -> Result<(), TypeError> {
        if self.whole && self.policy != Policy::Lww {
            return Err(TypeError::Whole);
        }
        if self.closed && self.fields.is_none() {
            return Err(TypeError::ClosedWithoutFields);
        }
        for (name, field) in self.fields.iter().flatten() {
            if !field.rule_fits() {
                return Err(TypeError::RuleKind { field: name.clone() });
            }
            if !field.bounds_hold() {
                return Err(TypeError::Bounds { field: name.clone() });
            }
        }
        Ok(())
    }

    /// Checks that records written under this type mean the same under `next`: fields may be added to an open type, and
    /// what says nothing of stored values may change.
    ///
    /// # Errors
    /// [`TypeError::Incompatible`] names what alters their meaning; the others as for [`check`](Self::check).
    pub fn check_change(&self, next: &Self) -> Result<(), TypeError> {
        next.check()?;
        let incompatible = |what: &str| Err(TypeError::Incompatible { what: what.into() });
        if self.policy != next.policy {
            return incompatible("policy");
        }
        if self.whole != next.whole {
            return incompatible("whole");
        }
        if !self.closed && next.closed {
            return incompatible("closed");
        }
        let counts_by_fields = matches!(self.policy, Policy::Additive | Policy::Max | Policy::Min);
        if counts_by_fields && self.fields.is_some() != next.fields.is_some() {
            return incompatible("fields");
        }
        for (name, field) in self.fields.iter().flatten() {
            let Some(after) = next.field(name) else { return incompatible(name.as_str()) };
            if field.kind != after.kind || field.rule != after.rule {
                return incompatible(name.as_str());
            }
        }
        let is_new = |name: &FieldName| self.field(name).is_none();
        let counted = next.fields.iter().flatten().find(|(name, field)| {
            // Under an open type the field may have been written already, by another rule.
            !self.closed && is_new(name) && field.rule.unwrap_or_default() != FieldRule::Lww
        });
        counted.map_or(Ok(()), |(name, _)| incompatible(name.as_str()))
    }

    /// Returns the declaration of a field.
    #[must_use]
    pub fn field(&self, name: &FieldName) -> Option<&Field> {
        self.fields.as_ref()?.get(name)
    }

    /// Returns the rule for a field that is written with `value`.
    #[must_use]
    pub fn rule(&self, name: &FieldName, value: Option<&Value>) -> FieldRule {
        let counted = match self.policy {
            Policy::FieldMerge => return self.field(name).and_then(|field| field.rule).unwrap_or_default(),
            Policy::Additive => FieldRule::Additive,
            Policy::Max => FieldRule::Max,
            Policy::Min => FieldRule::Min,
            Policy::AppendOnly
            | Policy::Lww
            | Policy::ServerAuthoritative
            | Policy::ServerWins
            | Policy::ClientWins
            | Policy::FirstWriteWins
            | Policy::Rules
            | Policy::Manual
            | Policy::Crdt => return FieldRule::Lww,
        };
        let is_counted = match &self.fields {
            Some(fields) => fields.get(name).is_some_and(|field| field.rule == Some(counted)),
            None => value.is_some_and(|value| value.number().is_some()),
        };
        if is_counted { counted } else { FieldRule::Lww }
    }
}

impl Field {
    fn rule_fits(&self) -> bool {
        let Some(kind) = self.kind else { return true };
        match self.rule.unwrap_or_default() {
            FieldRule::Additive | FieldRule::Min | FieldRule::Max => kind.is_number(),
            FieldRule::SetUnion | FieldRule::ListById => kind == FieldKind::List,
            FieldRule::Lww | FieldRule::Server | FieldRule::Client | FieldRule::Manual => true,
        }
    }

    fn bounds_hold(&self) -> bool {
        let Bounds { min, max } = self.bounds;
        let is_bounded = min.is_some() || max.is_some();
        let is_number = self.kind.is_none_or(FieldKind::is_number);
        let is_empty = min.zip(max).is_some_and(|(min, max)| min > max);
        !is_bounded || (is_number && !is_empty)
    }
}
