//! What a document holds, as a tree: read from yrs, compared, and written back.
//!
//! A tree of content knows neither ids nor authors. Two documents with the same content are the same to a reader.

mod delta;
mod forms;
mod hunks;
mod read;
mod report;
#[cfg(feature = "automerge")]
mod same;
mod write;

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;
use yrs::Any;

pub use report::{Change, ItemsChange, TextChange};

pub(super) use delta::{Comparison, Delta, ItemsHunk, delta};
pub(super) use hunks::Hunk;
pub(super) use read::{content_of, roots_of};
pub(super) use report::{escaped, report};
#[cfg(feature = "automerge")]
pub(super) use same::is_same;
pub(super) use write::{Budget, Unwritable, Writer, append, write};

use super::read::json;

/// What formats a run has, by name. Many runs of a text have the same, and none has a copy.
pub(super) type Format = Arc<BTreeMap<Arc<str>, Any>>;

/// Named parts, in order.
pub(super) type Named = BTreeMap<String, Content>;

/// What a shared type or a plain value holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    /// A text.
    Text(Vec<Run>),
    /// An array, or the children of an XML fragment.
    Items(Items, Vec<Content>),
    /// A map.
    Map(Named),
    /// An XML element.
    Element { name: String, attributes: Named, children: Vec<Content> },
    /// A text within XML.
    XmlText { attributes: Named, runs: Vec<Run> },
    /// A plain value.
    Value(Any),
    /// A value that only Automerge knows.
    #[cfg(feature = "automerge")]
    Special(Special),
    /// A subdocument, or a type that yrs only passes on: it can be seen that there is one.
    Opaque,
}

/// A value that only Automerge knows.
#[cfg(feature = "automerge")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Special {
    /// A number that is changed by adding to it.
    Counter(i64),
    /// A time, in milliseconds since the Unix epoch.
    Timestamp(i64),
    /// A whole number that is never negative.
    Unsigned(u64),
}

#[cfg(feature = "automerge")]
impl Special {
    /// Returns a value of the same kind, if it can be.
    pub(super) fn with(self, value: i64) -> Option<Self> {
        Some(match self {
            Self::Counter(_) => Self::Counter(value),
            Self::Timestamp(_) => Self::Timestamp(value),
            Self::Unsigned(_) => Self::Unsigned(u64::try_from(value).ok()?),
        })
    }

    pub(super) fn to_json(self) -> Value {
        match self {
            Self::Counter(value) | Self::Timestamp(value) => value.into(),
            Self::Unsigned(value) => value.into(),
        }
    }
}

/// What holds a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Items {
    Array,
    Fragment,
}

/// A stretch of a text with one format.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Run {
    pub(super) piece: Piece,
    pub(super) format: Format,
}

/// What a run holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    /// Characters, at least one.
    Text(String),
    /// One thing that stands in the text.
    Embed(Box<Content>),
}

impl Content {
    /// Returns whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Text(runs) => runs.is_empty(),
            Self::Items(_, items) => items.is_empty(),
            Self::Map(entries) => entries.is_empty(),
            _ => false,
        }
    }

    /// Returns the same kind of shared type with nothing in it.
    pub(super) fn emptied(&self) -> Self {
        match self {
            Self::Text(_) => Self::Text(Vec::new()),
            Self::Items(kind, _) => Self::Items(*kind, Vec::new()),
            Self::Map(_) => Self::Map(Named::new()),
            other => other.clone(),
        }
    }

    /// Returns the content as JSON in which nothing is left out: formats and attributes are there, and things of different
    /// kinds differ in form where they could be mistaken.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Text(runs) => runs_json(runs),
            Self::Items(_, items) => items.iter().map(Self::to_json).collect(),
            Self::Map(entries) => named_json(entries),
            Self::Element { name, attributes, children } => {
                let children = children.iter().map(Self::to_json).collect();
                [Value::from(&**name), named_json(attributes), children].into_iter().collect()
            }
            Self::XmlText { attributes, runs } => {
                [named_json(attributes), runs_json(runs)].into_iter().collect()
            }
            Self::Value(any) => json(any),
            #[cfg(feature = "automerge")]
            Self::Special(special) => special.to_json(),
            Self::Opaque => Value::Null,
        }
    }

    /// Returns the content as people compare it: a text is its characters.
    pub(super) fn plain(&self) -> Value {
        match self {
            Self::Text(runs) | Self::XmlText { runs, .. } => chars_of(runs).into(),
            Self::Map(entries) => {
                entries.iter().map(|(name, content)| (name.clone(), content.plain())).collect()
            }
            Self::Items(_, items) => items.iter().map(Self::plain).collect(),
            Self::Value(any) => json(any),
            #[cfg(feature = "automerge")]
            Self::Special(special) => special.to_json(),
            Self::Element { .. } | Self::Opaque => self.to_json(),
        }
    }
}

/// Returns the characters of a text.
pub(super) fn chars_of(runs: &[Run]) -> String {
    let texts = runs.iter().filter_map(|run| match &run.piece {
        Piece::Text(text) => Some(text.as_str()),
        Piece::Embed(_) => None,
    });
    texts.collect()
}

/// Joins runs of one format, so that equal texts have equal runs.
pub(super) fn joined(runs: Vec<Run>) -> Vec<Run> {
    let mut joined: Vec<Run> = Vec::new();
    for run in runs {
        match (joined.last_mut(), &run.piece) {
            (Some(Run { piece: Piece::Text(text), format }), Piece::Text(more))
                if Arc::ptr_eq(format, &run.format) || *format == run.format =>
            {
                text.push_str(more);
            }
            _ => joined.push(run),
        }
    }
    joined
}

fn named_json(named: &Named) -> Value {
    named.iter().map(|(name, content)| (name.clone(), content.to_json())).collect()
}

/// Each piece, followed by its format.
fn runs_json(runs: &[Run]) -> Value {
    let parts = runs.iter().flat_map(|run| {
        let piece = match &run.piece {
            Piece::Text(text) => Value::from(&**text),
            Piece::Embed(content) => content.to_json(),
        };
        [piece, run.format.iter().map(|(name, value)| (name.to_string(), json(value))).collect()]
    });
    parts.collect()
}
