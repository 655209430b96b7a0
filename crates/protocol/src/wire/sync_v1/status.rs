//! Answers about devices, types and scopes.

use syncline_core::entity::{ActorName, EntityKey, RecordVersion, Sequence};
use syncline_core::time::WallMs;

use super::device::{ScopeRequest, key_text};
use super::write::{Object, document, string};
use crate::ledger::{Backlog, Binding, DeviceKey, DeviceStatus, Health};

/// A device as clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceView<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its user.
    pub user: &'a str,
    /// What its user calls it.
    pub name: Option<&'a str>,
    /// The application and its version.
    pub app: Option<&'a str>,
    /// What it signs its requests with.
    pub public_key: Option<DeviceKey>,
    /// When it was bound.
    pub bound_at: WallMs,
    /// When it was revoked, if it was.
    pub revoked_at: Option<WallMs>,
    /// When it last asked for anything.
    pub last_seen: Option<WallMs>,
    /// What waits in it.
    pub backlog: Option<Backlog>,
    /// How it keeps up.
    pub health: Health,
}

/// How far a device has read a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeStatus<'a> {
    /// The scope.
    pub scope: &'a str,
    /// The place that it has acknowledged.
    pub pos: Sequence,
    /// The end of the log.
    pub head: Sequence,
    /// When it last pulled.
    pub last_pull_at: Option<WallMs>,
    /// Whether its next pull begins anew.
    pub needs_resync: bool,
}

/// How one record is synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordStatus<'a> {
    /// The entity.
    pub entity: &'a EntityKey,
    /// Its version.
    pub ver: RecordVersion,
    /// When it last changed.
    pub last_synced_at: Option<WallMs>,
    /// Ops on it that are deferred.
    pub pending: u64,
}

/// How a device is synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusAnswer<'a> {
    /// The device.
    pub device: DeviceView<'a>,
    /// The scopes that it has read.
    pub scopes: Vec<ScopeStatus<'a>>,
    /// Results that it has not acknowledged.
    pub results_unacked: u64,
    /// Conflicts that wait for someone.
    pub conflicts_open: u64,
    /// Bounds that a client should know, by name.
    pub limits: &'a [(&'a str, u64)],
    /// The server's clock.
    pub server_time: WallMs,
    /// The record that was asked for.
    pub record: Option<RecordStatus<'a>>,
}

impl StatusAnswer<'_> {
    /// Returns the body of the answer.
    #[must_use]
    pub fn body(&self) -> String {
        document(|o| {
            o.object("device", |o| self.device.write(o));
            o.objects("scopes", &self.scopes, |o, scope| scope.write(o));
            o.count("results_unacked", self.results_unacked);
            o.object("conflicts", |o| o.count("open", self.conflicts_open));
            o.object("limits", |o| self.limits.iter().for_each(|(name, limit)| o.count(name, *limit)));
            o.time("server_time", self.server_time);
            o.object("protocol", |o| {
                o.count("min", 1);
                o.count("max", 1);
            });
            self.record.iter().for_each(|record| o.object("record", |o| record.write(o)));
        })
    }
}

impl<'a> DeviceView<'a> {
    /// Returns what is told of a device that keeps up in some way.
    #[must_use]
    pub fn of(device: &'a DeviceStatus) -> Self {
        let bound = Self::bound(&device.name, &device.binding);
        Self { backlog: Some(device.backlog), health: device.health, ..bound }
    }

    /// Returns what is told of a device of which only the bond is known.
    #[must_use]
    pub fn bound(name: &'a ActorName, binding: &'a Binding) -> Self {
        Self {
            id: name.as_str(),
            user: binding.user.as_str(),
            name: binding.about.name.as_deref(),
            app: binding.about.app.as_deref(),
            public_key: binding.key,
            bound_at: binding.bound_at,
            revoked_at: binding.revoked_at,
            last_seen: Some(binding.seen_at),
            backlog: None,
            health: if binding.revoked_at.is_some() { Health::Blocked } else { Health::Healthy },
        }
    }

