//! Requests that devices sign with their keys, as [`syncline_protocol::wire::signature`] says byte by byte.
//!
//! * `nonces`: which signatures were seen;
//! * [`check`]: stands before whatever may be asked over HTTP;
//! * [`Signed`]: what a request has proved by then; [`Proof`]: what follows for who asks.
//!
//! Invariants:
//! * a signature is good once, also over a restart: what was made before the server started is refused;
//! * no body is read whole for someone whose signature was not found good, but for one of a new key, which is short.

mod nonces;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, Uri},
    middleware::Next,
    response::{IntoResponse, Response},
};
use ring::signature::{ED25519, UnparsedPublicKey};
use syncline_core::{access::Identity, entity::ActorName, id::TenantName, time::WallMs};
use syncline_protocol::{
    ledger::DeviceKey,
    wire::{
        signature::{Signature, SignatureError, Signatures, SignedHead},
        sync_v1::{Code, Problem},
    },
};

use tokio::sync::OnceCell;

use self::nonces::{Nonces, Seen};
use super::{Credential, Unauthenticated};
use crate::{
    entities::{LedgerHandle, refused},
    http::bearer,
    limits::{NEW_KEY_BODY_BYTES_MAX, SYNC_BODY_BYTES_MAX},
    shared::Shared,
    upgrade,
};

/// Why a signature is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotSigned {
    /// The headers are not what they are to be, or the time is not.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A header is there twice, or is no text.
    #[error(
        "`Signature-Input`, `Signature` and `Content-Digest` are one line of text each, and the first two come together"
    )]
    Headers,
    /// It is by nobody who is known.
    #[error("it is not by the key that the device has")]
    Key,
    /// It was seen before.
    #[error("it was used before: make another one, with another nonce")]
    Replayed,
    /// The body is another one.
    #[error("the body is not what was signed")]
    Body,
    /// As many signatures were seen as may be remembered.
    #[error("the device has made as many signatures as may be in a minute")]
    TooMany,
    /// The body is too long to be looked at.
    #[error("a signed body has at most {0} bytes")]
    TooLong(usize),
    /// Keys cannot be looked up now.
    #[error("the store is not open; come again")]
    Down,
}

/// Finds out whether signatures are good.
pub(crate) struct Signers {
    seen: Mutex<Nonces>,
    /// Since when signatures are remembered.
    since: WallMs,
}

/// What a request has proved by its signatures. Nothing, if it has none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signed {
    own: Option<(ActorName, DeviceKey)>,
    new: Option<Arc<Signature>>,
}

/// What the head of a request has to prove of whoever shows a token with it, or later on its connection.
///
/// Only the token says of which tenant the device is, so its key is looked up, and the signature used up, with the first good one.
#[derive(Clone)]
pub(crate) struct Proof {
    shared: Arc<Shared>,
    found: Option<Arc<Signature>>,
    /// Who has signed what led to the ticket that was shown.
    pub(crate) by_ticket: Option<ActorName>,
    /// Whose signature was found good.
    checked: Arc<OnceCell<ActorName>>,
}

impl fmt::Debug for Signers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signers").field("since", &self.since).finish_non_exhaustive()
    }
}

impl Signers {
    pub(crate) fn new(now: WallMs) -> Self {
        Self { seen: Mutex::default(), since: now }
    }

    /// Checks a signature by the key that a device of a tenant has.
    fn check_own(
        &self,
        tenant: &TenantName,
        own: &Signature,
        key: Option<DeviceKey>,
        now: WallMs,
    ) -> Result<DeviceKey, NotSigned> {
        let key = key.ok_or(NotSigned::Key)?;
        self.check(tenant, own, &key, now)?;
        Ok(key)
    }

    /// Checks that a signature is by this key, and was not seen before.
    fn check(
        &self,
        tenant: &TenantName,
        signature: &Signature,
        key: &DeviceKey,
        now: WallMs,
    ) -> Result<(), NotSigned> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // The clock may be set back; what was forgotten stays too old.
        let now = seen.latest(now);
        signature.check_time(now, self.since)?;
        let public = UnparsedPublicKey::new(&ED25519, key.0);
        public.verify(signature.signed.as_bytes(), &signature.bytes).map_err(|_| NotSigned::Key)?;
        match seen.note((tenant, &signature.device), key, &signature.nonce, signature.expires) {
            Seen::First => Ok(()),
            Seen::Before => Err(NotSigned::Replayed),
            Seen::TooMany => Err(NotSigned::TooMany),
        }
    }

    /// Checks that a request is signed by a key that a device is to have.
    pub(crate) fn proves(
        &self,
        tenant: &TenantName,
        signed: &Signed,
        (device, key): (&ActorName, &DeviceKey),
        now: WallMs,
    ) -> Result<(), NotSigned> {
        let new = signed.new.as_ref().filter(|new| new.device == *device).ok_or(NotSigned::Key)?;
        self.check(tenant, new, key, now)
    }
}

