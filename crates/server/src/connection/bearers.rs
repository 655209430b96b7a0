//! Who has shown which token for the documents of a connection, and until when each is good.

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use syncline_core::{access::Identity, id::RoomName, log::Author, time::WallMs};
use syncline_protocol::{Access, CloseReason, Slot};
use tokio::sync::watch;

use crate::{
    access::{Gate, Lease, Permit, Proof, Unauthenticated, Undecided},
    inbound::Charge,
    quota::Payer,
    tenants::{Tenant, Tenants},
    upgrade::Shown,
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
    proof: Option<Proof>,
    known: BTreeMap<Slot, Bearer>,
    asked: FuturesUnordered<BoxFuture<'static, Asked>>,
    /// How many bearers there were.
    count: u64,
    /// When the first of the leases ends.
    first_end: Option<WallMs>,
    /// Where it is told that leases may have ended early.
    revocations: watch::Receiver<u64>,
}

struct Bearer {
    permit: Permit,
    access: Access,
    lease: Arc<Lease>,
    /// Which of all that this connection has had.
    number: u64,
}

/// What was found out.
struct Asked {
    slot: Slot,
    room: RoomName,
    /// Who has it already, of whom it was only found out what they may do by now.
    again: Option<u64>,
    found: Result<(Option<Access>, Permit), NotFound>,
}

enum NotFound {
    Unauthenticated(Unauthenticated),
    Undecided,
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changed {
    /// Leases may have ended.
    Leases,
    /// What the bearer of a token may do with a document; nothing if they may not open it.
    Access(Slot, Option<Access>),
    /// A document is to be closed.
    Closed(Slot, CloseReason),
}

impl From<Undecided> for NotFound {
    fn from(_: Undecided) -> Self {
        Self::Undecided
    }
}

impl Bearers {
    /// Takes who has shown a token for the only document of a connection, or for all.
    pub(super) fn of(
        gate: &Gate,
        tenants: &Tenants,
        tenant: Option<Tenant>,
        shown: Option<Shown>,
        proof: Option<Proof>,
    ) -> Self {
        let mut bearers = Self {
            gate: gate.clone(),
            tenants: tenants.clone(),
            tenant,
            proof,
            known: BTreeMap::new(),
            asked: FuturesUnordered::new(),
            count: 0,
            first_end: None,
            revocations: gate.revocations_changed(),
        };
        match shown {
            Some((permit, Some((room, access)))) => bearers.note(ONLY, room, permit, access),
            // What they may do is found out for each document.
            Some((permit, None)) => bearers.hold(ONLY, permit, Access::ReadOnly),
            None => {}
        }
        bearers
    }

    /// Begins to find out what whoever has opened the connection may do in a room. What waits for that is charged so long.
    pub(super) fn admit(&mut self, now: WallMs, slot: Slot, room: RoomName, charge: Charge) {
        let (gate, who) = (self.gate.clone(), self.known.get(&ONLY).map(|bearer| bearer.permit.clone()));
        self.asked.push(Box::pin(async move {
            let _charge = charge;
            let found = async {
                let who = match who {
                    Some(who) => who,
                    // The token is good no longer.
                    None if gate.asks_token() => {
                        return Err(NotFound::Unauthenticated(Unauthenticated::Missing));
                    }
                    None => {
                        let anyone = gate.identify("", None, now).await;
                        Permit::of(anyone.map_err(NotFound::Unauthenticated)?)
                    }
                };
                Ok(gate.enter(&who, &room).await?)
            };
            let found = found.await;
            Asked { slot, room, again: None, found }
        }));
    }

    /// Begins to find out whose a token is.
    pub(super) fn ask(&mut self, now: WallMs, slot: Slot, room: RoomName, token: String) {
        let (gate, proof) = (self.gate.clone(), self.proof.clone());
        self.asked.push(Box::pin(async move {
            let found = async {
                let who = gate.identify(&token, None, now).await.map_err(NotFound::Unauthenticated)?;
                let who = match proof {
                    Some(proof) => proof.admit(who).await.map_err(NotFound::Unauthenticated)?,
                    None => who,
                };
                let who = Permit::of(who);
                Ok(gate.enter(&who, &room).await?)
            };
            let found = found.await;
            Asked { slot, room, again: None, found }
        }));
    }

    /// Returns whether nobody has shown a token.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty() && self.asked.is_empty()
    }

