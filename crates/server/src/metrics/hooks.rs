//! What is counted of hooks, by their names.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use syncline_core::hook::HookName;
use syncline_protocol::hooks::HookStats;

/// Counters of hooks.
#[derive(Debug, Default)]
pub(crate) struct HookCounters {
    delivered: Family<Hook, Counter>,
    failed: Family<Hook, Counter>,
    buried: Family<Hook, Counter>,
    dropped: Family<Hook, Counter>,
    waiting: Family<Hook, Gauge>,
    dead: Family<Hook, Gauge>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Hook {
    hook: String,
}

impl HookCounters {
    /// Adds what a hook has counted since `before`.
    pub(crate) fn counted(&self, hook: &HookName, before: HookStats, after: HookStats) {
        let HookStats { delivered, failed, buried, dropped, waiting, dead } = after;
        let hook = Hook { hook: hook.as_str().to_owned() };
        self.delivered.get_or_create(&hook).inc_by(delivered - before.delivered);
        self.failed.get_or_create(&hook).inc_by(failed - before.failed);
        self.buried.get_or_create(&hook).inc_by(buried - before.buried);
        self.dropped.get_or_create(&hook).inc_by(dropped - before.dropped);
        let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        self.waiting.get_or_create(&hook).set(gauge(waiting));
        self.dead.get_or_create(&hook).set(gauge(dead));
    }

    /// Notes that nobody knows what waits for a hook, until its marks are read again.
    pub(crate) fn rest(&self, hook: &HookName) {
        let hook = Hook { hook: hook.as_str().to_owned() };
        self.waiting.get_or_create(&hook).set(0);
        self.dead.get_or_create(&hook).set(0);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Requests of hooks that were taken, by hook";
        registry.register("hook_delivered", help, self.delivered.clone());
        let help = "Requests of hooks that were not taken, by hook";
        registry.register("hook_failed", help, self.failed.clone());
        let help = "What was given up after too many attempts, by hook";
        registry.register("hook_buried", help, self.buried.clone());
        let help = "Dead letters that were forgotten because there were too many, by hook";
        registry.register("hook_dead_letters_dropped", help, self.dropped.clone());
        let help =
            "Names of documents of which something waits to be told, as far as it is in memory, by hook";
        registry.register("hook_waiting", help, self.waiting.clone());
        registry.register("hook_dead_letters", "Dead letters, by hook", self.dead.clone());
    }
}
