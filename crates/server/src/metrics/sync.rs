//! What is counted of `/sync/v1`.

use std::{collections::BTreeMap, sync::Arc};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use syncline_protocol::ledger::{DeviceStatus, Health};

use crate::tenants::Tenant;

/// The tenants that labels name: those that were first. Beyond it they are one.
const TENANTS_NAMED_MAX: usize = 64;

/// What labels call the others.
const OTHERS: &str = "(others)";

/// Counters of `/sync/v1`. Clones are the same ones.
#[derive(Clone, Debug)]
pub(crate) struct SyncCounters {
    latency: Family<Operation, Histogram, fn() -> Histogram>,
    requests: Family<Answered, Counter>,
    ops: Family<Status, Counter>,
    reconciliations: Counter,
    failures: Counter,
    conflicts: Family<Kind, Counter>,
    backlog: Family<ByHealth, Gauge>,
    devices: Family<ByHealth, Gauge>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Operation {
    pub(super) operation: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(super) struct Answered {
    pub(super) operation: &'static str,
    pub(super) status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Status {
    status: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByHealth {
    tenant: Arc<str>,
    health: &'static str,
}

impl SyncCounters {
    pub(super) fn new() -> Self {
        Self {
            latency: Family::new_with_constructor(latencies),
            requests: Family::default(),
            ops: Family::default(),
            reconciliations: Counter::default(),
            failures: Counter::default(),
            conflicts: Family::default(),
            backlog: Family::default(),
            devices: Family::default(),
        }
    }

    /// Counts a request that was answered `seconds` after it came, time spent waiting for news not counted.
    pub(crate) fn answered(&self, operation: &'static str, status: u16, seconds: f64) {
        self.latency.get_or_create(&Operation { operation }).observe(seconds);
        self.requests.get_or_create(&Answered { operation, status }).inc();
    }

    /// Counts an op of a push by what became of it.
    pub(crate) fn op(&self, status: &'static str) {
        self.ops.get_or_create(&Status { status }).inc();
    }

    /// Counts a push, or a reconciliation, and whether it or one of its ops was refused.
    pub(crate) fn reconciled(&self, failed: bool) {
        self.reconciliations.inc();
        self.failures.inc_by(failed.into());
    }

    /// Counts a conflict that an op has met.
    pub(crate) fn conflict(&self, kind: &'static str) {
        self.conflicts.get_or_create(&Kind { kind }).inc();
    }

    /// Notes how devices keep up, by tenants, whose numbers ascend.
    pub(crate) fn note_devices(&self, tenants: &[(Tenant, Vec<DeviceStatus>)]) {
        let mut noted = BTreeMap::<(Arc<str>, &'static str), (u64, u64)>::new();
        for (at, (tenant, devices)) in tenants.iter().enumerate() {
            let name: Arc<str> = if at < TENANTS_NAMED_MAX { tenant.name().as_str() } else { OTHERS }.into();
            for health in [Health::Healthy, Health::Lagging, Health::Stale, Health::Blocked] {
                let (pending, count) = noted.entry((Arc::clone(&name), health.as_str())).or_default();
                for device in devices.iter().filter(|device| device.health == health) {
                    *pending = pending.saturating_add(device.backlog.pending);
                    *count += 1;
                }
            }
        }
        // Tenants that are not among them any more have none.
        self.backlog.clear();
        self.devices.clear();
        for ((tenant, health), (pending, count)) in noted {
            let label = ByHealth { tenant, health };
            self.backlog.get_or_create(&label).set(i64::try_from(pending).unwrap_or(i64::MAX));
            self.devices.get_or_create(&label).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Time until a request was answered, waiting for news not counted, by operation";
        registry.register_with_unit("sync_latency", help, Unit::Seconds, self.latency.clone());
        registry.register("sync_requests", "Requests, by operation and status", self.requests.clone());
        registry.register("sync_ops", "Ops of devices, by what became of them", self.ops.clone());
        let help = "Pushes and reconciliations";
        registry.register("sync_reconciliations", help, self.reconciliations.clone());
        let help = "Pushes and reconciliations that were refused, or of which an op was";
        registry.register("sync_reconciliation_failures", help, self.failures.clone());
        let help = "Conflicts that ops have met, by what collided";
        registry.register("sync_conflicts", help, self.conflicts.clone());
        let help = "Ops that wait on devices, as these said last, by tenant and health";
        registry.register("sync_backlog", help, self.backlog.clone());
        registry.register("sync_devices", "Devices, by tenant and health", self.devices.clone());
    }
}

/// From half a millisecond, less than a commit takes, to 16 seconds.
pub(super) fn latencies() -> Histogram {
    const BUCKETS: u16 = 16;
    Histogram::new(prometheus_client::metrics::histogram::exponential_buckets(5e-4, 2.0, BUCKETS))
}
