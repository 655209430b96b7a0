//! Tokens for one document: what somebody who may use it hands to a client that shows nothing else, as those of y-sweet do.
//!
//! They are held in memory alone, as tickets are; but they last, and may be shown more than once.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use syncline_core::{
    access::{Action, Grant, Grants, Identity, Resource, ResourcePattern},
    entity::UserName,
    id::{RoomName, TenantName},
    time::WallMs,
};

use super::word::{WordHash, word};
use crate::limits::{DOCUMENT_TOKEN_MS_MAX, DOCUMENT_TOKENS_MAX, DOCUMENT_TOKENS_PER_USER_MAX};

/// Who has handed tokens out: a user of a tenant.
type Issuer = (TenantName, UserName);

/// The tokens that are good.
#[derive(Default)]
pub(crate) struct DocumentTokens(Mutex<Issued>);

#[derive(Default)]
struct Issued {
    good: BTreeMap<WordHash, (Issuer, DocumentToken)>,
    /// Those of each user, in the order in which they were issued. The first of them is good.
    of_user: BTreeMap<Issuer, VecDeque<WordHash>>,
}

/// What a token for one document is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DocumentToken {
    /// Who shows it. Of what is granted to them there is no more here than the token is for.
    pub(crate) identity: Arc<Identity>,
    pub(crate) document: RoomName,
    /// The most that may be done, whoever allows more.
    pub(crate) most: Action,
}

/// There are as many tokens as may be, and all of them are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are as many tokens for documents as may be; come again")]
pub(crate) struct TooManyDocumentTokens;

impl fmt::Debug for DocumentTokens {
    /// Leaves the hashes out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentTokens").finish_non_exhaustive()
    }
}

impl DocumentToken {
    /// Returns what stands for `issuer` at one document, or for somebody else for whom they vouch, and ends after so many milliseconds,
    /// or with what the issuer has shown.
    pub(crate) fn new(
        issuer: &Identity,
        user: UserName,
        document: RoomName,
        most: Action,
        (now, valid_ms): (WallMs, u64),
    ) -> Self {
        let resource = Resource::Document(document.as_str());
        let granted = issuer
            .grants
            .most(resource)
            .map(|granted| Grant { resource: ResourcePattern::exactly(resource), action: granted.min(most) });
        let end = WallMs(now.0.saturating_add(valid_ms.min(DOCUMENT_TOKEN_MS_MAX)));
        let vouched_by = (user != issuer.user).then(|| issuer.user.clone());
        let identity = Identity {
            user,
            grants: granted.into_iter().collect::<Grants>(),
            expires_at: Some(issuer.expires_at.map_or(end, |known| known.min(end))),
            vouched_by,
            ..issuer.clone()
        };
        Self { identity: Arc::new(identity), document, most }
    }
}

impl DocumentTokens {
    /// Issues a token, made of these random bytes. Of a user who has as many as may be the oldest one ends.
    pub(super) fn issue(
        &self,
        issuer: &Identity,
        token: DocumentToken,
        random: [u8; 32],
        now: WallMs,
    ) -> Result<String, TooManyDocumentTokens> {
        let issuer: Issuer = (issuer.tenant.clone(), issuer.user.clone());
        let mut issued = self.issued();
        if issued.of_user.get(&issuer).is_some_and(|own| own.len() >= DOCUMENT_TOKENS_PER_USER_MAX) {
            issued.forget_oldest_of(&issuer);
        }
        if issued.good.len() >= DOCUMENT_TOKENS_MAX {
            issued.forget_ended(now);
        }
        if issued.good.len() >= DOCUMENT_TOKENS_MAX {
            return Err(TooManyDocumentTokens);
        }
        let (word, hash) = word(random);
        issued.of_user.entry(issuer.clone()).or_default().push_back(hash);
        issued.good.insert(hash, (issuer, token));
        Ok(word)
    }

    /// Returns what a token is good for. Whether its bearer has been shut out, or it has ended, its identity says.
    pub(super) fn find(&self, word: &str) -> Option<DocumentToken> {
        self.issued().good.get(&WordHash::of(word)).map(|(_, token)| token.clone())
    }

