//! Who asks, and for which document.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Path},
    http::{HeaderMap, header, request::Parts},
};
use serde::de::DeserializeOwned;
use syncline_core::{
    access::{Action, Identity, Resource},
    guard::automerge::ops_in,
    id::RoomName,
    limits::AUTOMERGE_OP_CHARGE_BYTES,
    log::Author,
};

use super::{refusal::Refusal, state::Revised};
use crate::{
    access::{Check, Lease, Permit, Signed, Unauthenticated, admit},
    epoch::Epoch,
    http::bearer,
    limits::SYNC_BODY_BYTES_MAX,
    openapi::check_query,
    quota::{Payer, Place},
    registry::RoomKey,
    shared::Shared,
    tenants::Tenant,
};

/// A request whose sender is known.
pub(super) struct Caller {
    pub(super) identity: Arc<Identity>,
    pub(super) epoch: Arc<Epoch>,
    pub(super) tenant: Tenant,
    lease: Lease,
    pub(super) shared: Arc<Shared>,
    if_match: Option<String>,
    if_none_match: Option<String>,
}

impl FromRequestParts<Arc<Shared>> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        Self::of(parts, shared, None).await
    }
}

impl Caller {
    /// Returns who asks, as far as that is not known yet.
    pub(super) async fn of(
        parts: &Parts,
        shared: &Arc<Shared>,
        known: Option<Arc<Identity>>,
    ) -> Result<Self, Refusal> {
        let headers = &parts.headers;
        if !shared.pages.may_ask(headers) {
            return Err(Refusal::Origin);
        }
        let claimed = text(headers, "sync-user");
        let now = shared.clock.now().wall;
        let identity = match known {
            Some(identity) => identity,
            None => {
                let identity = shared.gate.identify(bearer(headers), claimed.as_deref(), now).await;
                identity.map_err(Refusal::Unauthenticated)?
            }
        };
        let declared: Option<u64> =
            text(headers, header::CONTENT_LENGTH.as_str()).and_then(|bytes| bytes.parse().ok());
        // What is longer is refused, or counted as it comes.
        let declared = declared.unwrap_or(0).min(SYNC_BODY_BYTES_MAX as u64);
        shared.admit(&shared.payer(&identity), declared)?;
        let epoch = shared.epoch().ok_or(Refusal::StoreDown)?;
        let tenant = epoch.tenants.of(&identity.tenant)?;
        let signed = parts.extensions.get::<Signed>().cloned().unwrap_or_default();
        let identity = admit(shared, identity, &signed).await.map_err(Refusal::Unauthenticated)?;
        check_query(parts).map_err(Refusal::Malformed)?;
        let lease = shared.gate.lease(Arc::clone(&identity));
        let if_match = text(headers, header::IF_MATCH.as_str());
        let if_none_match = text(headers, header::IF_NONE_MATCH.as_str());
        Ok(Self { identity, epoch, tenant, lease, shared: Arc::clone(shared), if_match, if_none_match })
    }
}

/// The placeholders of a path. What they cannot be is refused as everything else is.
pub(super) struct InPath<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Shared>> for InPath<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let Path(placed) = Path::<T>::from_request_parts(parts, shared)
            .await
            .map_err(|rejection| Refusal::Malformed(rejection.body_text()))?;
        Ok(Self(placed))
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

impl Caller {
    /// Returns the room of a document that the caller may do this with.
    pub(super) async fn room(&self, name: &str, action: Action) -> Result<RoomKey, Refusal> {
        let name = RoomName::new(name).map_err(|_| Refusal::Name)?;
        let document = Resource::Document(name.as_str());
        let permit = Permit::of(Arc::clone(&self.identity));
        let permit = self.shared.gate.extend(&permit, &[Check::new(action, document)]).await?;
        if !permit.identity.may(action, document) {
            return Err(Refusal::Absent);
        }
        Ok(RoomKey { tenant: self.tenant.clone(), name })
    }

    /// Takes it that the caller has sent the ops of an update, which may be far more than its bytes.
    pub(super) fn pay_for_ops(&self, update: &[u8]) {
        // What is malformed is refused.
        let bytes = ops_in(update).unwrap_or(0).saturating_mul(AUTOMERGE_OP_CHARGE_BYTES);
        let (payer, now) = (self.shared.payer(&self.identity), self.shared.clock.monotonic());
        self.shared.pace.spend(now, &payer, 0, bytes);
    }

    /// Returns whether a grant says so; nobody else is asked.
    pub(super) fn may(&self, name: &RoomName, action: Action) -> bool {
        self.identity.may(action, Resource::Document(name.as_str()))
    }

    /// Checks that what the caller showed is still good, right before something is done.
    pub(super) fn check_lease(&self) -> Result<(), Refusal> {
        let now = self.shared.clock.now().wall;
        match self.lease.is_over(now) {
            false => Ok(()),
            true if self.identity.is_expired(now) => Err(Refusal::Unauthenticated(Unauthenticated::Expired)),
            true => Err(Refusal::Unauthenticated(Unauthenticated::Revoked)),
        }
    }

    /// Waits until what the caller showed is good no longer, or nothing more may be told that rests on the store.
    pub(super) async fn ended(&self) {
        tokio::select! {
            () = self.lease.ended(self.shared.clock) => {}
            () = self.epoch.drain.cancelled() => {}
        }
    }

    /// Returns whose quota the request counts for.
    pub(super) fn payer(&self) -> Payer {
        self.shared.payer(&self.identity)
    }

    /// Takes one of the places of those who are connected.
    pub(super) fn place(&self) -> Result<Place, Refusal> {
        let place = self.shared.usage.place(&self.payer());
        place.map_err(|limit| {
            self.shared.metrics.limited(limit);
            Refusal::TooManyConnections(limit)
        })
    }

    /// Returns who writes, for the log.
    pub(super) fn author(&self) -> Author {
        Author {
            user: Some(self.identity.user.as_str().into()),
            device: self.identity.device.as_ref().map(|device| device.as_str().into()),
        }
    }

    /// Returns the revision that `If-Match` asks for; `*` asks for any.
    pub(super) fn expects(&self) -> Result<Option<Revised>, Refusal> {
        match self.if_match.as_deref() {
            None | Some("*") => Ok(None),
            Some(tag) => tag.parse().map(Some).map_err(|_| Refusal::Changed),
        }
    }

    /// Returns whether the caller has this revision already.
    pub(super) fn has(&self, revised: &str) -> bool {
        let tags = self.if_none_match.as_deref().unwrap_or_default();
        tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == revised || tag.trim() == "*")
    }

    pub(super) fn now(&self) -> syncline_core::time::WallMs {
        self.shared.clock.now().wall
    }
}
