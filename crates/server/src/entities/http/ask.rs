//! Who asks, and whom: what every request to `/sync/v1` has in common.

mod keys;
mod rights;

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    body::{Body, to_bytes},
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use bytes::Bytes;
use syncline_core::{
    access::{Action, Identity, Resource},
    entity::{ActorName, TypeName, UserName},
    time::WallMs,
};
use syncline_protocol::{
    ledger::{Answer, Input, Ledger, RequestId},
    wire::sync_v1::{Code, Problem},
};
use tokio::time::{Duration, timeout};

use self::rights::undecided;
use super::refusal::Refusal;
use crate::{
    access::{Check, Credential, Lease, Permit, Signed, Unauthenticated, Undecided, admitted},
    clock::{Clock, until},
    entities::{Answered, LedgerDown, LedgerHandle},
    epoch::Epoch,
    http::bearer,
    limits::{BODY_MS_MAX, STORAGE_FULL_RETRY_MS, SYNC_BODY_BYTES_MAX},
    openapi::check_query,
    quota::{Limit, Payer, Place, Places, TooFast},
    shared::Shared,
    tenants::Tenant,
    upgrade,
};

/// The protocol that is spoken here, as `Sync-Protocol` says it.
const PROTOCOL: u64 = 1;

/// Where a WebSocket is asked for.
const SOCKET: &str = "/sync/v1/ws";

/// What is said to whoever has not signed for a device that has a key.
const SIGN: &str = "the device has a key: sign the request with it";

/// A request whose sender is known.
pub(super) struct Asked {
    pub(super) user: UserName,
    /// Who asks, with all that they may do of what was wanted.
    pub(super) identity: Arc<Identity>,
    permit: Permit,
    /// What else than what their credential allows was wanted.
    wanted: Vec<Check>,
    lease: Arc<Lease>,
    /// The ledger of the tenant that the credential says.
    pub(super) ledger: LedgerHandle,
    /// The epoch of the ledger.
    pub(super) epoch: Arc<Epoch>,
    signed: Signed,
    /// `Sync-Schema`, as it came.
    schema: Option<HeaderValue>,
    clock: Clock,
    pub(super) shared: Arc<Shared>,
    /// How long the body is said to be, which counts already.
    declared: u64,
}

impl FromRequestParts<Arc<Shared>> for Asked {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let headers = &parts.headers;
        if !shared.pages.may_ask(headers) {
            let why = "pages of other sites may not ask, unless an operator allows them with --allow-origin";
            return Err(Problem::new(Code::ForbiddenOp).because(why).into());
        }
        check_protocol(headers)?;
        let claimed = text(headers, "sync-user");
        let identity = shared.gate.recognize(&shown(parts), claimed, shared.clock.now().wall).await;
        let identity = identity.map_err(unauthenticated)?;
        let payer = shared.payer(&identity);
        let declared = declared_bytes(headers);
        shared.admit(&payer, declared).map_err(|too_fast| too_many(&too_fast))?;
        let epoch = shared.epoch().ok_or(LedgerDown)?;
        let tenant = epoch.tenants.of(&identity.tenant);
        let tenant = tenant.map_err(|error| Problem::new(Code::StorageFull).because(error))?;
        let ledger = epoch.ledger(&tenant).await?;
        let signed = parts.extensions.get::<Signed>().cloned().unwrap_or_default();
        let identity = admitted(identity, signed.by(), &ledger).map_err(unauthenticated)?;
        check_query(parts).map_err(|why| Problem::new(Code::MalformedRequest).because(why))?;
        let (user, clock) = (identity.user.clone(), shared.clock);
        let schema = headers.get("sync-schema").cloned();
        let lease = Arc::new(shared.gate.lease(Arc::clone(&identity)));
        let (permit, wanted) = (Permit::of(Arc::clone(&identity)), Vec::new());
        let shared = Arc::clone(shared);
        Ok(Self {
            user,
            identity,
            permit,
            wanted,
            lease,
            ledger,
            epoch,
            signed,
            schema,
            clock,
            shared,
            declared,
        })
    }
}

impl Asked {
    /// Checks that the caller may do this.
    pub(super) fn may(&self, action: Action, resource: Resource<'_>) -> Result<(), Refusal> {
        if self.identity.may(action, resource) { Ok(()) } else { Err(Problem::new(Code::ForbiddenOp).into()) }
    }

