//! What is counted of `/sync/v1`.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use syncline_protocol::ledger::{DeviceStatus, Health};

/// The tenant of everyone, as labels name it.
const TENANT: &str = "default";

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
struct Operation {
    operation: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Answered {
    operation: &'static str,
    status: u16,
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
    tenant: &'static str,
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

    /// Notes how devices keep up.
    pub(crate) fn note_devices(&self, devices: &[DeviceStatus]) {
        for health in [Health::Healthy, Health::Lagging, Health::Stale, Health::Blocked] {
            let of_health = || devices.iter().filter(|device| device.health == health);
            let label = ByHealth { tenant: TENANT, health: health.as_str() };
            let pending = of_health().map(|device| device.backlog.pending).fold(0, u64::saturating_add);
            self.backlog.get_or_create(&label).set(i64::try_from(pending).unwrap_or(i64::MAX));
            let count = of_health().count();
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
fn latencies() -> Histogram {
    const BUCKETS: u16 = 16;
    Histogram::new(prometheus_client::metrics::histogram::exponential_buckets(5e-4, 2.0, BUCKETS))
}
