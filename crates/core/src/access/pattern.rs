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

    /// Returns the pattern of this resource alone; a `*` at the end of its name is part of it.
    #[must_use]
    pub fn exactly(resource: Resource<'_>) -> Self {
        let (kind, name) = match resource {
            Resource::Document(name) => (Kind::Document, name),
            Resource::Type(name) => (Kind::Type, name),
            Resource::Scope(name) => (Kind::Scope, name),
            Resource::Conflicts(name) => (Kind::Conflicts, name),
            Resource::Server => return Self(Pattern::Server),
        };
        Self(Pattern::Named(kind, name.to_owned(), Reach::One))
    }

    /// Returns the resource that this is the pattern of, if it was made of one.
    #[must_use]
    pub fn only(&self) -> Option<Resource<'_>> {
        match &self.0 {
            Pattern::Server => Some(Resource::Server),
            Pattern::Named(Kind::Document, name, Reach::One) => Some(Resource::Document(name)),
            Pattern::Named(Kind::Type, name, Reach::One) => Some(Resource::Type(name)),
            Pattern::Named(Kind::Scope, name, Reach::One) => Some(Resource::Scope(name)),
            Pattern::Named(Kind::Conflicts, name, Reach::One) => Some(Resource::Conflicts(name)),
            Pattern::Everything | Pattern::Named(_, _, Reach::Prefix) => None,
        }
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

impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&ResourcePattern::exactly(*self), f)
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

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    /// A name that a pattern would take for the beginning of names is one name here.
    #[test]
    fn a_resource_is_a_pattern_of_itself_alone() {
        let plain =
            [Resource::Document("a"), Resource::Type("a"), Resource::Scope("a"), Resource::Conflicts("a")];
        for resource in plain.into_iter().chain([Resource::Document("a*"), Resource::Server]) {
            let pattern = ResourcePattern::exactly(resource);
            assert_eq!(pattern.only(), Some(resource));
            assert_eq!(pattern.to_string(), resource.to_string());
            assert!(pattern.covers(resource) && !pattern.covers(Resource::Document("a*b")));
        }
        for text in ["*", "doc:a*"] {
            assert_eq!(text.parse::<ResourcePattern>().unwrap().only(), None);
        }
    }
}
