//! Who someone is, and how long what they showed is good.
//!
//! What they may do then is decided by [`syncline_core::access`], for each request and each document.

mod credential;
mod devices;
mod documents;
mod http;
mod jwt;
mod lease;
mod permit;
mod revoked;
mod signed;
mod stored;
mod tickets;
mod tokens;
mod webhook;
mod word;

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use syncline_core::{
    access::{Action, Grants, Identity, Revocation, Revocations, Subject},
    entity::UserName,
    id::{RoomName, TenantName},
    time::WallMs,
};
use tokio::sync::watch;

pub(crate) use self::{
    credential::Credential,
    devices::{Devices, NotBound},
    documents::{DocumentToken, TooManyDocumentTokens},
    http::routes,
    lease::Lease,
    permit::{Again, Permit, due},
    signed::{Head, NotSigned, Proof, Signed, Signers, admit, admitted, check as check_signatures},
    stored::LoadError,
    webhook::{Check, Undecided, Webhook},
};
use self::{
    credential::decoded,
    documents::DocumentTokens,
    revoked::Revoked,
    stored::PutError,
    tickets::{Tickets, TooManyTickets},
};
pub use self::{
    devices::{DeviceBinding, DeviceSettings},
    jwt::{
        JwtSettings, JwtVerifier, KeyError, MintError, NewToken, PublishedKeys, PublishedKeysError,
        SigningAlgorithm, SigningKey,
    },
    tokens::{StaticToken, StaticTokens},
    webhook::WebhookSettings,
};
use crate::{clock::Clock, epoch::Epoch, tenants::Tenant};

/// Who is someone that nobody has to prove themselves to, and who says nothing.
const LOCAL_USER: &str = "local";

/// Finds out who the bearer of a credential is.
pub trait Authenticator: fmt::Debug + Send + Sync {
    /// Returns who shows `token`, which may be empty, at `now`.
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
        now: WallMs,
    ) -> BoxFuture<'a, Result<Arc<Identity>, Unauthenticated>>;
}

/// Several ways to find out who someone is: the first that knows a token says whose it is.
#[derive(Clone, Debug)]
pub struct OneOf(Vec<Arc<dyn Authenticator>>);

impl OneOf {
    /// Takes the ways, in the order in which they are tried.
    #[must_use]
    pub fn new(ways: Vec<Arc<dyn Authenticator>>) -> Self {
        Self(ways)
    }
}

impl Authenticator for OneOf {
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
        now: WallMs,
    ) -> BoxFuture<'a, Result<Arc<Identity>, Unauthenticated>> {
        Box::pin(async move {
            let mut refused = Unauthenticated::Missing;
            for way in &self.0 {
                match way.authenticate(token, now).await {
                    Err(Unauthenticated::Missing) => {}
                    // Whoever cannot tell may yet be the one who knows.
                    Err(Unauthenticated::Unknown) if refused != Unauthenticated::Missing => {}
                    Err(error) => refused = error,
                    known => return known,
                }
            }
            Err(refused)
        })
    }
}

/// Why nobody knows who someone is. Whoever showed the credential is at fault, but for the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unauthenticated {
    /// There is no credential.
    #[error("a token is asked for")]
    Missing,
    /// The credential is none that is known here, or was altered.
    #[error("the token is not good here")]
    Unknown,
    /// The credential was good once.
    #[error("the token has expired")]
    Expired,
    /// The credential was taken back.
    #[error("the token was revoked")]
    Revoked,
    /// The credential is of a device that has a key, and has not signed.
    #[error("the device has a key: sign the request with it")]
    Unsigned,
    /// It cannot be found out now.
    #[error("tokens cannot be verified now")]
    Unavailable,
}

/// Asks whoever was configured; lets everyone do everything if nobody was.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    clock: Clock,
    authenticator: Option<Arc<dyn Authenticator>>,
    /// Who is asked what no grant allows.
    webhook: Option<Arc<Webhook>>,
    tickets: Arc<Tickets>,
    document_tokens: Arc<DocumentTokens>,
    revoked: Arc<Revoked>,
}