/// What of a request is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
}

impl<'a> Head<'a> {
    pub(crate) fn of(request: &'a Request) -> Self {
        Self { method: request.method(), uri: request.uri(), headers: request.headers() }
    }

    fn signatures(self) -> Result<Option<Signatures>, NotSigned> {
        let (input, signature) = match (self.header("signature-input")?, self.header("signature")?) {
            (None, None) => return Ok(None),
            (Some(input), Some(signature)) => (input, signature),
            _ => return Err(NotSigned::Headers),
        };
        let head = SignedHead {
            method: self.method.as_str(),
            path: self.uri.path(),
            query: self.uri.query(),
            input,
            signature,
            digest: self.header("content-digest")?,
        };
        Ok(Some(Signatures::parse(&head)?))
    }

    fn header(self, name: &str) -> Result<Option<&'a str>, NotSigned> {
        let mut lines = self.headers.get_all(name).iter();
        match (lines.next(), lines.next()) {
            (None, _) => Ok(None),
            (Some(line), None) => line.to_str().map(Some).map_err(|_| NotSigned::Headers),
            (Some(_), Some(_)) => Err(NotSigned::Headers),
        }
    }
}

impl Proof {
    /// Reads the head of a request that has no body.
    pub(crate) fn of_head(shared: &Arc<Shared>, head: Head<'_>) -> Result<Self, NotSigned> {
        let found = head.signatures()?;
        if found.as_ref().is_some_and(|found| found.body.as_ref().is_some_and(|body| !body.is_of(&[]))) {
            return Err(NotSigned::Body);
        }
        let found = found.and_then(|found| found.own).map(Arc::new);
        Ok(Self { shared: Arc::clone(shared), found, by_ticket: None, checked: Arc::default() })
    }

    /// Returns who asks, with the device that has signed; unless the credential is one of a device that has a key, and has not.
    pub(crate) async fn admit(&self, identity: Arc<Identity>) -> Result<Arc<Identity>, Unauthenticated> {
        if self.found.is_none() && self.by_ticket.is_none() && identity.device.is_none() {
            return Ok(identity);
        }
        let ledger = ledger_of(&self.shared, &identity).await.ok_or(Unauthenticated::Unavailable)?;
        let signed_by = match &self.found {
            None => self.by_ticket.as_ref(),
            Some(own) => {
                let now = self.shared.clock.now().wall;
                let check = async || {
                    let key = ledger.device_key(&own.device);
                    self.shared.signers.check_own(&identity.tenant, own, key, now)?;
                    Ok(own.device.clone())
                };
                let checked = self.checked.get_or_try_init(check).await;
                Some(checked.map_err(|error: NotSigned| {
                    tracing::debug!(%error, "a signature was refused");
                    Unauthenticated::Unsigned
                })?)
            }
        };
        admitted(identity, signed_by, &ledger)
    }
}

/// Returns who asks, with the device that has signed; unless the credential is one of a device that has a key, and has not.
pub(crate) fn admitted(
    identity: Arc<Identity>,
    signed_by: Option<&ActorName>,
    ledger: &LedgerHandle,
) -> Result<Arc<Identity>, Unauthenticated> {
    // What stands for a token may have been given to who had signed.
    let by = signed_by.or(identity.signed_by.as_ref());
    let own = identity.device.as_ref().filter(|device| ledger.device_key(device).is_some());
    if own.is_some() && own != by {
        return Err(Unauthenticated::Unsigned);
    }
    if by == identity.signed_by.as_ref() {
        return Ok(identity);
    }
    Ok(Arc::new(Identity { signed_by: by.cloned(), ..Identity::clone(&identity) }))
}

impl Signed {
    /// Returns whose key has signed.
    pub(crate) fn by(&self) -> Option<&ActorName> {
        self.own.as_ref().map(|(device, _)| device)
    }

