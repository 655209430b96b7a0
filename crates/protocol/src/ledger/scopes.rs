//! Scopes that were defined: narrower than a type, or wider.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use syncline_core::access::{self, Identity, Resource};
use syncline_core::entity::bucket::{Bucket, ScopeTemplate, TemplateError};
use syncline_core::entity::{TypeName, Value};

use super::machine::Ledger;
use super::message::{Answer, Write};
use super::scope::{Scope, Section};

/// The name of the scope of all types. A type or scope of this name has cursors of its own: they hold other buckets.
const EVERYTHING: &str = "-";

/// What a scope holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeDefinition {
    /// The types; there is one at least.
    pub types: BTreeSet<TypeName>,
    /// The template of the bucket that records must lie in; without it all do.
    pub bucket: Option<String>,
}

/// Why a scope is not defined. Who defines it is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// Each type is a scope of its own name.
    #[error("`{name}` is a type, and so a scope already")]
    Type {
        /// The name.
        name: TypeName,
    },
    /// A scope holds a type at least.
    #[error("a scope holds a type at least")]
    Empty,
    /// It holds a type that is not known.
    #[error("the type `{name}` is not known")]
    UnknownType {
        /// The type.
        name: TypeName,
    },
    /// Its bucket is no template.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// Why a scope is not followed. Who asks is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// There is none of the name.
    #[error("the scope `{name}` is not known")]
    Unknown {
        /// The name.
        name: TypeName,
    },
    /// Whoever asks may not read it; whether there is one of the name they do not learn.
    #[error("the scope `{name}` may not be read")]
    Forbidden {
        /// The name.
        name: TypeName,
    },
    /// A parameter is missing, or fits no record.
    #[error("the scope `{name}` needs `{template}` filled")]
    Unfilled {
        /// The name.
        name: TypeName,
        /// Its bucket.
        template: String,
    },
}

impl Ledger {
    /// Returns the scopes that were defined, by name.
    pub fn scopes(&self) -> impl Iterator<Item = (&TypeName, &ScopeDefinition)> {
        self.scopes.iter()
    }

    /// Returns what a scope holds for who asks with these parameters.
    ///
    /// A scope may be read by whoever may read the scope, or all of its types. Each type is a scope of its own name.
    ///
    /// # Errors
    /// [`FollowError`]: it may not be read, there is no such scope, or something to fill it is missing.
    pub fn scope(
        &self,
        name: &TypeName,
        params: &BTreeMap<String, Value>,
        identity: &Identity,
    ) -> Result<Scope, FollowError> {
        let forbidden = || FollowError::Forbidden { name: name.clone() };
        let may_read = |kind: &TypeName| identity.may(access::Action::Read, Resource::Type(kind.as_str()));
        let is_granted = identity.may(access::Action::Read, Resource::Scope(name.as_str()));
        if !is_granted && !self.scopes.contains_key(name) && !may_read(name) {
            return Err(forbidden());
        }
        if self.entity_type(name).is_some() {
            return Ok(Scope::of_type(name.clone()));
        }
        let unknown = || FollowError::Unknown { name: name.clone() };
        let defined = self.scopes.get(name).ok_or_else(unknown)?;
        if !is_granted && !defined.types.iter().all(may_read) {
            return Err(forbidden());
        }
        let bucket = match &defined.bucket {
            Some(text) => {
                let template = ScopeTemplate::parse(text).ok();
                if template.as_ref().is_some_and(|template| template.lacks_claim(&identity.claims)) {
                    return Err(forbidden());
                }
                let filled = template.and_then(|template| template.fill(params, &identity.claims));
                let unfilled = || FollowError::Unfilled { name: name.clone(), template: text.clone() };
                Some(filled.ok_or_else(unfilled)?)
            }
            None => None,
        };
        let section = |kind: &TypeName| Section {
            bucket: bucket.clone().unwrap_or_else(|| Bucket::whole(kind)),
            kind: kind.clone(),
        };
        Ok(Scope { name: name.clone(), sections: defined.types.iter().map(section).collect() })
    }

    /// Returns the scope of all types that someone may read.
    #[must_use]
    pub fn everything(&self, identity: &Identity) -> Scope {
        let may_read = |kind: &&TypeName| identity.may(access::Action::Read, Resource::Type(kind.as_str()));
        let whole = |kind: &TypeName| Section { bucket: Bucket::whole(kind), kind: kind.clone() };
        let name = TypeName::new(EVERYTHING).expect("it is one of the characters");
        Scope { name, sections: self.types.keys().filter(may_read).map(whole).collect() }
    }

    /// Defines a scope, or changes one: then whoever follows it begins again.
    pub(super) fn define_scope(&mut self, name: TypeName, definition: ScopeDefinition) -> Answer {
        if let Err(error) = self.check_scope(&name, &definition) {
            return Answer::ScopeRefused(error);
        }
        let before = self.scopes.insert(name.clone(), definition.clone());
        if before.as_ref() != Some(&definition) {
            self.gathered.push(Write::Scope(name, Box::new(definition)));
        }
        Answer::ScopeDefined { is_new: before.is_none() }
    }

    fn check_scope(&self, name: &TypeName, definition: &ScopeDefinition) -> Result<(), ScopeError> {
        if self.entity_type(name).is_some() {
            return Err(ScopeError::Type { name: name.clone() });
        }
        if definition.types.is_empty() {
            return Err(ScopeError::Empty);
        }
        if let Some(unknown) = definition.types.iter().find(|kind| self.entity_type(kind).is_none()) {
            return Err(ScopeError::UnknownType { name: unknown.clone() });
        }
        definition.bucket.as_deref().map_or(Ok(()), |text| ScopeTemplate::parse(text).map(drop))?;
        Ok(())
    }
}