    /// Checks that what the caller showed is still good.
    pub(super) fn check_lease(&self) -> Result<(), Refusal> {
        let now = self.now();
        match self.lease.is_over(now) {
            false => Ok(()),
            true if self.permit.is_only_undecided(now) => Err(undecided(Undecided::default()).into()),
            true if self.identity.is_expired(now) => Err(unauthenticated(Unauthenticated::Expired).into()),
            true => Err(unauthenticated(Unauthenticated::Revoked).into()),
        }
    }

    /// Waits until what the caller showed is good no longer.
    pub(super) async fn ended(&self) {
        self.lease.ended(self.clock).await;
    }

    /// Waits until what the caller showed is good no longer. The future does not borrow the request.
    pub(super) fn over(&self) -> impl Future<Output = ()> + Send + use<> {
        let (lease, clock) = (Arc::clone(&self.lease), self.clock);
        async move { lease.ended(clock).await }
    }

    /// Checks that the caller may speak for a device: a token that was given to one is good for no other, and a device that has a
    /// key has signed.
    pub(super) fn check_device(&self, device: &ActorName) -> Result<(), Refusal> {
        self.check_own(device)?;
        let required = |why: &str| Err(Problem::new(Code::SignatureRequired).because(why).into());
        match self.ledger.device_key(device) {
            Some(_) if self.identity.signed_by.as_ref() != Some(device) => required(SIGN),
            None if self.shared.devices.keys_required() => required(
                "a device does nothing here before it has a key: PUT /sync/v1/devices/{device_id}/key",
            ),
            Some(_) | None => Ok(()),
        }
    }

    /// Checks that the caller's token is not one of another device.
    pub(super) fn check_own(&self, device: &ActorName) -> Result<(), Refusal> {
        match &self.identity.device {
            Some(own) if own != device => Err(Problem::new(Code::DeviceMismatch).into()),
            Some(_) | None => Ok(()),
        }
    }

    /// Returns whose quota the request counts for.
    pub(super) fn payer(&self) -> Payer {
        self.shared.payer(&self.identity)
    }

    /// Reads a whole body.
    pub(super) async fn whole(&self, body: Body) -> Result<Bytes, Refusal> {
        let read = to_bytes(body, SYNC_BODY_BYTES_MAX);
        let read = timeout(Duration::from_millis(BODY_MS_MAX), read).await;
        let read = read.ok().and_then(Result::ok).ok_or_else(|| {
            let problem =
                Problem { max: Some(SYNC_BODY_BYTES_MAX as u64), ..Problem::new(Code::PayloadTooLarge) };
            problem.because("the body is too long, too slow, or ended early")
        })?;
        // One that was packed, or came without its length.
        let more = (read.len() as u64).saturating_sub(self.declared);
        self.shared.pace.spend(self.clock.monotonic(), &self.payer(), 0, more);
        Ok(read)
    }

    /// Checks that more may be stored for the caller's tenant.
    pub(super) fn check_storage(&self) -> Result<(), Refusal> {
        if !self.shared.usage.is_full(self.tenant().id()) {
            return Ok(());
        }
        let limit = Limit::TenantStoredBytes;
        self.shared.metrics.limited(limit);
        let why = format!("as much is stored as may be; an operator sets how much by {}", limit.settings());
        let problem =
            Problem { retry_after_ms: Some(STORAGE_FULL_RETRY_MS), ..Problem::new(Code::StorageFull) };
        Err(problem.because(why).into())
    }

    /// Takes it that so much of a body was read which is as long as it is, and waits until more may come.
    pub(super) async fn keep_pace(&self, bytes: usize) {
        let (ready_at, _) = self.shared.pace.spend(self.clock.monotonic(), &self.payer(), 0, bytes as u64);
        until(Some(self.clock.instant(ready_at))).await;
    }

    /// Returns whose devices the caller may revoke: all, or their own.
    pub(super) fn owner(&self) -> Option<UserName> {
        (!self.identity.may(Action::Admin, Resource::Server)).then(|| self.user.clone())
    }

    /// Has the ledger take in what `input` makes, and returns what it answers, unless it refuses.
    pub(super) async fn ledger(
        &self,
        input: impl FnOnce(&Ledger, RequestId) -> Input + Send + 'static,
    ) -> Result<Answered, Refusal> {
        let answered = self.ledger.ask(Some(Arc::clone(&self.lease)), input).await;
        if answered.is_err() {
            self.check_lease()?;
        }
        let answered = answered?;
        match &answered.answer {
            Answer::Refused(refused) => Err(Problem::from(refused).into()),
            _ => Ok(answered),
        }
    }