    /// Waits for a change. Nothing is lost if the future is dropped.
    pub(super) async fn changed(&mut self) -> Changed {
        let asked = tokio::select! {
            Some(asked) = self.asked.next() => asked,
            changed = self.revocations.changed() => {
                changed.expect("the gate is held, and with it what tells of changes");
                self.revocations.mark_changed();
                return Changed::Leases;
            }
        };
        match asked.again {
            None => self.identified(asked),
            Some(number) => self.found_again(number, asked),
        }
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

    fn identified(&mut self, Asked { slot, room, found, .. }: Asked) -> Changed {
        match found {
            Ok((Some(_), permit)) if !self.is_of_tenant(&permit.identity) => Changed::Access(slot, None),
            // Where nobody has to prove who they are nobody is known to be anyone.
            Ok((Some(access), permit)) => {
                if self.gate.asks_token() {
                    self.note(slot, room, permit, access);
                }
                Changed::Access(slot, Some(access))
            }
            Ok((None, _)) => Changed::Access(slot, None),
            Err(NotFound::Unauthenticated(error)) => {
                tracing::debug!(%error, "a token was refused");
                Changed::Access(slot, None)
            }
            Err(NotFound::Undecided) => {
                tracing::debug!("it cannot be found out what the bearer of a token may do");
                Changed::Closed(slot, CloseReason::Overloaded)
            }
        }
    }

    fn found_again(&mut self, number: u64, Asked { slot, room, found, .. }: Asked) -> Changed {
        // The document may have been closed meanwhile, or another token shown for it.
        let Some(known) = self.known.get(&slot).filter(|known| known.number == number) else {
            return Changed::Leases;
        };
        let before = known.access;
        match found {
            Ok((Some(access), permit)) => {
                self.note(slot, room, permit, access);
                if access == before { Changed::Leases } else { Changed::Access(slot, Some(access)) }
            }
            Ok((None, _)) => {
                self.forget(slot);
                Changed::Closed(slot, CloseReason::Forbidden)
            }
            Err(NotFound::Unauthenticated(_) | NotFound::Undecided) => {
                self.forget(slot);
                Changed::Closed(slot, CloseReason::Overloaded)
            }
        }
    }

    fn note(&mut self, slot: Slot, room: RoomName, permit: Permit, access: Access) {
        if let Some(mut again) = self.gate.again(&permit) {
            let (gate, permit, number) = (self.gate.clone(), permit.clone(), self.count + 1);
            self.asked.push(Box::pin(async move {
                again.due().await;
                let found = gate.enter(&permit, &room).await.map_err(NotFound::from);
                Asked { slot, room, again: Some(number), found }
            }));
        }
        self.hold(slot, permit, access);
    }

    fn hold(&mut self, slot: Slot, permit: Permit, access: Access) {
        self.count += 1;
        let number = self.count;
        let identity = Arc::clone(&permit.identity);
        let known = self.known.remove(&slot).map(|known| known.lease);
        let lease = known.unwrap_or_else(|| Arc::new(self.gate.lease(Arc::clone(&identity))));
        lease.renew(identity);
        self.known.insert(slot, Bearer { permit, access, lease, number });
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

    /// Returns the documents whose leases have ended by `now`, and whether only because nobody says any more what their bearers may
    /// do. Forgets these.
    pub(super) fn take_ended(&mut self, now: WallMs) -> Vec<(Slot, bool)> {
        let is_due = self.first_end.is_some_and(|end| end <= now);
        if !is_due && !self.revocations.has_changed().unwrap_or(true) {
            return Vec::new();
        }
        self.revocations.mark_unchanged();
        let over = self.known.iter().filter(|(_, bearer)| bearer.lease.is_over(now));
        let ended: Vec<_> =
            over.map(|(&slot, bearer)| (slot, bearer.permit.is_only_undecided(now))).collect();
        ended.iter().for_each(|&(slot, _)| self.forget(slot));
        ended
    }

    /// Returns how long the requests for a document are good.
    pub(super) fn lease(&self, slot: Slot) -> Option<Arc<Lease>> {
        self.known.get(&slot).map(|bearer| Arc::clone(&bearer.lease))
    }

    /// Returns whose quota a document counts for, if that is known.
    pub(super) fn payer(&self, slot: Slot) -> Option<Payer> {
        self.known.get(&slot).map(|bearer| Payer::of(Some(&bearer.permit.identity)))
    }

    /// Returns whose quota the connection counts for, if that was known when it was opened.
    pub(super) fn first_payer(&self) -> Option<Payer> {
        self.payer(ONLY)
    }

    /// Returns whose changes of a document are.
    pub(super) fn author(&self, slot: Slot) -> Author {
        self.known.get(&slot).map_or_else(Author::default, |Bearer { permit, .. }| Author {
            user: Some(permit.identity.user.as_str().into()),
            device: permit.identity.device.as_ref().map(|device| device.as_str().into()),
        })
    }
}
