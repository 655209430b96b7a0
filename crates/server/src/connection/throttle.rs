//! How fast a connection is read.

use std::sync::Arc;

use syncline_core::{rate::Meter, time::MonotonicMs};

use crate::{
    metrics::Metrics,
    quota::{Limit, Pace, Payer, Quota},
};

/// How fast a connection is read: it has a rate, and so have its user and their tenant.
///
/// Whoever sends faster is not read for a while; nothing is dropped, and nobody is closed for it.
pub(super) struct Throttle {
    own: Meter,
    pace: Arc<Pace>,
    metrics: Arc<Metrics>,
    payer: Payer,
    ready_at: MonotonicMs,
}

impl Throttle {
    pub(super) fn new(quota: &Quota, pace: &Arc<Pace>, metrics: &Arc<Metrics>, now: MonotonicMs) -> Self {
        Self {
            own: Meter::new(quota.connection, now),
            pace: Arc::clone(pace),
            metrics: Arc::clone(metrics),
            payer: Payer::of(None),
            ready_at: now,
        }
    }

    /// Says whose quota it counts for: that of the first who has proved who they are.
    pub(super) fn paid_by(&mut self, payer: Payer) {
        if self.payer.user.is_none() {
            self.payer = payer;
        }
    }

    /// Takes it that so much was read.
    pub(super) fn spend(&mut self, now: MonotonicMs, messages: u64, bytes: u64) {
        self.own.spend(now, messages, bytes);
        let own = (self.own.ready_at(now), Limit::ConnectionRate);
        let others = self.pace.spend(now, &self.payer, messages, bytes);
        let (ready_at, limit) = if own.0 >= others.0 { own } else { others };
        if ready_at > now && !self.waits(now) {
            self.metrics.limited(limit);
        }
        self.ready_at = ready_at;
    }

    /// Returns whether nothing is to be read at `now`.
    pub(super) fn waits(&self, now: MonotonicMs) -> bool {
        now < self.ready_at
    }

    /// Returns when something may be read again; a time that has passed if that is now.
    pub(super) fn ready_at(&self) -> MonotonicMs {
        self.ready_at
    }
}
