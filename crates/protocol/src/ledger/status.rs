//! How devices keep up.

use std::collections::BTreeSet;

use syncline_core::entity::{ActorName, Sequence, TypeName};
use syncline_core::limits::{LAGGING_MS, MAX_OFFLINE_MS};
use syncline_core::time::WallMs;

use super::Ledger;
use super::ack::{AckedScope, Backlog};
use super::device::{Binding, Device};

/// How a device keeps up, from well to badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// It is up to date, or soon will be.
    Healthy,
    /// Ops have waited on it for an hour, or changes for it.
    Lagging,
    /// Nobody waits for it any more: it may have to begin again.
    Stale,
    /// It was revoked, or ops of it were refused and wait for people.
    Blocked,
}

impl Health {
    /// Returns the word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Lagging => "lagging",
            Self::Stale => "stale",
            Self::Blocked => "blocked",
        }
    }
}

/// What there is to say of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceStatus {
    /// Its name.
    pub name: ActorName,
    /// Whose it is.
    pub binding: Binding,
    /// How it keeps up.
    pub health: Health,
    /// What waits on it, as it said last.
    pub backlog: Backlog,
    /// How many results it has not acknowledged.
    pub results_unacked: u64,
    /// How far it is, by the names of scopes.
    pub scopes: Vec<ScopeStatus>,
}

/// How far a device is in a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeStatus {
    /// The scope.
    pub name: TypeName,
    /// What it has acknowledged.
    pub pos: Sequence,
    /// The last change in the scope; of one that was not read since the ledger was loaded, in the log.
    pub head: Sequence,
    /// When it was read last, since the ledger was loaded.
    pub last_pull_at: Option<WallMs>,
    /// Whether the device is to begin it again.
    pub needs_resync: bool,
}

impl ScopeStatus {
    /// Returns how far the device is behind.
    #[must_use]
    pub const fn lag(&self) -> u64 {
        self.head.0.saturating_sub(self.pos.0)
    }
}

impl Ledger {
    /// Returns how a device keeps up that is bound, durable or not.
    #[must_use]
    pub fn device_status(&self, now: WallMs, name: &ActorName) -> Option<DeviceStatus> {
        let device = self.devices.get(&self.actors.known(name)?)?;
        let binding = device.binding.as_ref()?;
        let scopes = self.scopes_of(device);
        Some(DeviceStatus {
            name: name.clone(),
            binding: Binding { seen_at: binding.seen_at.max(device.seen_at), ..binding.clone() },
            health: self.health(now, device, binding, &scopes),
            backlog: device.acked.backlog,
            results_unacked: device.unacknowledged().count() as u64,
            scopes,
        })
    }

    /// Returns the devices by their names, durable or not.
    #[must_use]
    pub fn device_statuses(&self, now: WallMs) -> Vec<DeviceStatus> {
        let names = self.devices.keys().filter_map(|&actor| self.actors.name(actor));
        let mut statuses: Vec<_> = names.filter_map(|name| self.device_status(now, name)).collect();
        statuses.sort_by(|a, b| a.name.cmp(&b.name));
        statuses
    }

    fn scopes_of(&self, device: &Device) -> Vec<ScopeStatus> {
        let names: BTreeSet<_> = device.acked.scopes.keys().chain(device.pulled.keys()).collect();
        let status = |name: &TypeName| {
            let acked = device.acked.scopes.get(name);
            let pulled = device.pulled.get(name);
            let head = pulled.map_or(self.log.head(), |(sections, _)| self.log.head_of(sections));
            ScopeStatus {
                name: name.clone(),
                pos: acked.filter(|acked| acked.epoch == self.epoch).map_or(Sequence(0), |acked| acked.pos),
                head,
                last_pull_at: pulled.map(|&(_, at)| at),
                needs_resync: device.resyncs.contains_key(name)
                    || acked.is_some_and(|acked| self.is_lost(acked)),
            }
        };
        names.into_iter().map(status).collect()
    }

    fn health(&self, now: WallMs, device: &Device, binding: &Binding, scopes: &[ScopeStatus]) -> Health {
        let backlog = device.acked.backlog;
        let is_long_ago = |at: WallMs, ms: u64| now.0.saturating_sub(at.0) >= ms;
        let mut acked = device.acked.scopes.values();
        let has_acked = !device.acked.scopes.is_empty();
        let is_gone = if has_acked {
            acked.any(|acked| self.is_lost(acked) || !acked.is_fresh(now))
        } else {
            is_long_ago(binding.seen_at.max(device.seen_at), MAX_OFFLINE_MS)
        };
        let waits_for = |scope: &ScopeStatus| {
            let acked = device.acked.scopes.get(&scope.name);
            // Whoever has acknowledged nothing has had time since it was bound.
            let since = acked.map_or(binding.bound_at, |acked| acked.at);
            scope.lag() > 0 && is_long_ago(since, LAGGING_MS)
        };
        if binding.revoked_at.is_some() || backlog.dead > 0 {
            Health::Blocked
        } else if is_gone {
            Health::Stale
        } else if backlog.pending > 0 && backlog.oldest_at.is_some_and(|at| is_long_ago(at, LAGGING_MS))
            || scopes.iter().any(waits_for)
        {
            Health::Lagging
        } else {
            Health::Healthy
        }
    }

    /// Returns whether a device has to begin again where it is.
    fn is_lost(&self, acked: &AckedScope) -> bool {
        acked.epoch != self.epoch || acked.past < self.log.floor()
    }
}
