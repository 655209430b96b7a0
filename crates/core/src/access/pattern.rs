//! What may be done something with, and patterns of it.

use alloc::{borrow::ToOwned, string::String};
use core::{fmt, str::FromStr};

/// What may be done something with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// The document of a room, by its name.
    Document(&'a str),
    /// The records of a type, by its name.
    Type(&'a str),
    /// A scope that was defined, by its name.
    Scope(&'a str),
    /// The conflicts of a type, by its name.
    Conflicts(&'a str),
    /// What is of the whole server.
    Server,
}

/// Some resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourcePattern(Pattern);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Everything,
    Server,
    Named(Kind, String, Reach),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Document,
    Type,
    Scope,
    Conflicts,
}

/// Which names a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Itself.
    One,
    /// All that begin with it.
    Prefix,
}

/// Why a text is no pattern of resources. Whoever wrote it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a resource is doc:NAME, type:NAME, scope:NAME, conflict:NAME, server or *; a NAME may end in *")]
pub struct PatternError;

const KINDS: [(&str, Kind); 4] =
    [("doc", Kind::Document), ("type", Kind::Type), ("scope", Kind::Scope), ("conflict", Kind::Conflicts)];

impl ResourcePattern {
    /// The pattern of all resources.
    pub const EVERYTHING: Self = Self(Pattern::Everything);

    /// Returns the pattern of the documents whose names are `name`, or begin with what stands before a `*` at its end.
    #[must_use]
    pub fn documents(name: &str) -> Self {
        Self::named(Kind::Document, name)
    }

    fn named(kind: Kind, name: &str) -> Self {
        let (name, reach) = name.strip_suffix('*').map_or((name, Reach::One), |name| (name, Reach::Prefix));
        Self(Pattern::Named(kind, name.to_owned(), reach))
    }

    /// Returns whether a resource is one of these.
    #[must_use]
    pub fn covers(&self, resource: Resource<'_>) -> bool {
        match (&self.0, resource) {
            (Pattern::Everything, _) | (Pattern::Server, Resource::Server) => true,
            (Pattern::Named(kind, known, reach), Resource::Document(name)) => {
                *kind == Kind::Document && reach.covers(known, name)
            }
            (Pattern::Named(kind, known, reach), Resource::Type(name)) => {
                *kind == Kind::Type && reach.covers(known, name)
            }
            (Pattern::Named(kind, known, reach), Resource::Scope(name)) => {
                *kind == Kind::Scope && reach.covers(known, name)
            }
            // Whoever may read or write the records of a type meets its conflicts as well.
            (Pattern::Named(kind, known, reach), Resource::Conflicts(name)) => {
                matches!(kind, Kind::Conflicts | Kind::Type) && reach.covers(known, name)
            }
            (Pattern::Server, _) | (Pattern::Named(..), Resource::Server) => false,
        }
    }
}

impl Reach {
    fn covers(self, known: &str, name: &str) -> bool {
        match self {
            Self::One => known == name,
            Self::Prefix => name.starts_with(known),
        }
    }
}

impl FromStr for ResourcePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        match text {
            "*" => return Ok(Self::EVERYTHING),
            "server" => return Ok(Self(Pattern::Server)),
            _ => {}
        }
        let (word, name) = text.split_once(':').ok_or(PatternError)?;
        let (_, kind) = KINDS.iter().find(|(known, _)| *known == word).ok_or(PatternError)?;
        if name.is_empty() { Err(PatternError) } else { Ok(Self::named(*kind, name)) }
    }
}

impl fmt::Display for ResourcePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::Everything => f.write_str("*"),
            Pattern::Server => f.write_str("server"),
            Pattern::Named(kind, name, reach) => {
                let word = KINDS.iter().find(|(_, known)| known == kind).map_or("", |(word, _)| word);
                let star = if *reach == Reach::Prefix { "*" } else { "" };
                write!(f, "{word}:{name}{star}")
            }
        }
    }
}
