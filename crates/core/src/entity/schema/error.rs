//! Why a type is refused.

use alloc::string::String;

use crate::entity::FieldName;

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
    /// A reference is declared twice, or its field cannot hold an id.
    #[error("the reference in field `{field}` is declared twice, or the field holds no text")]
    Reference {
        /// The field.
        field: FieldName,
    },
    /// A list of `unique` names no field, too many, one twice, one that is not declared in a closed type, or one whose values are
    /// combined.
    #[error(
        "list {at} of `unique` does not name one to eight fields, each once, whose values somebody has written"
    )]
    Unique {
        /// Its place, from 0.
        at: usize,
    },
    /// The address of who is asked is none.
    #[error("who is asked has a url with `http` or `https` and no user in it")]
    HandlerUrl,
    /// Who is asked is given no time, or too much.
    #[error("who is asked has 1 to {max} ms (got {got} ms)")]
    HandlerTimeout {
        /// The time, in milliseconds.
        got: u64,
        /// The greatest allowed.
        max: u64,
    },
    /// Only the policy `rules` knows rules.
    #[error("`rules` are for the policy `rules`")]
    Rules,
    /// The versions of the schema are not in order.
    #[error("`schema_v` lies between `min_schema` and `max_schema`")]
    SchemaRange,
    /// There are too many of something.
    #[error("a type has at most {max} `{what}` (got {got})")]
    TooMany {
        /// The setting.
        what: &'static str,
        /// How many there are.
        got: usize,
        /// The greatest allowed.
        max: usize,
    },
    /// The change alters what stored records mean.
    #[error("the change of `{what}` alters what records mean")]
    Incompatible {
        /// The setting, or the field.
        what: String,
    },
}