    /// Returns the body of the answer to a registration.
    #[must_use]
    pub fn bound_body(&self) -> String {
        document(|o| {
            o.text("device_id", self.id);
            o.bool("bound", self.revoked_at.is_none());
            o.time("bound_at", self.bound_at);
            self.public_key.iter().for_each(|key| o.text("public_key", &key_text(key)));
        })
    }

    pub(super) fn write(&self, o: &mut Object<'_>) {
        o.text("id", self.id);
        o.text("user", self.user);
        self.name.iter().for_each(|name| o.text("name", name));
        self.public_key.iter().for_each(|key| o.text("public_key", &key_text(key)));
        o.bool("bound", self.revoked_at.is_none());
        o.time("bound_at", self.bound_at);
        self.revoked_at.iter().for_each(|at| o.time("revoked_at", *at));
        o.text("health", self.health.as_str());
        maybe_time(o, "last_seen", self.last_seen);
        match self.backlog {
            Some(backlog) => o.object("backlog", |o| {
                o.count("pending", backlog.pending);
                maybe_time(o, "oldest_at", backlog.oldest_at);
                o.count("dead", backlog.dead);
            }),
            None => o.null("backlog"),
        }
        match self.app {
            Some(app) => o.text("app", app),
            None => o.null("app"),
        }
    }
}

impl ScopeStatus<'_> {
    fn write(&self, o: &mut Object<'_>) {
        o.text("scope", self.scope);
        o.u64("pos", self.pos.0);
        o.u64("head", self.head.0);
        o.u64("lag", self.head.0.saturating_sub(self.pos.0));
        maybe_time(o, "last_pull_at", self.last_pull_at);
        o.bool("needs_resync", self.needs_resync);
    }
}

impl RecordStatus<'_> {
    fn write(&self, o: &mut Object<'_>) {
        o.text("type", self.entity.kind.as_str());
        o.text("id", self.entity.id.as_str());
        o.u64("ver", self.ver.0);
        o.text("etag", &format!("\"{}\"", self.ver));
        maybe_time(o, "last_synced_at", self.last_synced_at);
        o.count("pending", self.pending);
    }
}

/// Returns the body of the list of devices.
#[must_use]
pub fn devices_body<'a>(devices: impl IntoIterator<Item = DeviceView<'a>>) -> String {
    document(|o| o.objects("devices", devices, |o, device| device.write(o)))
}

/// Returns what is said of a type: its name, and its form as JSON.
#[must_use]
pub fn type_body(name: &str, form: &str) -> String {
    document(|o| declared(o, name, form))
}

/// Returns the body of the list of types, each as in [`type_body`].
#[must_use]
pub fn types_body<'a>(types: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    document(|o| o.objects("types", types, |o, (name, form)| declared(o, name, form)))
}

/// Returns what is said of a scope.
#[must_use]
pub fn scope_body(name: &str, scope: &ScopeRequest) -> String {
    document(|o| defined(o, name, scope))
}

/// Returns the body of the list of scopes, each as in [`scope_body`].
#[must_use]
pub fn scopes_body<'a>(scopes: impl IntoIterator<Item = (&'a str, &'a ScopeRequest)>) -> String {
    document(|o| o.objects("scopes", scopes, |o, (name, scope)| defined(o, name, scope)))
}

fn declared(o: &mut Object<'_>, name: &str, form: &str) {
    o.text("type", name);
    o.spread(form);
}

fn defined(o: &mut Object<'_>, name: &str, scope: &ScopeRequest) {
    o.text("scope", name);
    o.list("types", &scope.types, |out, ty| string(out, ty.as_str()));
    scope.bucket.iter().for_each(|bucket| o.text("bucket", bucket));
}

fn maybe_time(o: &mut Object<'_>, name: &str, at: Option<WallMs>) {
    match at {
        Some(at) => o.time(name, at),
        None => o.null(name),
    }
}
