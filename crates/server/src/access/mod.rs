//! Who someone is, and how long what they showed is good.
//!
//! What they may do then is decided by [`syncline_core::access`], for each request and each document.

mod jwt;
mod lease;
mod tokens;

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use syncline_core::{
    access::{Action, Grants, Identity, Resource},
    entity::UserName,
    id::RoomName,
    time::WallMs,
};
use syncline_protocol::Access;

pub(crate) use self::lease::Lease;
pub use self::{
    jwt::{
        JwtSettings, JwtVerifier, KeyError, MintError, NewToken, PublishedKeys, PublishedKeysError,
        SigningAlgorithm, SigningKey,
    },
    tokens::{StaticToken, StaticTokens},
};

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
    /// It cannot be found out now.
    #[error("tokens cannot be verified now")]
    Unavailable,
}

/// Asks whoever was configured; lets everyone do everything if nobody was.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Option<Arc<dyn Authenticator>>);

impl Gate {
    pub(crate) fn new(authenticator: Option<Arc<dyn Authenticator>>) -> Self {
        Self(authenticator)
    }

    /// Returns whether a token is asked for.
    pub(crate) fn asks_token(&self) -> bool {
        self.0.is_some()
    }

    /// Returns who shows a token. Where none is asked for, people are who they say they are.
    pub(crate) async fn identify(
        &self,
        token: &str,
        claimed: Option<&str>,
        now: WallMs,
    ) -> Result<Arc<Identity>, Unauthenticated> {
        let Some(authenticator) = &self.0 else {
            let user = UserName::new(claimed.unwrap_or(LOCAL_USER)).map_err(|_| Unauthenticated::Unknown)?;
            return Ok(Arc::new(Identity::of(user, Grants::everything())));
        };
        let identity = authenticator.authenticate(token, now).await?;
        if identity.is_expired(now) { Err(Unauthenticated::Expired) } else { Ok(identity) }
    }
}

/// Returns what someone may do in a room; nothing if they may not open it.
pub(crate) fn room_access(identity: &Identity, room: &RoomName) -> Option<Access> {
    Some(match identity.grants.most(Resource::Document(room.as_str()))? {
        Action::Read => Access::ReadOnly,
        Action::Comment => Access::Comment,
        Action::Write | Action::Admin => Access::ReadWrite,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_an_authenticator_everyone_may_do_everything() {
        let gate = Gate::default();
        assert!(!gate.asks_token());
        let ann = gate.identify("", Some("ann"), WallMs(1)).await.expect("everyone may");
        assert_eq!(room_access(&ann, &RoomName::new("room").unwrap()), Some(Access::ReadWrite));
        assert!(ann.user.as_str() == "ann" && ann.may(Action::Admin, Resource::Server));
        assert_eq!(
            gate.identify("", None, WallMs(1)).await.map(|who| who.user.to_string()),
            Ok("local".into())
        );
        assert_eq!(gate.identify("", Some(""), WallMs(1)).await, Err(Unauthenticated::Unknown));
    }
}
