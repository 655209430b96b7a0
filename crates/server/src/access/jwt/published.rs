//! Keys that an issuer publishes, and changes from time to time.

use std::{
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{body::Body, http::Request};
use futures_util::future::BoxFuture;
use syncline_core::{access::Identity, time::WallMs};
use tokio::time::timeout;

use super::{JwtSettings, KeyError, keys::KeySet, provider, verify};
use crate::{
    access::{Authenticator, Unauthenticated},
    outgoing::{ExchangeError, Target, TargetError, Trust, exchange},
    tls::TlsError,
};

/// How old keys are when they are asked for again, in milliseconds.
const FRESH_MS: u64 = 10 * 60_000;

/// How old keys may get while their issuer cannot be reached, in milliseconds: a day in which nobody is shut out.
const STALE_MS: u64 = 24 * 3_600_000;

/// How long at least between two requests to an issuer, in milliseconds: tokens with invented keys ask for no more.
const ASK_MS_MIN: u64 = 10_000;

/// How long an issuer has to answer, in milliseconds.
const ANSWER_MS_MAX: u64 = 5_000;

/// Longest set of keys, in bytes.
const SET_BYTES_MAX: usize = 64 << 10;

/// Verifies tokens by keys that their issuer publishes under a URL (a JWK set).
pub struct PublishedKeys {
    settings: JwtSettings,
    target: Target,
    trust: Trust,
    known: Mutex<Known>,
    /// Held by whoever asks.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    keys: Arc<KeySet>,
    /// Since when; none before the first.
    at: Option<WallMs>,
    asked_at: Option<WallMs>,
}

/// Why keys cannot be asked for. Whoever configured them is at fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishedKeysError {
    /// The URL is none.
    #[error("the URL of the keys is none of `http://` or `https://` with a host")]
    Url,
    /// The certificates to be trusted cannot be read.
    #[error(transparent)]
    Trust(#[from] TlsError),
}

/// Why there are no new keys.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error("it has not answered in time")]
    Late,
    #[error("what it answers is of no use")]
    Keys(#[from] KeyError),
}

impl fmt::Debug for PublishedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { settings, target, .. } = self;
        f.debug_struct("PublishedKeys")
            .field("settings", settings)
            .field("target", target)
            .finish_non_exhaustive()
    }
}

impl PublishedKeys {
    /// Takes the URL of a JWK set, and the file of certificates that are trusted besides those that browsers trust. Nothing is
    /// asked before the first token comes.
    ///
    /// # Errors
    /// [`PublishedKeysError`].
    pub fn new(settings: JwtSettings, url: &str, trust: Option<&Path>) -> Result<Self, PublishedKeysError> {
        provider::install();
        let target = Target::parse(url, true).map_err(|_: TargetError| PublishedKeysError::Url)?;
        let trust = Trust::load(trust)?;
        Ok(Self { settings, target, trust, known: Mutex::default(), asking: tokio::sync::Mutex::default() })
    }

    fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for the keys, unless someone has just done so.
    async fn refresh(&self, now: WallMs) -> Known {
        let _asking = self.asking.lock().await;
        let known = self.known();
        if known.asked_at.is_some_and(|at| now.0.saturating_sub(at.0) < ASK_MS_MIN) {
            return known;
        }
        let asked = self.ask().await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.asked_at = Some(now);
        match asked {
            Ok(keys) => (known.keys, known.at) = (Arc::new(keys), Some(now)),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the issuer of tokens gives no keys"
                );
            }
        }
        known.clone()
    }

    async fn ask(&self) -> Result<KeySet, AskError> {
        let request = Request::get("/").body(Body::empty()).expect("it is plain");
        let exchange = exchange(&self.target, &self.trust, request, SET_BYTES_MAX);
        let answer = timeout(Duration::from_millis(ANSWER_MS_MAX), exchange).await;
        Ok(KeySet::parse_public(&answer.map_err(|_| AskError::Late)??)?)
    }

    async fn identify(&self, token: &str, now: WallMs) -> Result<Identity, Unauthenticated> {
        if token.is_empty() {
            return Err(Unauthenticated::Missing);
        }
        let is_younger = |known: &Known, ms| known.at.is_some_and(|at| now.0.saturating_sub(at.0) < ms);
        let known = self.known();
        if is_younger(&known, FRESH_MS) {
            match verify(&self.settings, &known.keys, token, now) {
                // It may be signed with a key that is new.
                Err(Unauthenticated::Unknown) if known.keys.lacks_key_of(token) => {}
                verified => return verified,
            }
        }
        let known = self.refresh(now).await;
        if !is_younger(&known, STALE_MS) {
            return Err(Unauthenticated::Unavailable);
        }
        verify(&self.settings, &known.keys, token, now)
    }
}

impl Authenticator for PublishedKeys {
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
        now: WallMs,
    ) -> BoxFuture<'a, Result<Arc<Identity>, Unauthenticated>> {
        Box::pin(async move { self.identify(token, now).await.map(Arc::new) })
    }
}
