//! What is counted of `/docs/v1`.

use prometheus_client::{
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::sync::{Answered, Operation, latencies};

/// Counters of `/docs/v1`.
#[derive(Debug)]
pub(crate) struct DocsCounters {
    latency: Family<Operation, Histogram, fn() -> Histogram>,
    requests: Family<Answered, Counter>,
}

impl DocsCounters {
    pub(super) fn new() -> Self {
        Self { latency: Family::new_with_constructor(latencies), requests: Family::default() }
    }

    /// Counts a request that was answered `seconds` after it came; a stream, that began then.
    pub(crate) fn answered(&self, operation: &'static str, status: u16, seconds: f64) {
        self.latency.get_or_create(&Operation { operation }).observe(seconds);
        self.requests.get_or_create(&Answered { operation, status }).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Time until a request for documents was answered, by operation";
        registry.register_with_unit("docs_latency", help, Unit::Seconds, self.latency.clone());
        let help = "Requests for documents, by operation and status";
        registry.register("docs_requests", help, self.requests.clone());
    }
}