impl Gate {
    pub(crate) fn new(
        clock: Clock,
        authenticator: Option<Arc<dyn Authenticator>>,
        webhook: Option<Arc<Webhook>>,
    ) -> Self {
        let (tickets, document_tokens, revoked) = Default::default();
        Self { clock, authenticator, webhook, tickets, document_tokens, revoked }
    }

    /// Returns whether a token is asked for.
    pub(crate) fn asks_token(&self) -> bool {
        self.authenticator.is_some()
    }

    /// Returns whether anybody is asked what no grant allows.
    pub(crate) fn asks_webhook(&self) -> bool {
        self.webhook.is_some()
    }

    /// Returns who shows a token. Where none is asked for, people are who they say they are.
    pub(crate) async fn identify(
        &self,
        token: &str,
        claimed: Option<&str>,
        now: WallMs,
    ) -> Result<Arc<Identity>, Unauthenticated> {
        let Some(authenticator) = &self.authenticator else {
            let user = UserName::new(claimed.unwrap_or(LOCAL_USER)).map_err(|_| Unauthenticated::Unknown)?;
            return Ok(Arc::new(Identity::of(user, Grants::everything())));
        };
        let identity = authenticator.authenticate(token, now).await?;
        self.good(identity, now)
    }

    /// Returns who shows a credential. A ticket is used up by it.
    pub(crate) async fn recognize(
        &self,
        credential: &Credential,
        claimed: Option<&str>,
        now: WallMs,
    ) -> Result<Arc<Identity>, Unauthenticated> {
        let (token, otherwise) = match credential {
            Credential::Token(token) => (token, None),
            Credential::Offered(token) => (token, decoded(token)),
            Credential::InUrl(word) | Credential::Ticket(word) if self.asks_token() => {
                match self.tickets.redeem(word, now) {
                    Some(identity) => return self.good(identity, now),
                    None if matches!(credential, Credential::Ticket(_)) => {
                        return Err(Unauthenticated::Unknown);
                    }
                    None => (word, None),
                }
            }
            Credential::InUrl(word) | Credential::Ticket(word) => (word, None),
        };
        match (self.identify(token, claimed, now).await, otherwise) {
            (Err(Unauthenticated::Unknown), Some(token)) => self.identify(&token, claimed, now).await,
            (found, _) => found,
        }
    }

    /// Issues a ticket that stands for `identity`. Returns its word, made of these random bytes, and when it ends.
    fn issue_ticket(
        &self,
        identity: Arc<Identity>,
        random: [u8; 32],
        now: WallMs,
    ) -> Result<(String, WallMs), TooManyTickets> {
        self.tickets.issue(identity, random, now)
    }

    /// Returns who shows a credential for a document, and the most that it is good for there, if it says.
    pub(crate) async fn recognize_for(
        &self,
        document: &RoomName,
        credential: &Credential,
        now: WallMs,
    ) -> Result<(Arc<Identity>, Option<Action>), Unauthenticated> {
        if let Credential::InUrl(word) | Credential::Token(word) = credential
            && let Some(token) = self.document_token(word, now)?
        {
            let fits = token.document == *document;
            return fits.then_some((token.identity, Some(token.most))).ok_or(Unauthenticated::Unknown);
        }
        Ok((self.recognize(credential, None, now).await?, None))
    }

    /// Issues a token for one document, made of these random bytes.
    pub(crate) fn issue_document_token(
        &self,
        issuer: &Identity,
        token: DocumentToken,
        random: [u8; 32],
        now: WallMs,
    ) -> Result<String, TooManyDocumentTokens> {
        self.document_tokens.issue(issuer, token, random, now)
    }

    /// Returns what a token for one document is good for; nothing if the word is no such token.
    pub(crate) fn document_token(
        &self,
        word: &str,
        now: WallMs,
    ) -> Result<Option<DocumentToken>, Unauthenticated> {
        let token = self.document_tokens.find(word).filter(|_| self.asks_token());
        let Some(token) = token else { return Ok(None) };
        self.good(Arc::clone(&token.identity), now)?;
        Ok(Some(token))
    }

    fn good(&self, identity: Arc<Identity>, now: WallMs) -> Result<Arc<Identity>, Unauthenticated> {
        if identity.is_expired(now) {
            Err(Unauthenticated::Expired)
        } else if self.revoked.revokes(&identity, now) {
            Err(Unauthenticated::Revoked)
        } else {
            Ok(identity)
        }
    }

