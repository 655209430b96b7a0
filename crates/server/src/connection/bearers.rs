//! Who has shown which token for the documents of a connection, and until when each is good.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use syncline_core::{access::Identity, id::RoomName, log::Author, time::WallMs};
use syncline_protocol::{Access, Slot};
use tokio::sync::watch;

use crate::{
    access::{Gate, Lease, Unauthenticated, room_access},
    quota::Payer,
    tenants::{Tenant, Tenants},
};

/// The slot of a connection with one document, or with one bearer for all of them.
const ONLY: Slot = Slot(0);

/// The bearers of tokens on one connection, and the tokens that are being looked at.
///
/// All tokens of a connection are of one tenant: that of the first good one.
pub(super) struct Bearers {
    gate: Gate,
    tenants: Tenants,
    tenant: Option<Tenant>,
    known: BTreeMap<Slot, Bearer>,
    asked: FuturesUnordered<BoxFuture<'static, Asked>>,
    /// When the first of the leases ends.
    first_end: Option<WallMs>,
    /// Where it is told that leases may have ended early.
    revocations: watch::Receiver<u64>,
}

struct Bearer {
    identity: Arc<Identity>,
    lease: Arc<Lease>,
}

/// A token that was looked at.
struct Asked {
    slot: Slot,
    room: RoomName,
    found: Result<Arc<Identity>, Unauthenticated>,
}

impl Bearers {
    /// Takes who has shown a token for the only document of a connection, or for all.
    pub(super) fn of(
        gate: &Gate,
        tenants: &Tenants,
        tenant: Option<Tenant>,
        identity: Option<Arc<Identity>>,
    ) -> Self {
        let mut bearers = Self {
            gate: gate.clone(),
            tenants: tenants.clone(),
            tenant,
            known: BTreeMap::new(),
            asked: FuturesUnordered::new(),
            first_end: None,
            revocations: gate.revocations_changed(),
        };
        if let Some(identity) = identity {
            bearers.note(ONLY, identity);
        }
        bearers
    }

    /// Returns what whoever has opened the connection may do in a room, and takes it that they open it.
    pub(super) fn admit(&mut self, slot: Slot, room: &RoomName) -> Option<Access> {
        let Some(bearer) = self.known.get(&ONLY) else {
            return (!self.gate.asks_token()).then_some(Access::ReadWrite);
        };
        let identity = Arc::clone(&bearer.identity);
        let access = room_access(&identity, room)?;
        self.note(slot, identity);
        Some(access)
    }

    /// Begins to find out whose a token is.
    pub(super) fn ask(&mut self, now: WallMs, slot: Slot, room: RoomName, token: String) {
        let gate = self.gate.clone();
        self.asked.push(Box::pin(async move {
            let found = gate.identify(&token, None, now).await;
            Asked { slot, room, found }
        }));
    }

    /// Returns whether nobody has shown a token.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty() && self.asked.is_empty()
    }

    /// Waits until it is known what the bearer of a token may do with a document; or until a lease may have ended early, which is
    /// nothing. Nothing is lost if the future is dropped.
    pub(super) async fn changed(&mut self) -> Option<(Slot, Option<Access>)> {
        let Asked { slot, room, found } = tokio::select! {
            Some(asked) = self.asked.next() => asked,
            changed = self.revocations.changed() => {
                changed.expect("the gate is held, and with it what tells of changes");
                self.revocations.mark_changed();
                return None;
            }
        };
        let access = found.as_deref().ok().and_then(|identity| room_access(identity, &room));
        let access = access.filter(|_| found.as_deref().is_ok_and(|identity| self.is_of_tenant(identity)));
        match found {
            // Where nobody has to prove who they are nobody is known to be anyone.
            Ok(identity) if access.is_some() && self.gate.asks_token() => self.note(slot, identity),
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "a token was refused"),
        }
        Some((slot, access))
    }

    /// Returns whether a token is of the tenant of the connection, which the first one says.
    fn is_of_tenant(&mut self, identity: &Identity) -> bool {
        if let Some(tenant) = &self.tenant {
            return *tenant.name() == identity.tenant;
        }
        let tenant = self.tenants.of(&identity.tenant);
        self.tenant = tenant.inspect_err(|error| tracing::warn!(%error, "a token is turned away")).ok();
        self.tenant.is_some()
    }

    /// Returns whose documents may be opened, once a good token has said so, or if none is asked for.
    pub(super) fn tenant(&self) -> Option<Tenant> {
        self.tenant.clone()
    }

    fn note(&mut self, slot: Slot, identity: Arc<Identity>) {
        let known = self.known.entry(slot).or_insert_with(|| Bearer {
            identity: Arc::clone(&identity),
            lease: Arc::new(self.gate.lease(Arc::clone(&identity))),
        });
        known.lease.renew(Arc::clone(&identity));
        known.identity = identity;
        // It may have been revoked since it was found good.
        self.revocations.mark_changed();
        self.look();
    }

    /// Takes it that a document is open no longer.
    pub(super) fn forget(&mut self, slot: Slot) {
        if self.known.remove(&slot).is_some() {
            self.look();
        }
    }

    fn look(&mut self) {
        self.first_end = self.known.values().filter_map(|bearer| bearer.lease.until()).min();
    }

    /// Returns when the first of the leases ends.
    pub(super) fn first_end(&self) -> Option<WallMs> {
        self.first_end
    }

    /// Returns the documents whose leases have ended by `now`, and forgets their bearers.
    pub(super) fn take_ended(&mut self, now: WallMs) -> Vec<Slot> {
        let is_due = self.first_end.is_some_and(|end| end <= now);
        if !is_due && !self.revocations.has_changed().unwrap_or(true) {
            return Vec::new();
        }
        self.revocations.mark_unchanged();
        let ended: Vec<Slot> = self
            .known
            .iter()
            .filter(|(_, bearer)| bearer.lease.is_over(now))
            .map(|(&slot, _)| slot)
            .collect();
        ended.iter().for_each(|&slot| self.forget(slot));
        ended
    }

    /// Returns how long the requests for a document are good.
    pub(super) fn lease(&self, slot: Slot) -> Option<Arc<Lease>> {
        self.known.get(&slot).map(|bearer| Arc::clone(&bearer.lease))
    }

    /// Returns whose quota a document counts for, if that is known.
    pub(super) fn payer(&self, slot: Slot) -> Option<Payer> {
        self.known.get(&slot).map(|bearer| Payer::of(Some(&bearer.identity)))
    }

    /// Returns whose quota the connection counts for, if that was known when it was opened.
    pub(super) fn first_payer(&self) -> Option<Payer> {
        self.payer(ONLY)
    }

    /// Returns whose changes of a document are.
    pub(super) fn author(&self, slot: Slot) -> Author {
        self.known.get(&slot).map_or_else(Author::default, |Bearer { identity, .. }| Author {
            user: Some(identity.user.as_str().into()),
            device: identity.device.as_ref().map(|device| device.as_str().into()),
        })
    }
}
