//! Credentials that are good no longer, though they have not ended.

use alloc::collections::BTreeMap;
use core::{fmt, str::FromStr};

use super::{Identity, TokenId};
use crate::{
    entity::{ActorName, NameError, UserName},
    time::WallMs,
};

/// Whose credentials are revoked, or which one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// All that a user has.
    User(UserName),
    /// All that were given to a device.
    Device(ActorName),
    /// The one of this name.
    Token(TokenId),
}

/// Why a text names nobody whose credentials could be revoked. Whoever wrote it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubjectError {
    /// It does not say of what it is the name.
    #[error("what is revoked is user:NAME, device:ID or token:ID")]
    Kind,
    /// It is no name.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// The credentials of a subject are good no longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Whose.
    pub subject: Subject,
    /// When it was made. What a user or a device was given later is good.
    pub at: WallMs,
    /// From when on it does nothing any more.
    pub until: WallMs,
}

/// Which credentials are revoked: at most one revocation of each subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations(BTreeMap<Subject, Revocation>);

impl Revocation {
    /// Returns whether it does nothing any more at `now`.
    #[must_use]
    pub fn is_over(&self, now: WallMs) -> bool {
        self.until <= now
    }

    /// Returns whether it has made the credential of its subject useless that shows this identity. One that does not say when it
    /// was issued was issued before.
    fn revokes(&self, identity: &Identity, now: WallMs) -> bool {
        let by_age = match self.subject {
            Subject::User(_) | Subject::Device(_) => {
                identity.issued_at.is_none_or(|issued| issued <= self.at)
            }
            Subject::Token(_) => true,
        };
        by_age && !self.is_over(now)
    }
}

impl Revocations {
    /// Takes a revocation in, in place of the one of the same subject.
    pub fn put(&mut self, revocation: Revocation) {
        self.0.insert(revocation.subject.clone(), revocation);
    }

    /// Takes a revocation back. Returns whether there was one.
    pub fn remove(&mut self, subject: &Subject) -> bool {
        self.0.remove(subject).is_some()
    }

    /// Returns whether the credential that shows this identity is revoked.
    #[must_use]
    pub fn revoke(&self, identity: &Identity, now: WallMs) -> bool {
        let token = identity.token_id.as_deref().and_then(|id| TokenId::new(id).ok());
        let subjects = [
            Some(Subject::User(identity.user.clone())),
            identity.vouched_by.clone().map(Subject::User),
            identity.device.clone().map(Subject::Device),
            token.map(Subject::Token),
        ];
        let mut found = subjects.into_iter().flatten().filter_map(|subject| self.0.get(&subject));
        found.any(|revocation| revocation.revokes(identity, now))
    }

    /// Returns the revocation of a subject.
    #[must_use]
    pub fn of(&self, subject: &Subject) -> Option<&Revocation> {
        self.0.get(subject)
    }

    /// Returns all, in the order of their subjects.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Revocation> {
        self.0.values()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user:{name}"),
            Self::Device(name) => write!(f, "device:{name}"),
            Self::Token(id) => write!(f, "token:{id}"),
        }
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    /// Reads `user:NAME`, `device:ID` or `token:ID`.
    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let (kind, name) = text.split_once(':').ok_or(SubjectError::Kind)?;
        Ok(match kind {
            "user" => Self::User(UserName::new(name)?),
            "device" => Self::Device(ActorName::device(name)?),
            "token" => Self::Token(TokenId::new(name)?),
            _ => return Err(SubjectError::Kind),
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::access::Grants;

    fn ann(issued_at: Option<u64>) -> Identity {
        Identity {
            device: Some(ActorName::device("phone").unwrap()),
            token_id: Some("t1".into()),
            issued_at: issued_at.map(WallMs),
            ..Identity::of(UserName::new("ann").unwrap(), Grants::default())
        }
    }

    /// Revokes one subject from 1,000 to 2,000, and compares who is shut out then.
    #[test]
    fn a_revocation_is_of_what_was_issued_before_it() {
        let check = |subject: &str, identity: &Identity, now: u64, want: bool| {
            let mut revocations = Revocations::default();
            let subject: Subject = subject.parse().unwrap();
            revocations.put(Revocation { subject: subject.clone(), at: WallMs(1_000), until: WallMs(2_000) });
            assert_eq!(revocations.revoke(identity, WallMs(now)), want, "{subject} {identity:?} {now}");
            assert!(revocations.remove(&subject) && !revocations.remove(&subject));
            assert!(!revocations.revoke(identity, WallMs(now)), "it was taken back");
        };
        for subject in ["user:ann", "device:phone"] {
            check(subject, &ann(None), 1_000, true);
            check(subject, &ann(Some(1_000)), 1_999, true);
            check(subject, &ann(Some(1_001)), 1_999, false);
            check(subject, &ann(None), 2_000, false);
        }
        check("token:t1", &ann(Some(1_001)), 1_999, true);
        check("token:t1", &ann(None), 2_000, false);
        for subject in ["user:bob", "user:phone", "device:pad", "token:t2", "token:ann"] {
            check(subject, &ann(None), 1_000, false);
        }
        let vouched_by = Some(UserName::new("bob").unwrap());
        check("user:bob", &Identity { vouched_by, ..ann(None) }, 1_000, true);
        check("token:t1", &Identity { token_id: None, ..ann(None) }, 1_000, false);
    }

    #[test]
    fn a_subject_is_read_as_it_is_written() {
        for text in ["user:ann:x/y", "device:a.b:c", "token:7f=="] {
            assert_eq!(text.parse::<Subject>().unwrap().to_string(), text);
        }
        for text in ["", "ann", "room:a", "user:", "token:", "device:a b", "device:srv:eu", "user:a\nb"] {
            assert!(text.parse::<Subject>().is_err(), "{text}");
        }
    }
}
