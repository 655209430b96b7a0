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
use syncline_core::{access::Identity, entity::ActorName, time::WallMs};
use syncline_protocol::{
    ledger::DeviceKey,
    wire::{
        signature::{Signature, SignatureError, Signatures, SignedHead},
        sync_v1::{Code, Problem},
    },
};

use self::nonces::{Nonces, Seen};
use super::Unauthenticated;
use crate::{
    entities::{LedgerHandle, refused},
    limits::{NEW_KEY_BODY_BYTES_MAX, SYNC_BODY_BYTES_MAX},
    shared::Shared,
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

/// What the head of a request has proved of who asks.
#[derive(Clone)]
pub(crate) struct Proof {
    pub(crate) signed_by: Option<ActorName>,
    ledger: LedgerHandle,
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

    /// Reads the signatures of the head of a request, and checks the one by the key that a device has.
    pub(crate) fn look(
        &self,
        head: Head<'_>,
        key_of: impl FnOnce(&ActorName) -> Option<DeviceKey>,
        now: WallMs,
    ) -> Result<(Signed, Option<Signatures>), NotSigned> {
        let Some(found) = head.signatures()? else { return Ok(Default::default()) };
        let mut signed = Signed { own: None, new: found.new.clone().map(Arc::new) };
        if let Some(own) = &found.own {
            let key = key_of(&own.device).ok_or(NotSigned::Key)?;
            self.check(own, &key, now)?;
            signed.own = Some((own.device.clone(), key));
        }
        Ok((signed, Some(found)))
    }

    /// Checks that a signature is by this key, and was not seen before.
    fn check(&self, signature: &Signature, key: &DeviceKey, now: WallMs) -> Result<(), NotSigned> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // The clock may be set back; what was forgotten stays too old.
        let now = seen.latest(now);
        signature.check_time(now, self.since)?;
        let public = UnparsedPublicKey::new(&ED25519, key.0);
        public.verify(signature.signed.as_bytes(), &signature.bytes).map_err(|_| NotSigned::Key)?;
        match seen.note(&signature.device, key, &signature.nonce, signature.expires) {
            Seen::First => Ok(()),
            Seen::Before => Err(NotSigned::Replayed),
            Seen::TooMany => Err(NotSigned::TooMany),
        }
    }

    /// Checks that a request is signed by a key that a device is to have.
    pub(crate) fn proves(
        &self,
        signed: &Signed,
        device: &ActorName,
        key: &DeviceKey,
        now: WallMs,
    ) -> Result<(), NotSigned> {
        let new = signed.new.as_ref().filter(|new| new.device == *device).ok_or(NotSigned::Key)?;
        self.check(new, key, now)
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
    /// Looks at the head of a request that has no body.
    pub(crate) fn of_head(shared: &Shared, head: Head<'_>) -> Result<Self, NotSigned> {
        let ledger = ledger(shared).ok_or(NotSigned::Down)?;
        let now = shared.clock.now().wall;
        let (signed, found) = shared.signers.look(head, |device| ledger.device_key(device), now)?;
        if found.is_some_and(|found| found.body.is_some_and(|body| !body.is_of(&[]))) {
            return Err(NotSigned::Body);
        }
        Ok(Self { signed_by: signed.by().cloned(), ledger })
    }

    /// Returns what follows from what a request has proved.
    pub(crate) fn of(signed: &Signed, ledger: &LedgerHandle) -> Self {
        Self { signed_by: signed.by().cloned(), ledger: ledger.clone() }
    }

    /// Returns who asks, with the device that has signed; unless the credential is one of a device that has a key, and has not.
    pub(crate) fn admit(&self, identity: Arc<Identity>) -> Result<Arc<Identity>, Unauthenticated> {
        // What stands for a token may have been given to who had signed.
        let by = self.signed_by.as_ref().or(identity.signed_by.as_ref());
        let own = identity.device.as_ref().filter(|device| self.ledger.device_key(device).is_some());
        if own.is_some() && own != by {
            return Err(Unauthenticated::Unsigned);
        }
        if by == identity.signed_by.as_ref() {
            return Ok(identity);
        }
        Ok(Arc::new(Identity { signed_by: by.cloned(), ..Identity::clone(&identity) }))
    }
}

impl Signed {
    /// Returns whose key has signed.
    fn by(&self) -> Option<&ActorName> {
        self.own.as_ref().map(|(device, _)| device)
    }

    /// Returns the key of a device that has signed.
    pub(crate) fn key_of(&self, device: &ActorName) -> Option<DeviceKey> {
        self.own.as_ref().filter(|(by, _)| by == device).map(|(_, key)| *key)
    }
}

fn ledger(shared: &Shared) -> Option<LedgerHandle> {
    shared.epoch().and_then(|epoch| epoch.ledger().cloned())
}

/// Refuses a request whose signature is not good, and notes what others have proved as an extension, [`Signed`].
pub(crate) async fn check(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    match checked(&shared, request).await {
        Ok(request) => next.run(request).await,
        Err(error) => refused(Problem::from(error)).into_response(),
    }
}

async fn checked(shared: &Shared, mut request: Request) -> Result<Request, NotSigned> {
    let ledger = ledger(shared);
    let key_of = |device: &ActorName| ledger.as_ref().and_then(|ledger| ledger.device_key(device));
    let (signed, found) = shared.signers.look(Head::of(&request), key_of, shared.clock.now().wall)?;
    let Some(found) = found else {
        request.extensions_mut().insert(signed);
        return Ok(request);
    };
    if ledger.is_none() {
        return Err(NotSigned::Down);
    }
    let max = match (&found.own, &found.body) {
        (_, None) => 0,
        (Some(_), Some(_)) => SYNC_BODY_BYTES_MAX,
        (None, Some(_)) => NEW_KEY_BODY_BYTES_MAX,
    };
    let (mut parts, body) = request.into_parts();
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