    /// Returns how long a credential is good from now on.
    pub(crate) fn lease(&self, identity: Arc<Identity>) -> Lease {
        Lease::new(identity, Arc::clone(&self.revoked))
    }

    /// Returns where it is told that leases may have ended early.
    pub(crate) fn revocations_changed(&self) -> watch::Receiver<u64> {
        self.revoked.listen()
    }

    /// Takes in which credentials the store says are revoked.
    pub(crate) async fn load(&self, epoch: &Epoch, now: WallMs) -> Result<(), LoadError> {
        stored::load(&self.revoked, epoch, now).await
    }

    async fn revoke(
        &self,
        epoch: &Arc<Epoch>,
        tenant: &Tenant,
        revocation: Revocation,
    ) -> Result<(), PutError> {
        stored::put(&self.revoked, epoch, tenant, revocation).await
    }

    /// Takes a revocation back. Returns whether there was one.
    async fn take_back(
        &self,
        epoch: &Arc<Epoch>,
        tenant: &Tenant,
        subject: Subject,
    ) -> Result<bool, PutError> {
        stored::remove(&self.revoked, epoch, tenant, subject).await
    }

    /// Forgets what was decided about a user of a tenant, a resource, or both. Returns how many decisions that were.
    fn forget(&self, tenant: &TenantName, user: Option<&UserName>, resource: Option<&str>) -> usize {
        self.webhook.as_ref().map_or(0, |webhook| webhook.forget(tenant, user, resource))
    }

    fn revocations(&self, tenant: &TenantName) -> Revocations {
        self.revoked.look(tenant, Clone::clone)
    }
}

#[cfg(test)]
mod tests {
    use syncline_core::access::Resource;

    use super::*;

    #[tokio::test]
    async fn without_an_authenticator_everyone_may_do_everything() {
        let gate = Gate::new(Clock::start(), None, None);
        assert!(!gate.asks_token());
        let ann = gate.identify("", Some("ann"), WallMs(1)).await.expect("everyone may");
        assert!(ann.may(Action::Write, Resource::Document("room")));
        assert!(ann.user.as_str() == "ann" && ann.may(Action::Admin, Resource::Server));
        assert_eq!(
            gate.identify("", None, WallMs(1)).await.map(|who| who.user.to_string()),
            Ok("local".into())
        );
        assert_eq!(gate.identify("", Some(""), WallMs(1)).await, Err(Unauthenticated::Unknown));
    }

    /// Says the same of every token.
    #[derive(Debug)]
    struct Says(Result<Arc<Identity>, Unauthenticated>);

    impl Authenticator for Says {
        fn authenticate<'a>(
            &'a self,
            _token: &'a str,
            _now: WallMs,
        ) -> BoxFuture<'a, Result<Arc<Identity>, Unauthenticated>> {
            Box::pin(std::future::ready(self.0.clone()))
        }
    }

    /// Whoever knows a token is believed, wherever they stand; else the answer that says most is given.
    #[tokio::test]
    async fn one_of_several_ways_is_enough() {
        use Unauthenticated::{Expired, Missing, Unavailable, Unknown};
        let ann = Arc::new(Identity::of(UserName::new("ann").expect("a name"), Grants::default()));
        let check = async |says: &[Result<Arc<Identity>, Unauthenticated>], want| {
            let ways = says.iter().map(|says| Arc::new(Says(says.clone())) as Arc<dyn Authenticator>);
            let found = OneOf::new(ways.collect()).authenticate("token", WallMs(0)).await;
            assert_eq!(found, want, "{says:?}");
        };
        let known = Ok(ann);
        for error in [Missing, Unknown, Expired, Unavailable] {
            check(&[Err(error), known.clone()], known.clone()).await;
            check(&[known.clone(), Err(error)], known.clone()).await;
            check(&[Err(Missing), Err(error)], Err(error)).await;
            check(&[Err(Unknown), Err(error)], Err(if error == Missing { Unknown } else { error })).await;
            check(&[Err(error), Err(Unknown)], Err(if error == Missing { Unknown } else { error })).await;
        }
        check(&[], Err(Missing)).await;
    }
}
