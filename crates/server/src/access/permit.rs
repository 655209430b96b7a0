//! What someone may do for a while, as an application has said that keeps rights itself.

use std::{future::pending, sync::Arc};

use syncline_core::{
    access::{Action, Identity, Resource},
    id::RoomName,
    time::{MonotonicMs, WallMs},
};
use syncline_protocol::Access;
use tokio::{sync::watch, time::sleep_until};

use super::{
    Gate,
    webhook::{Check, Undecided},
};
use crate::clock::Clock;

/// Someone with what they may do for now.
#[derive(Clone, Debug)]
pub(crate) struct Permit {
    /// Who asks, with the grants of their credential alone.
    base: Arc<Identity>,
    /// The same with what was decided besides; it ends when that does not count any more.
    pub(crate) identity: Arc<Identity>,
    /// The most that they may do with a document, whatever is granted or decided.
    most: Action,
    /// When to ask again; never, if nothing was decided besides.
    again: Option<MonotonicMs>,
}

/// Waits until it is to be asked again what someone may do.
pub(crate) struct Again {
    at: MonotonicMs,
    forgotten: watch::Receiver<u64>,
    clock: Clock,
}

impl Permit {
    /// Returns someone with what their credential says.
    pub(crate) fn of(identity: Arc<Identity>) -> Self {
        Self { base: Arc::clone(&identity), identity, most: Action::Admin, again: None }
    }

    /// Returns the same, for no more than this with a document.
    pub(crate) fn at_most(self, most: Action) -> Self {
        Self { most, ..self }
    }

    /// Returns whether it is what was decided that has ended, and not the credential.
    pub(crate) fn is_only_undecided(&self, now: WallMs) -> bool {
        self.again.is_some() && self.identity.is_expired(now) && !self.base.is_expired(now)
    }
}

impl Again {
    /// Waits until then. Nothing is lost if the future is dropped.
    pub(crate) async fn due(&mut self) {
        tokio::select! {
            () = sleep_until(self.clock.instant(self.at)) => {}
            // Whoever holds a gate holds what tells.
            _ = self.forgotten.changed() => {}
        }
    }
}

/// Waits until it is to be asked again; for ever if nobody was asked.
pub(crate) async fn due(again: &mut Option<Again>) {
    match again {
        Some(again) => again.due().await,
        None => pending().await,
    }
}

impl Gate {
    /// Returns someone with what they may do of this, as far as anybody has to be asked.
    pub(crate) async fn extend(&self, base: &Permit, checks: &[Check]) -> Result<Permit, Undecided> {
        let (base, most) = (&base.base, base.most);
        let plain = || Permit::of(Arc::clone(base)).at_most(most);
        let Some(webhook) = &self.webhook else { return Ok(plain()) };
        let open: Vec<Check> = checks.iter().filter(|check| !check.is_granted(base)).cloned().collect();
        if open.is_empty() {
            return Ok(plain());
        }
        let decided = webhook.decide(base, &open).await?;
        let mut identity = Identity::clone(base);
        if !decided.grants.is_empty() {
            let now = self.clock.now();
            let end = WallMs(now.wall.0.saturating_add(decided.until.since(now.monotonic)));
            identity.expires_at = Some(identity.expires_at.map_or(end, |known| known.min(end)));
            identity.grants = base.grants.iter().cloned().chain(decided.grants).collect();
        }
        Ok(Permit { identity: Arc::new(identity), again: Some(decided.again), ..plain() })
    }

    /// Returns what someone may do in a room; nothing if they may not open it.
    pub(crate) async fn enter(
        &self,
        who: &Permit,
        room: &RoomName,
    ) -> Result<(Option<Access>, Permit), Undecided> {
        let document = Resource::Document(room.as_str());
        let checks =
            [Action::Read, Action::Comment, Action::Write].map(|action| Check::new(action, document));
        let permit = self.extend(who, &checks).await?;
        let most = permit.identity.grants.most(document).map(|granted| granted.min(permit.most));
        Ok((most.map(access_of), permit))
    }

    /// Returns when it is to be asked again what is permitted so; nothing if nobody was asked.
    pub(crate) fn again(&self, permit: &Permit) -> Option<Again> {
        let (at, webhook) = permit.again.zip(self.webhook.as_ref())?;
        Some(Again { at, forgotten: webhook.listen(), clock: self.clock })
    }
}

/// Returns what whoever may do this with a document may do in its room.
const fn access_of(action: Action) -> Access {
    match action {
        Action::Read => Access::ReadOnly,
        Action::Comment => Access::Comment,
        Action::Write | Action::Admin => Access::ReadWrite,
    }
}
