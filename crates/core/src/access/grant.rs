//! What may be done.

use alloc::sync::Arc;
use core::{fmt, str::FromStr};

use super::pattern::{PatternError, Resource, ResourcePattern};

/// What is done with a resource. Whoever may do one of these may do those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Reading.
    Read,
    /// Being seen, and sending messages that are kept nowhere.
    Comment,
    /// Changing what is in it.
    Write,
    /// Changing what it is.
    Admin,
}

/// Why a text is no action. Whoever wrote it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an action is read, comment, write or admin")]
pub struct ActionError;

const ACTIONS: [(&str, Action); 4] = [
    ("read", Action::Read),
    ("comment", Action::Comment),
    ("write", Action::Write),
    ("admin", Action::Admin),
];

/// One permission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// With what.
    pub resource: ResourcePattern,
    /// The most that may be done.
    pub action: Action,
}

/// Why a text is no grant. Whoever wrote it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// There is nothing that may be done.
    #[error("a grant is RESOURCE=ACTION, as doc:team/*=write")]
    NoAction,
    /// What may be done is not known.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// What it may be done with is not known.
    #[error(transparent)]
    Resource(#[from] PatternError),
}

/// All that someone may do: what one of the grants allows. None allows nothing. Copies share the grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants(Arc<[Grant]>);

impl Grants {
    /// Returns the permission to do everything.
    #[must_use]
    pub fn everything() -> Self {
        [Grant { resource: ResourcePattern::EVERYTHING, action: Action::Admin }].into_iter().collect()
    }

    /// Returns the grants.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Grant> {
        self.0.iter()
    }

    /// Returns the most that may be done with a resource.
    #[must_use]
    pub fn most(&self, resource: Resource<'_>) -> Option<Action> {
        let fitting = self.0.iter().filter(|grant| grant.resource.covers(resource));
        fitting.map(|grant| grant.action).max()
    }

    /// Returns whether something may be done with a resource.
    #[must_use]
    pub fn allows(&self, action: Action, resource: Resource<'_>) -> bool {
        self.most(resource) >= Some(action)
    }
}

impl FromIterator<Grant> for Grants {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        Self(grants.into_iter().collect())
    }
}

impl FromStr for Action {
    type Err = ActionError;

    fn from_str(text: &str) -> Result<Self, ActionError> {
        let found = ACTIONS.iter().find(|(word, _)| *word == text);
        found.map(|&(_, action)| action).ok_or(ActionError)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ACTIONS[*self as usize].0)
    }
}

impl FromStr for Grant {
    type Err = GrantError;

    /// Reads `RESOURCE=ACTION`.
    fn from_str(text: &str) -> Result<Self, GrantError> {
        let (resource, action) = text.rsplit_once('=').ok_or(GrantError::NoAction)?;
        Ok(Self { resource: resource.parse()?, action: action.parse()? })
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.resource, self.action)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Grant {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Grant {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = alloc::string::String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    const RESOURCES: [Resource<'_>; 8] = [
        Resource::Document("team/plan"),
        Resource::Document("team"),
        Resource::Type("price"),
        Resource::Type("price_list"),
        Resource::Scope("price"),
        Resource::Conflicts("price"),
        Resource::Conflicts("order"),
        Resource::Server,
    ];

    /// Compares what each grant covers with a table, so that each other resource is denied.
    #[test]
    fn a_grant_covers_what_it_names_and_nothing_else() {
        let check = |text: &str, covered: &[usize]| {
            let grant: Grant = text.parse().unwrap();
            assert_eq!(grant.to_string(), text);
            let grants: Grants = [grant].into_iter().collect();
            for (at, resource) in RESOURCES.into_iter().enumerate() {
                assert_eq!(
                    grants.allows(Action::Read, resource),
                    covered.contains(&at),
                    "{text} {resource:?}"
                );
            }
        };
        check("doc:team/plan=read", &[0]);
        check("doc:team/*=write", &[0]);
        check("doc:team*=write", &[0, 1]);
        check("type:price=read", &[2, 5]);
        check("type:price*=admin", &[2, 3, 5]);
        check("scope:*=read", &[4]);
        check("conflict:*=write", &[5, 6]);
        check("server=admin", &[7]);
        check("*=read", &[0, 1, 2, 3, 4, 5, 6, 7]);
        check("doc:a=b=read", &[]);
    }

    #[test]
    fn the_most_that_some_grant_allows_may_be_done_and_no_more() {
        let texts = ["doc:*=comment", "doc:team/*=write", "doc:team/old=read"];
        let grants: Grants = texts.iter().map(|text| text.parse::<Grant>().unwrap()).collect();
        let most = |name| grants.most(Resource::Document(name));
        assert_eq!(most("x"), Some(Action::Comment));
        assert_eq!(most("team/old"), Some(Action::Write), "grants add up");
        for (_, action) in ACTIONS {
            assert_eq!(grants.allows(action, Resource::Document("x")), action <= Action::Comment);
            assert!(!grants.allows(action, Resource::Server));
            assert!(!Grants::default().allows(action, Resource::Document("x")));
            assert!(Grants::everything().allows(action, Resource::Server));
        }
    }

    #[test]
    fn what_is_no_grant_is_refused() {
        let check = |text: &str, want: &str| {
            let error = text.parse::<Grant>().unwrap_err().to_string();
            assert!(error.contains(want), "{text}: {error}");
        };
        check("doc:team", "RESOURCE=ACTION");
        check("doc:team=delete", "an action is");
        check("=read", "a resource is");
        check("doc:=read", "a resource is");
        check("document:x=read", "a resource is");
        check("type=read", "a resource is");
    }
}
