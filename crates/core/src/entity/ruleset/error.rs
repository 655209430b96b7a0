//! Why rules are refused.

use alloc::string::String;
use core::fmt;

use crate::entity::FieldName;

/// A rule that cannot be compiled. Whoever declares it is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule {rule}, {part}, line {line}, column {column}: {fault}")]
pub struct RulesError {
    /// Which rule, from 1.
    pub rule: usize,
    /// Where in the rule.
    pub part: RulePart,
    /// The line of the expression, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// What is wrong there.
    pub fault: RuleFault,
}

/// An expression of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulePart {
    /// The condition.
    When,
    /// What a field is computed from.
    Compute(FieldName),
}

impl fmt::Display for RulePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::When => f.write_str("`when`"),
            Self::Compute(field) => write!(f, "`compute` of `{field}`"),
        }
    }
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleFault {
    /// It is too long.
    #[error("an expression has at most {max} bytes (got {bytes})")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The greatest allowed.
        max: usize,
    },
    /// It nests too deeply.
    #[error("an expression nests at most {max} deep")]
    TooDeep {
        /// The greatest allowed.
        max: u16,
    },
    /// It is no CEL.
    #[error("{reason}")]
    Syntax {
        /// What the parser says.
        reason: String,
    },
    /// It names what rules do not see.
    #[error("rules know no `{name}`")]
    Unknown {
        /// The name.
        name: String,
    },
    /// It loops over a list or a map.
    #[error("rules have no loops")]
    Loop,
}
