//! Types of entities: what their fields are, and how writes that did not see each other are settled.

mod error;
mod field;
#[cfg(feature = "serde")]
mod form;
mod policy;
#[cfg(feature = "serde")]
mod scalar;
mod settings;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

pub use error::TypeError;
pub use field::{Bounds, Field, FieldKind, FieldRule};
#[cfg(feature = "serde")]
pub use form::TypeForm;
pub use policy::Policy;
pub use settings::{
    DeleteUpdate, Fallback, Handler, OnDelete, Reference, Rule, SchemaRange, Secret, Take, Verdict,
};

use super::bucket::{Bucket, BucketTemplate};
use super::{FieldName, TypeName, Value, Values};
use crate::limits::{BUCKETS_PER_TYPE_MAX, HANDLER_MS_MAX, RULES_PER_TYPE_MAX};

/// A type of entities.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Under [`Policy::Rules`]: what decides, in this order.
    pub rules: Vec<Rule>,
    /// Under [`Policy::FieldMerge`]: what becomes of a deletion whose author had not seen a change.
    pub delete_update: DeleteUpdate,
    /// Whether a client may merge ops before it sends them.
    pub coalesce: bool,
    /// Whether a client shows changes only when it has all of them.
    pub consistent: bool,
    /// Under [`Policy::ServerAuthoritative`]: whether clients may create.
    pub client_create: bool,
    /// How long a tombstone is kept at least, in milliseconds; the server's default if none.
    pub tombstone_ttl_ms: Option<u64>,
    /// How long people have for a conflict that needs them, in milliseconds from when it arises; as long as they like if none.
    pub deadline_ms: Option<u64>,
    /// The fields that hold ids of other entities.
    pub refs: Vec<Reference>,
    /// The buckets that a record lies in, besides that of its type.
    pub buckets: Vec<BucketTemplate>,
    /// Who is asked about ops.
    pub handler: Option<Handler>,
    /// The version of the schema.
    pub schema_v: u32,
    /// The least version that clients may write with.
    pub min_schema: Option<u32>,
    /// The greatest version that clients may write with.
    pub max_schema: Option<u32>,
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
            rules: Vec::new(),
            delete_update: DeleteUpdate::Delete,
            coalesce: true,
            consistent: false,
            client_create: false,
            tombstone_ttl_ms: None,
            deadline_ms: None,
            refs: Vec::new(),
            buckets: Vec::new(),
            handler: None,
            schema_v: 1,
            min_schema: None,
            max_schema: None,
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
        if !self.rules.is_empty() && self.policy != Policy::Rules {
            return Err(TypeError::Rules);
        }
        at_most("rules", self.rules.len(), RULES_PER_TYPE_MAX)?;
        at_most("buckets", self.buckets.len(), BUCKETS_PER_TYPE_MAX)?;
        self.check_refs()?;
        self.check_handler()?;
        if self.schema_range().contains(self.schema_v) { Ok(()) } else { Err(TypeError::SchemaRange) }
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
        for old in &self.refs {
            let same = next.refs.iter().find(|reference| reference.field == old.field);
            if same.is_some_and(|same| same.target != old.target) {
                return incompatible(old.field.as_str());
            }
        }
        // Records that were written under the later version are there.
        if next.schema_v < self.schema_v {
            return incompatible("schema_v");
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

    /// Returns the versions of the schema that clients may write with.
    #[must_use]
    pub const fn schema_range(&self) -> SchemaRange {
        SchemaRange { min: self.min_schema, max: self.max_schema }
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

    /// Returns the buckets that a record with these fields lies in; that of the whole type is always among them.
    #[must_use]
    pub fn buckets_of(&self, values: &Values) -> BTreeSet<Bucket> {
        let narrower = self.buckets.iter().filter_map(|template| template.fill(values));
        narrower.chain([Bucket::whole(&self.name)]).collect()
    }

    /// Returns the type as others may see it: without the secret of its handler.
    #[must_use]
    pub fn without_secret(&self) -> Self {
        let handler = self.handler.clone().map(|handler| Handler { secret: None, ..handler });
        Self { handler, ..self.clone() }
    }

    fn check_refs(&self) -> Result<(), TypeError> {
        let mut seen = BTreeSet::new();
        for Reference { field, .. } in &self.refs {
            let declared = self.field(field);
            let is_missing = self.closed && declared.is_none();
            let is_other = declared.and_then(|field| field.kind).is_some_and(|kind| kind != FieldKind::Text);
            if is_missing || is_other || !seen.insert(field) {
                return Err(TypeError::Reference { field: field.clone() });
            }
        }
        Ok(())
    }

    fn check_handler(&self) -> Result<(), TypeError> {
        let Some(handler) = &self.handler else { return Ok(()) };
        if !handler.has_address() {
            return Err(TypeError::HandlerUrl);
        }
        match handler.timeout_ms {
            Some(got) if got == 0 || got > HANDLER_MS_MAX => {
                Err(TypeError::HandlerTimeout { got, max: HANDLER_MS_MAX })
            }
            Some(_) | None => Ok(()),
        }
    }
}

const fn at_most(what: &'static str, got: usize, max: usize) -> Result<(), TypeError> {
    if got > max { Err(TypeError::TooMany { what, got, max }) } else { Ok(()) }
}