    /// Returns the key of a device that has signed.
    pub(crate) fn key_of(&self, device: &ActorName) -> Option<DeviceKey> {
        self.own.as_ref().filter(|(by, _)| by == device).map(|(_, key)| *key)
    }
}

/// Returns who asks, as [`admitted`] does. The ledger of their tenant is opened only where it matters.
pub(crate) async fn admit(
    shared: &Shared,
    identity: Arc<Identity>,
    signed: &Signed,
) -> Result<Arc<Identity>, Unauthenticated> {
    if identity.device.is_none() && signed.by().is_none() {
        return Ok(identity);
    }
    let ledger = ledger_of(shared, &identity).await.ok_or(Unauthenticated::Unavailable)?;
    admitted(identity, signed.by(), &ledger)
}

/// Returns the ledger of someone's tenant; nothing while it cannot be had.
async fn ledger_of(shared: &Shared, identity: &Identity) -> Option<LedgerHandle> {
    let epoch = shared.epoch()?;
    let tenant = epoch.tenants.of(&identity.tenant).ok()?;
    epoch.ledger(&tenant).await.ok()
}

/// Returns who shows a token with a request. A ticket is not used up.
async fn identified(
    shared: &Shared,
    (headers, uri): (&HeaderMap, &Uri),
    now: WallMs,
) -> Result<Arc<Identity>, Unauthenticated> {
    let token = bearer(headers);
    if !token.is_empty() || !shared.gate.asks_token() {
        return shared.gate.identify(token, None, now).await;
    }
    match upgrade::credential(headers, uri.query()) {
        offered @ Credential::Offered(_) => shared.gate.recognize(&offered, None, now).await,
        Credential::Token(token) | Credential::InUrl(token) => shared.gate.identify(&token, None, now).await,
        Credential::Ticket(_) => Err(Unauthenticated::Missing),
    }
}

/// Refuses a request whose signature is not good, and notes what others have proved as an extension, [`Signed`].
pub(crate) async fn check(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    match checked(&shared, request).await {
        Ok(request) => next.run(request).await,
        Err(error) => refused(Problem::from(error)).into_response(),
    }
}

async fn checked(shared: &Shared, request: Request) -> Result<Request, NotSigned> {
    let found = Head::of(&request).signatures()?;
    let (mut parts, body) = request.into_parts();
    let Some(found) = found else {
        parts.extensions.insert(Signed::default());
        return Ok(Request::from_parts(parts, body));
    };
    let mut signed = Signed { own: None, new: found.new.clone().map(Arc::new) };
    if let Some(own) = &found.own {
        // The tenant of the device is that of the token. Whoever has no good one is refused behind this.
        let now = shared.clock.now().wall;
        let Ok(identity) = identified(shared, (&parts.headers, &parts.uri), now).await else {
            parts.extensions.insert(Signed::default());
            return Ok(Request::from_parts(parts, body));
        };
        let ledger = ledger_of(shared, &identity).await.ok_or(NotSigned::Down)?;
        let key = ledger.device_key(&own.device);
        let key = shared.signers.check_own(&identity.tenant, own, key, now)?;
        signed.own = Some((own.device.clone(), key));
    }
    let max = match (&found.own, &found.body) {
        (_, None) => 0,
        (Some(_), Some(_)) => SYNC_BODY_BYTES_MAX,
        (None, Some(_)) => NEW_KEY_BODY_BYTES_MAX,
    };
    let too_long = if max == 0 { NotSigned::Body } else { NotSigned::TooLong(max) };
    let body = to_bytes(body, max).await.map_err(|_| too_long)?;
    if found.body.is_some_and(|digest| !digest.is_of(&body)) {
        return Err(NotSigned::Body);
    }
    parts.extensions.insert(signed);
    Ok(Request::from_parts(parts, Body::from(body)))
}

impl From<NotSigned> for Problem {
    fn from(error: NotSigned) -> Self {
        let later = |code| Self { retry_after_ms: Some(1_000), ..Self::new(code) };
        let problem = match error {
            NotSigned::TooMany => later(Code::RateLimited),
            NotSigned::Down => later(Code::ReadOnly),
            NotSigned::TooLong(max) => Self { max: Some(max as u64), ..Self::new(Code::PayloadTooLarge) },
            NotSigned::Signature(_)
            | NotSigned::Headers
            | NotSigned::Key
            | NotSigned::Replayed
            | NotSigned::Body => Self::new(Code::SignatureInvalid),
        };
        problem.because(error)
    }
}