    /// Nothing that runs under the lock leaves the tokens half changed, so a poisoned lock holds whole ones.
    fn issued(&self) -> MutexGuard<'_, Issued> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Issued {
    fn forget_oldest_of(&mut self, issuer: &Issuer) {
        let oldest = self.of_user.get_mut(issuer).and_then(VecDeque::pop_front);
        if let Some(oldest) = oldest {
            self.good.remove(&oldest);
        }
    }

    fn forget_ended(&mut self, now: WallMs) {
        self.good.retain(|_, (_, token)| !token.identity.is_expired(now));
        let good = &self.good;
        self.of_user.retain(|_, own| {
            own.retain(|hash| good.contains_key(hash));
            !own.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(user: &str, grants: &[&str]) -> Identity {
        let grants = grants.iter().map(|grant| grant.parse::<Grant>().expect("a grant"));
        Identity::of(UserName::new(user).expect("a name"), grants.collect())
    }

    fn token(issuer: &Identity, name: &str, most: Action, valid_ms: u64) -> DocumentToken {
        let document = RoomName::new(name).expect("a name");
        DocumentToken::new(issuer, issuer.user.clone(), document, most, (WallMs(1_000), valid_ms))
    }

    fn bytes(n: usize) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(n as u64).to_be_bytes());
        bytes
    }

    /// Of all that its issuer may do a token allows what it is for, and no more.
    #[test]
    fn a_token_is_for_one_document() {
        let check = |grants: &[&str], name: &str, most, want: Option<Action>| {
            let identity = token(&who("ann", grants), name, most, 5).identity;
            assert_eq!(identity.grants.most(Resource::Document(name)), want, "{grants:?} {name} {most}");
            let others = [Resource::Document("other"), Resource::Document("plan/b"), Resource::Server];
            assert!(
                others.into_iter().all(|other| identity.grants.most(other).is_none()),
                "{grants:?} {name}"
            );
            assert_eq!(identity.expires_at, Some(WallMs(1_005)));
        };
        check(&["*=admin"], "plan", Action::Write, Some(Action::Write));
        check(&["*=admin"], "plan*", Action::Comment, Some(Action::Comment));
        check(&["doc:plan=read", "server=admin"], "plan", Action::Write, Some(Action::Read));
        // Somebody else may allow it.
        check(&["doc:other=write"], "plan", Action::Write, None);
    }

    #[test]
    fn a_token_ends_when_it_says_or_with_that_of_its_issuer() {
        let ends = |expires_at, valid_ms| {
            let issuer = Identity { expires_at, ..who("ann", &[]) };
            token(&issuer, "plan", Action::Write, valid_ms).identity.expires_at
        };
        assert_eq!(ends(Some(WallMs(1_500)), 5_000), Some(WallMs(1_500)));
        assert_eq!(ends(Some(WallMs(9_000)), 5_000), Some(WallMs(6_000)));
        assert_eq!(ends(None, u64::MAX), Some(WallMs(1_000 + DOCUMENT_TOKEN_MS_MAX)), "a day at most");
    }

    #[test]
    fn tokens_are_bounded_for_each_user_and_in_all() {
        let tokens = DocumentTokens::default();
        let issue = |n: usize, user: usize, now| {
            let issuer = who(&format!("user{user}"), &[]);
            tokens.issue(&issuer, token(&issuer, "plan", Action::Write, 1_000), bytes(n), WallMs(now))
        };
        let first = issue(0, 0, 1_000).expect("there is room");
        let second = issue(1, 0, 1_000).expect("there is room");
        for n in 2..=DOCUMENT_TOKENS_PER_USER_MAX {
            issue(n, 0, 1_000).expect("there is room");
        }
        assert!(tokens.find(&first).is_none() && tokens.find(&second).is_some(), "the oldest one has ended");
        let mut n = DOCUMENT_TOKENS_PER_USER_MAX;
        while n < DOCUMENT_TOKENS_MAX {
            n += 1;
            issue(n, n / DOCUMENT_TOKENS_PER_USER_MAX, 1_000).expect("there is room");
        }
        assert_eq!(issue(n + 1, 99, 1_999), Err(TooManyDocumentTokens));
        let last = issue(n + 1, 99, 2_000).expect("all others have ended");
        assert!(tokens.find(&second).is_none() && tokens.find(&last).is_some());
        assert_eq!(tokens.issued().of_user.len(), 1);
        assert_eq!(tokens.find(""), None);
    }
}