    /// Returns what `look` finds in the ledger.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Ledger) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        Ok(self.ledger.look(look).await?)
    }

    /// Returns the version of the schema that the client uses, if it says so.
    pub(super) fn schema(&self) -> Result<Option<u32>, Refusal> {
        let Some(header) = &self.schema else { return Ok(None) };
        let version = header.to_str().ok().and_then(|text| text.parse().ok());
        let odd = || Problem::new(Code::MalformedRequest).because("`Sync-Schema` is a whole number");
        version.map(Some).ok_or_else(|| odd().into())
    }

    /// Checks that these types take the version of the schema that the client uses, if it says so.
    pub(super) async fn check_schema(&self, kinds: BTreeSet<TypeName>) -> Result<(), Refusal> {
        let Some(version) = self.schema()? else { return Ok(()) };
        let checked = self.look(move |ledger| ledger.check_schema(version, &kinds)).await?;
        checked.map_err(|refusal| Problem::from(&refusal).into())
    }

    /// Returns whose data this is about.
    pub(super) fn tenant(&self) -> &Tenant {
        self.ledger.tenant()
    }

    /// Takes the place of a stream among those that may be open.
    pub(super) fn live_place(&self) -> Result<(Place, Place), Refusal> {
        let of_server = self.place(&self.shared.live, "streams are open")?;
        let of_user = self.shared.usage.place(&self.payer()).map_err(|limit| {
            self.shared.metrics.limited(limit);
            let why = format!(
                "as many connections are open as may be; an operator sets how many by {}",
                limit.settings()
            );
            let problem = Problem { retry_after_ms: Some(1_000), ..Problem::new(Code::RateLimited) };
            problem.because(why)
        })?;
        Ok((of_server, of_user))
    }

    /// Takes the place of an export or an import among those that may be under way.
    pub(super) fn bulk_place(&self) -> Result<Place, Refusal> {
        self.place(&self.shared.bulk, "exports and imports are under way")
    }

    fn place(&self, places: &Arc<Places>, what: &str) -> Result<Place, Refusal> {
        places.take(&self.payer()).map_err(|used_up| {
            let problem = Problem { retry_after_ms: Some(1_000), ..Problem::new(Code::RateLimited) };
            problem.because(format!("as many {what}{} as may be", used_up.whose())).into()
        })
    }

    pub(super) fn now(&self) -> WallMs {
        self.clock.now().wall
    }
}

/// Returns how long the body is said to be, as far as a body that is held whole may be.
fn declared_bytes(headers: &HeaderMap) -> u64 {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    length.unwrap_or(0).min(SYNC_BODY_BYTES_MAX as u64)
}

fn too_many(too_fast: &TooFast) -> Problem {
    Problem { retry_after_ms: Some(too_fast.wait_ms), ..Problem::new(Code::RateLimited) }.because(too_fast)
}

/// Returns what the caller shows. Browsers send no header of their own with a WebSocket; in any other URL a token has no place,
/// as URLs are logged.
fn shown(parts: &Parts) -> Credential {
    let token = bearer(&parts.headers);
    if token.is_empty() && parts.uri.path() == SOCKET {
        upgrade::credential(&parts.headers, parts.uri.query())
    } else {
        Credential::Token(token.to_owned())
    }
}

fn unauthenticated(error: Unauthenticated) -> Problem {
    match error {
        Unauthenticated::Missing => {
            Problem::new(Code::Unauthenticated).because("send a token, as `Authorization: Bearer TOKEN`")
        }
        Unauthenticated::Unknown | Unauthenticated::Revoked => {
            Problem::new(Code::Unauthenticated).because(error)
        }
        Unauthenticated::Expired => Problem::new(Code::TokenExpired),
        Unauthenticated::Unsigned => Problem::new(Code::SignatureRequired).because(error),
        Unauthenticated::Unavailable => {
            Problem { retry_after_ms: Some(1_000), ..Problem::new(Code::ReadOnly) }.because(error)
        }
    }
}

fn check_protocol(headers: &HeaderMap) -> Result<(), Refusal> {
    match text(headers, "sync-protocol") {
        None => Ok(()),
        Some(version) if version.parse() == Ok(PROTOCOL) => Ok(()),
        Some(_) => {
            let problem = Problem::new(Code::ProtocolUnsupported);
            Err(Problem { min: Some(PROTOCOL), max: Some(PROTOCOL), ..problem }.into())
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
