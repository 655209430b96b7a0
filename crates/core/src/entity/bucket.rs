//! Buckets: the parts in which scopes are read.
//!
//! A record lies in the bucket of its type, and in one for each template of its type whose fields it has. A scope is a bucket
//! whose template is filled from what the client asks for and from what its token says.
//!
//! No two fillings of a template have one name: a literal lies between two placeholders, and holds a character that no value
//! keeps. No template has the name of a type: it begins with a literal that holds a `:`, which names of types do not.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use super::{FieldName, TypeName, Value, Values};
use crate::limits::BUCKET_BYTES_MAX;

/// The name of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(Arc<str>);

impl Bucket {
    /// Returns the bucket of all records of a type.
    #[must_use]
    pub fn whole(ty: &TypeName) -> Self {
        Self(ty.shared())
    }

    /// Takes a name back that was stored.
    #[must_use]
    pub fn from_stored(name: &str) -> Self {
        Self(name.into())
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Bucket {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Bucket {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        alloc::string::String::deserialize(deserializer).map(|name| Self::from_stored(&name))
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The buckets of records, by their fields: `territory:{territory}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketTemplate(Template<FieldName>);

/// The bucket of a scope, by its parameters and by claims of the token: `territory:{claim.territory}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeTemplate(Template<Source>);

#[cfg(feature = "serde")]
impl serde::Serialize for BucketTemplate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for BucketTemplate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let refused = |error| serde::de::Error::custom(format_args!("the bucket `{text}`: {error}"));
        Self::parse(&text).map_err(refused)
    }
}

/// Why a text is no template. Whoever declares it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// It is too long.
    #[error("a template has at most {max} bytes (got {bytes})")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The greatest allowed.
        max: usize,
    },
    /// It could pass for a type.
    #[error("a template begins with a text that holds a `:`")]
    Start,
    /// A character is not allowed outside of braces.
    #[error("a template holds `A-Z a-z 0-9 _ . : / -` outside of braces")]
    Character,
    /// A brace has no other, or there is no good name between two.
    #[error("a template names what fills it in braces, such as `{{territory}}`")]
    Placeholder,
    /// Two fillings could have one name.
    #[error("between two placeholders there is one of `_ . : / -`")]
    Touching,
    /// Records have no claims.
    #[error("`claim.` is for scopes")]
    Claim,
}

impl BucketTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let field = |name: &str| match Source::parse(name)? {
            Source::Claim(_) => Err(TemplateError::Claim),
            Source::Param(name) => FieldName::new(&name).map_err(|_| TemplateError::Placeholder),
        };
        Template::parse(text, field).map(Self)
    }

    /// Returns the template as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Returns the bucket that a record lies in, or none if it lacks a field, or one holds no text, whole number or boolean,
    /// or the name would be too long.
    #[must_use]
    pub fn fill(&self, values: &Values) -> Option<Bucket> {
        self.0.fill(|field| values.get(field))
    }
}

impl ScopeTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        Template::parse(text, Source::parse).map(Self)
    }

    /// Returns the template as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Returns whether it is to be filled with a claim that is not there.
    #[must_use]
    pub fn lacks_claim(&self, claims: &BTreeMap<String, Value>) -> bool {
        self.0.parts.iter().any(|(_, source)| match source {
            Some(Source::Claim(name)) => !claims.contains_key(name),
            Some(Source::Param(_)) | None => false,
        })
    }

    /// Returns the bucket of the scope, or none under the conditions of [`BucketTemplate::fill`].
    ///
    /// `params` is what the client asks for; it cannot stand in for a claim.
    #[must_use]
    pub fn fill(&self, params: &BTreeMap<String, Value>, claims: &BTreeMap<String, Value>) -> Option<Bucket> {
        self.0.fill(|source| match source {
            Source::Param(name) => params.get(name),
            Source::Claim(name) => claims.get(name),
        })
    }
}

/// What fills a placeholder of a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Param(String),
    Claim(String),
}

impl Source {
    fn parse(name: &str) -> Result<Self, TemplateError> {
        let claim = name.strip_prefix("claim.");
        let plain = claim.unwrap_or(name);
        if plain.is_empty() || plain.contains(['{', '}']) {
            return Err(TemplateError::Placeholder);
        }
        Ok(if claim.is_some() { Self::Claim(plain.into()) } else { Self::Param(plain.into()) })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Template<P> {
    text: Arc<str>,
    /// Literals, and what follows each of them.
    parts: Vec<(String, Option<P>)>,
}

impl<P> Template<P> {
    fn parse(
        text: &str,
        placeholder: impl Fn(&str) -> Result<P, TemplateError>,
    ) -> Result<Self, TemplateError> {
        if text.len() > BUCKET_BYTES_MAX {
            return Err(TemplateError::TooLong { bytes: text.len(), max: BUCKET_BYTES_MAX });
        }
        let (mut parts, mut rest) = (Vec::new(), text);
        loop {
            let (literal, behind) = rest.split_once('{').map_or((rest, None), |(a, b)| (a, Some(b)));
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || SEPARATORS.contains(&c);
            if !literal.chars().all(is_allowed) {
                return Err(TemplateError::Character);
            }
            if parts.is_empty() && !literal.contains(':') {
                return Err(TemplateError::Start);
            }
            let Some(behind) = behind else {
                parts.push((literal.into(), None));
                return Ok(Self { text: text.into(), parts });
            };
            if !parts.is_empty() && !literal.contains(SEPARATORS) {
                return Err(TemplateError::Touching);
            }
            let (name, after) = behind.split_once('}').ok_or(TemplateError::Placeholder)?;
            parts.push((literal.into(), Some(placeholder(name)?)));
            rest = after;
        }
    }

    fn fill<'a>(&self, value: impl Fn(&P) -> Option<&'a Value>) -> Option<Bucket> {
        let mut name = String::new();
        for (literal, placeholder) in &self.parts {
            name.push_str(literal);
            if let Some(placeholder) = placeholder {
                write_value(&mut name, value(placeholder)?)?;
            }
            if name.len() > BUCKET_BYTES_MAX {
                return None;
            }
        }
        Some(Bucket(name.into()))
    }
}

/// What stands between placeholders, and in no value that fills one.
const SEPARATORS: [char; 5] = ['_', '.', ':', '/', '-'];

fn write_value(out: &mut String, value: &Value) -> Option<()> {
    match value {
        Value::Text(text) if text.len() <= BUCKET_BYTES_MAX => {
            for byte in text.bytes() {
                if byte.is_ascii_alphanumeric() {
                    out.push(byte.into());
                } else {
                    write!(out, "%{byte:02X}").ok()?;
                }
            }
        }
        // A parameter in a URL is a text, and means the number that it shows: so numbers are written as texts are.
        Value::Number(number) if number.is_whole() => {
            let (coefficient, exponent) = number.parts();
            let unit = 10_i128.checked_pow(exponent.unsigned_abs())?;
            let shown = unit.checked_mul(coefficient)?.to_string();
            write_value(out, &Value::Text(shown))?;
        }
        Value::Bool(value) => write!(out, "{value}").ok()?,
        Value::Text(_) | Value::Number(_) | Value::Null | Value::List(_) | Value::Map(_) => return None,
    }
    Some(())
}
