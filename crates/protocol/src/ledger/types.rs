//! Types of entities while the ledger runs.

use syncline_core::entity::{EntityType, RulesError, Ruleset, SchemaRange, TypeError, TypeName};

use super::load::LedgerLoadError;
use super::machine::Ledger;
use super::message::{Answer, Write};

/// Why a type is not declared. Whoever declares it is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeRefusal {
    /// Its settings mean nothing, or something else than before.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// One of its rules cannot be compiled.
    #[error(transparent)]
    Rules(#[from] RulesError),
}

/// Why a request of a client is refused whole: a type that it is about takes other versions of its schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the type `{kind}` does not take version {version} of its schema")]
pub struct SchemaRefusal {
    /// The type; of several the first by name.
    pub kind: TypeName,
    /// What the client uses.
    pub version: u32,
    /// What the type takes.
    pub range: SchemaRange,
}

impl Ledger {
    /// Checks that types take a version of their schemas from clients. One that is not known takes each.
    ///
    /// # Errors
    /// [`SchemaRefusal`] names one that does not.
    pub fn check_schema<'a>(
        &self,
        version: u32,
        kinds: impl IntoIterator<Item = &'a TypeName>,
    ) -> Result<(), SchemaRefusal> {
        let ranges = kinds.into_iter().filter_map(|kind| Some((kind, self.types.get(kind)?.schema_range())));
        let refusing = ranges.filter(|(_, range)| !range.contains(version));
        match refusing.min_by_key(|&(kind, _)| kind) {
            Some((kind, range)) => Err(SchemaRefusal { kind: kind.clone(), version, range }),
            None => Ok(()),
        }
    }

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
        if known != Some(&ty)
            && let Err(error) = self.set_type(ty)
        {
            return Answer::TypeRefused(error.into());
        }
        Answer::TypeDefined { is_new }
    }

    /// Takes in a type that is given when the ledger is loaded. It may have been changed since it was given first: then what
    /// is stored stays.
    pub(super) fn give_type(&mut self, given: EntityType) -> Result<(), LedgerLoadError> {
        let refuse = |name, error| Err(LedgerLoadError::Type { name, error });
        let name = given.name.clone();
        let checked = match self.types.get(&given.name) {
            Some(stored) if *stored == given => return Ok(()),
            Some(stored) => stored.check_change(&given),
            None => given.check(),
        };
        match (checked, self.types.get(&given.name)) {
            (Ok(()), _) => self.set_type(given).or_else(|error| refuse(name, error.into())),
            (Err(TypeError::Incompatible { .. }), Some(stored)) if given.check_change(stored).is_ok() => {
                Ok(())
            }
            (Err(error), _) => refuse(name, error.into()),
        }
    }

    /// Takes in a type as it was stored.
    pub(super) fn restore_type(&mut self, ty: EntityType) -> Result<(), LedgerLoadError> {
        let compiled = self.compile(&ty);
        compiled.map_err(|error| LedgerLoadError::Type { name: ty.name.clone(), error: error.into() })?;
        self.types.insert(ty.name.clone(), ty);
        Ok(())
    }

    fn compile(&mut self, ty: &EntityType) -> Result<(), RulesError> {
        self.rulesets.insert(ty.name.clone(), Ruleset::compile(ty)?);
        Ok(())
    }

    fn set_type(&mut self, ty: EntityType) -> Result<(), RulesError> {
        self.compile(&ty)?;
        let kind = ty.name.clone();
        self.gathered.push(Write::Type(Box::new(ty.clone())));
        self.types.insert(kind.clone(), ty);
        self.refill(&kind);
        Ok(())
    }
}
