//! Types of entities while the ledger runs.

use syncline_core::entity::{EntityType, RulesError, Ruleset, TypeError, TypeName};

use super::load::LedgerLoadError;
use super::machine::Ledger;
use super::message::{Answer, Write};

/// Why a type is refused. Whoever declares it is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeRefusal {
    /// It means nothing, or would alter what stored records mean.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// Its rules cannot be compiled.
    #[error(transparent)]
    Rules(#[from] RulesError),
}

impl Ledger {
    /// Returns the types, by name.
    pub fn types(&self) -> impl Iterator<Item = &EntityType> {
        self.types.values()
    }

    /// Returns a type.
    #[must_use]
    pub fn entity_type(&self, name: &TypeName) -> Option<&EntityType> {
        self.types.get(name)
    }

    /// Declares a type, or changes one as far as its records mean the same.
    pub(super) fn define_type(&mut self, ty: EntityType) -> Answer {
        let known = self.types.get(&ty.name);
        let is_new = known.is_none();
        let checked = known.map_or_else(|| ty.check(), |known| known.check_change(&ty));
        if let Err(error) = checked {
            return Answer::TypeRefused(error.into());
        }
        if known != Some(&ty) {
            match rules_of(&ty) {
                Ok(rules) => self.set_rules(&ty.name, rules),
                Err(error) => return Answer::TypeRefused(error.into()),
            }
            self.set_type(ty);
        }
        Answer::TypeDefined { is_new }
    }

    /// Takes in a type that is given when the ledger is loaded. It may have been changed since it was given first: then what
    /// is stored stays.
    pub(super) fn give_type(&mut self, given: EntityType) -> Result<(), LedgerLoadError> {
        let refuse = |given: EntityType, error| Err(LedgerLoadError::Type { name: given.name, error });
        if let Err(error) = rules_of(&given) {
            return refuse(given, error.into());
        }
        let checked = match self.types.get(&given.name) {
            Some(stored) if *stored == given => return Ok(()),
            Some(stored) => stored.check_change(&given),
            None => given.check(),
        };
        match (checked, self.types.get(&given.name)) {
            (Ok(()), _) => {
                self.set_type(given);
                Ok(())
            }
            (Err(TypeError::Incompatible { .. }), Some(stored)) if given.check_change(stored).is_ok() => {
                Ok(())
            }
            (Err(error), _) => refuse(given, error.into()),
        }
    }

    /// Compiles the rules of all types. Stored ones are as much as given ones to be judged by, or not to be loaded.
    pub(super) fn compile_rules(&mut self) -> Result<(), LedgerLoadError> {
        for ty in self.types.values() {
            let compiled = rules_of(ty);
            let rules = compiled
                .map_err(|error| LedgerLoadError::Type { name: ty.name.clone(), error: error.into() })?;
            self.rulesets.extend(rules.map(|rules| (ty.name.clone(), rules)));
        }
        Ok(())
    }

    fn set_rules(&mut self, kind: &TypeName, rules: Option<Ruleset>) {
        self.rulesets.remove(kind);
        self.rulesets.extend(rules.map(|rules| (kind.clone(), rules)));
    }

    fn set_type(&mut self, ty: EntityType) {
        let kind = ty.name.clone();
        self.gathered.push(Write::Type(Box::new(ty.clone())));
        self.types.insert(kind.clone(), ty);
        self.refill(&kind);
    }
}

/// Compiles the rules of a type, if it has any.
fn rules_of(ty: &EntityType) -> Result<Option<Ruleset>, RulesError> {
    if ty.rules.is_empty() { Ok(None) } else { Ruleset::compile(ty).map(Some) }
}
