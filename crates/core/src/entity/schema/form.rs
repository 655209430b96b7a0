//! A type as operators write it, in JSON or TOML.
//!
//! The smallest is `{"policy":"lww"}`. The name is not in it: it is in the URL, or is that of the table. What the form does not
//! know is refused by its name; what it does not say has its default, and defaults are not written.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::scalar::Duration;
use super::{
    DeleteUpdate, EntityType, Fallback, Field, Handler, Policy, Reference, Rule, Take, TypeError, Verdict,
};
use crate::entity::bucket::BucketTemplate;
use crate::entity::{FieldName, TypeName};

/// A type as it is written, without its name: what serde reads and writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeForm {
    policy: Policy,
    #[serde(default, skip_serializing_if = "is_default")]
    whole: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    closed: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    fallback: Option<Fallback>,
    #[serde(default, skip_serializing_if = "is_default")]
    delete_update: DeleteUpdate,
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    coalesce: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    consistent: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    client_create: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    tombstone_ttl: Option<Duration>,
    #[serde(default, skip_serializing_if = "is_default")]
    deadline: Option<Duration>,
    #[serde(default, skip_serializing_if = "is_default")]
    buckets: Vec<BucketTemplate>,
    #[serde(default = "first", skip_serializing_if = "is_first")]
    schema_v: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    min_schema: Option<u32>,
    #[serde(default, skip_serializing_if = "is_default")]
    max_schema: Option<u32>,
    // What is a table in TOML stands behind what is none.
    #[serde(default, skip_serializing_if = "is_default")]
    handler: Option<Handler>,
    #[serde(default, skip_serializing_if = "is_default")]
    fields: Option<BTreeMap<FieldName, Field>>,
    #[serde(default, skip_serializing_if = "is_default")]
    refs: Vec<Reference>,
    #[serde(default, skip_serializing_if = "is_default")]
    rules: Vec<Rule>,
}

impl TypeForm {
    /// Returns the type that the form describes.
    ///
    /// # Errors
    /// [`TypeError`] as for [`EntityType::check`].
    pub fn named(self, name: TypeName) -> Result<EntityType, TypeError> {
        let ty = EntityType {
            name,
            policy: self.policy,
            whole: self.whole,
            fields: self.fields,
            closed: self.closed,
            fallback: self.fallback,
            rules: self.rules,
            delete_update: self.delete_update,
            coalesce: self.coalesce,
            consistent: self.consistent,
            client_create: self.client_create,
            tombstone_ttl_ms: self.tombstone_ttl.map(|ttl| ttl.ms),
            deadline_ms: self.deadline.map(|deadline| deadline.ms),
            refs: self.refs,
            buckets: self.buckets,
            handler: self.handler,
            schema_v: self.schema_v,
            min_schema: self.min_schema,
            max_schema: self.max_schema,
        };
        ty.check()?;
        Ok(ty)
    }
}

impl From<EntityType> for TypeForm {
    fn from(ty: EntityType) -> Self {
        Self {
            policy: ty.policy,
            whole: ty.whole,
            closed: ty.closed,
            fallback: ty.fallback,
            delete_update: ty.delete_update,
            coalesce: ty.coalesce,
            consistent: ty.consistent,
            client_create: ty.client_create,
            tombstone_ttl: ty.tombstone_ttl_ms.map(|ms| Duration { ms }),
            deadline: ty.deadline_ms.map(|ms| Duration { ms }),
            buckets: ty.buckets,
            schema_v: ty.schema_v,
            min_schema: ty.min_schema,
            max_schema: ty.max_schema,
            handler: ty.handler,
            fields: ty.fields,
            refs: ty.refs,
            rules: ty.rules,
        }
    }
}

/// A rule as it is written: a condition, and one of the others.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleForm {
    when: String,
    #[serde(default, skip_serializing_if = "is_default")]
    take: Option<Take>,
    #[serde(default, skip_serializing_if = "is_default")]
    veto: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    escalate: Option<bool>,
    #[serde(default, skip_serializing_if = "is_default")]
    compute: Option<BTreeMap<FieldName, String>>,
}

impl TryFrom<RuleForm> for Rule {
    type Error = &'static str;

    fn try_from(form: RuleForm) -> Result<Self, Self::Error> {
        let verdict = match (form.take, form.compute, form.veto, form.escalate) {
            (Some(take), None, None, None) => Verdict::Take(take),
            (None, Some(fields), None, None) => Verdict::Compute(fields),
            (None, None, Some(reason), None) => Verdict::Veto(reason),
            (None, None, None, Some(true)) => Verdict::Escalate,
            _ => return Err("a rule says exactly one of `take`, `compute`, `veto` and `escalate: true`"),
        };
        Ok(Self { when: form.when, verdict })
    }
}

impl From<Rule> for RuleForm {
    fn from(rule: Rule) -> Self {
        let form = Self { when: rule.when, ..Self::default() };
        match rule.verdict {
            Verdict::Take(take) => Self { take: Some(take), ..form },
            Verdict::Compute(fields) => Self { compute: Some(fields), ..form },
            Verdict::Veto(reason) => Self { veto: Some(reason), ..form },
            Verdict::Escalate => Self { escalate: Some(true), ..form },
        }
    }
}

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

const fn yes() -> bool {
    true
}

const fn first() -> u32 {
    1
}

const fn is_yes(value: &bool) -> bool {
    *value
}

const fn is_first(version: &u32) -> bool {
    *version == 1
}
