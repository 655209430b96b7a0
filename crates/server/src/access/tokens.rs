//! Tokens that were agreed on beforehand.

use std::{fmt, sync::Arc};

use futures_util::future::{BoxFuture, ready};
use syncline_core::{access::Identity, time::WallMs};

use super::{Authenticator, Unauthenticated};

/// A token that was agreed on beforehand.
#[derive(Clone)]
pub struct StaticToken {
    /// What its bearer shows.
    pub secret: String,
    /// Who its bearer is.
    pub identity: Arc<Identity>,
}

impl fmt::Debug for StaticToken {
    /// Leaves the secret out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secret: _, identity } = self;
        f.debug_struct("StaticToken").field("identity", identity).finish_non_exhaustive()
    }
}

/// Tokens that were agreed on beforehand, no two with the same secret.
#[derive(Clone, Debug, Default)]
pub struct StaticTokens(Vec<StaticToken>);

impl StaticTokens {
    /// Takes the tokens; of several with the same secret the first counts.
    #[must_use]
    pub fn new(tokens: Vec<StaticToken>) -> Self {
        Self(tokens)
    }
}

impl Authenticator for StaticTokens {
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
        _now: WallMs,
    ) -> BoxFuture<'a, Result<Arc<Identity>, Unauthenticated>> {
        let found = self.0.iter().find(|known| is_same_secret(&known.secret, token));
        let missing = if token.is_empty() { Unauthenticated::Missing } else { Unauthenticated::Unknown };
        Box::pin(ready(found.map(|known| Arc::clone(&known.identity)).ok_or(missing)))
    }
}

/// Compares all of two texts, so that the time it takes tells nothing but whether they are of one length.
fn is_same_secret(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use syncline_core::{access::Grants, entity::UserName};

    use super::*;

    #[tokio::test]
    async fn a_token_says_who_its_bearer_is() {
        let of = |secret: &str, user: &str| {
            let user = UserName::new(user).expect("a name");
            StaticToken { secret: secret.into(), identity: Arc::new(Identity::of(user, Grants::default())) }
        };
        let tokens = StaticTokens::new(vec![of("s3cret", "ann"), of("secret", "bob"), of("secret", "eve")]);
        let who = async |token| {
            tokens.authenticate(token, WallMs(0)).await.map(|identity| identity.user.to_string())
        };
        assert_eq!(who("s3cret").await, Ok("ann".into()));
        assert_eq!(who("secret").await, Ok("bob".into()));
        assert_eq!(who("secre").await, Err(Unauthenticated::Unknown));
        assert_eq!(who("").await, Err(Unauthenticated::Missing));
        assert!(!format!("{tokens:?}").contains("cret"), "secrets stay out of logs");
    }
}
