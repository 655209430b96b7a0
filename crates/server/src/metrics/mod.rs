//! What the server counts, in the text format of Prometheus.

mod docs;
mod hooks;
mod sync;

use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use syncline_protocol::{CloseReason, Stats};
use syncline_store::committer::Observer;

pub(crate) use self::sync::SyncCounters;
use self::{docs::DocsCounters, hooks::HookCounters};
use crate::{clock::Stopwatch, quota::Limit};

/// Every counter of the server. Gauges that somebody else knows better are set when the text is written.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    gauges: Gauges,
    rooms: RoomCounters,
    commits: CommitCounters,
    compactions: Counter,
    store_failures: Counter,
    upgrades: Family<Status, Counter>,
    closed: Family<Code, Counter>,
    received_messages: Counter,
    received_bytes: Counter,
    sent_bytes: Counter,
    limited: Family<Limited, Counter>,
    pub(crate) sync: SyncCounters,
    pub(crate) docs: DocsCounters,
    pub(crate) hooks: HookCounters,
}

/// What is true at the moment of asking.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) connections: usize,
    pub(crate) rooms: usize,
    pub(crate) memory_bytes: usize,
    pub(crate) inbound_bytes: usize,
    /// 0 if nobody counts it.
    pub(crate) stored_bytes: u64,
    pub(crate) ready: bool,
}

#[derive(Debug, Default)]
struct Gauges {
    connections: Gauge,
    rooms: Gauge,
    memory_bytes: Gauge,
    inbound_bytes: Gauge,
    stored_bytes: Gauge,
    ready: Gauge,
}

/// The sums of [`Stats`] over all rooms, field by field.
#[derive(Debug, Default)]
struct RoomCounters {
    updates: Counter,
    duplicates: Counter,
    gaps: Counter,
    cut: Counter,
    refused: Counter,
    unpermitted: Counter,
    presence_dropped: Counter,
    resumed: Counter,
    rebuilt: Counter,
}

#[derive(Debug, Clone)]
struct CommitCounters {
    seconds: Histogram,
    operations: Counter,
    bytes: Counter,
    requests: Counter,
    failed: Counter,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Status {
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Code {
    code: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Limited {
    limit: &'static str,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        /// From 100 microseconds to 13 seconds: a commit takes about one millisecond on a healthy disk.
        const COMMIT_BUCKETS: u16 = 18;
        let buckets = prometheus_client::metrics::histogram::exponential_buckets(1e-4, 2.0, COMMIT_BUCKETS);
        let mut metrics = Self {
            registry: Registry::with_prefix("syncline"),
            gauges: Gauges::default(),
            rooms: RoomCounters::default(),
            commits: CommitCounters {
                seconds: Histogram::new(buckets),
                operations: Counter::default(),
                bytes: Counter::default(),
                requests: Counter::default(),
                failed: Counter::default(),
            },
            compactions: Counter::default(),
            store_failures: Counter::default(),
            upgrades: Family::default(),
            closed: Family::default(),
            received_messages: Counter::default(),
            received_bytes: Counter::default(),
            sent_bytes: Counter::default(),
            limited: Family::default(),
            sync: SyncCounters::new(),
            docs: DocsCounters::new(),
            hooks: HookCounters::default(),
        };
        metrics.register();
        metrics
    }

    /// Adds what a room has counted since `before`.
    pub(crate) fn room_counted(&self, before: Stats, after: Stats) {
        let Stats {
            updates,
            duplicates,
            gaps,
            cut,
            refused,
            unpermitted,
            presence_dropped,
            resumed,
            rebuilt,
        } = after;
        let rooms = &self.rooms;
        rooms.updates.inc_by(updates - before.updates);
        rooms.duplicates.inc_by(duplicates - before.duplicates);
        rooms.gaps.inc_by(gaps - before.gaps);
        rooms.cut.inc_by(cut - before.cut);
        rooms.refused.inc_by(refused - before.refused);
        rooms.unpermitted.inc_by(unpermitted - before.unpermitted);
        rooms.presence_dropped.inc_by(presence_dropped - before.presence_dropped);
        rooms.resumed.inc_by(resumed - before.resumed);
        rooms.rebuilt.inc_by(rebuilt - before.rebuilt);
    }

    pub(crate) fn compacted(&self) {
        self.compactions.inc();
    }

    pub(crate) fn store_failed(&self) {
        self.store_failures.inc();
    }

    /// Counts an answer to a request for an upgrade; 101 is the upgrade itself.
    pub(crate) fn upgrade_answered(&self, status: u16) {
        self.upgrades.get_or_create(&Status { status }).inc();
    }

    /// Counts a connection that the server closed.
    pub(crate) fn closed(&self, reason: CloseReason) {
        self.closed.get_or_create(&Code { code: reason.code() }).inc();
    }

    /// Counts that a limit refused someone, or that it had them wait.
    pub(crate) fn limited(&self, limit: Limit) {
        self.limited_by(limit.name());
    }

    /// Counts the same of a limit of this name.
    pub(crate) fn limited_by(&self, limit: &'static str) {
        self.limited.get_or_create(&Limited { limit }).inc();
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.received_messages.inc();
        self.received_bytes.inc_by(bytes as u64);
    }

    pub(crate) fn sent(&self, bytes: u64) {
        self.sent_bytes.inc_by(bytes);
    }

    /// Returns who hears of commits on the store's thread.
    pub(crate) fn commit_observer(&self) -> CommitObserver {
        CommitObserver { counters: self.commits.clone(), begun: Stopwatch::start() }
    }

    /// Writes everything down.
    pub(crate) fn encode(&self, moment: Moment) -> String {
        let Moment { connections, rooms, memory_bytes, inbound_bytes, stored_bytes, ready } = moment;
        let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        self.gauges.connections.set(gauge(connections));
        self.gauges.rooms.set(gauge(rooms));
        self.gauges.memory_bytes.set(gauge(memory_bytes));
        self.gauges.inbound_bytes.set(gauge(inbound_bytes));
        self.gauges.stored_bytes.set(i64::try_from(stored_bytes).unwrap_or(i64::MAX));
        self.gauges.ready.set(i64::from(ready));
        let mut out = String::new();
        text::encode(&mut out, &self.registry).expect("a String takes any text");
        out
    }

    fn register(&mut self) {
        let Self { registry, gauges, rooms, commits, .. } = self;
        self.sync.register(registry);
        self.docs.register(registry);
        self.hooks.register(registry);
        let Gauges { connections, rooms: open, memory_bytes, inbound_bytes, stored_bytes, ready } = gauges;
        registry.register("connections", "Open WebSockets", connections.clone());
        registry.register("rooms", "Rooms that are loaded or being loaded", open.clone());
        let bytes = || Unit::Bytes;
        registry.register_with_unit(
            "documents",
            "Estimated memory of documents",
            bytes(),
            memory_bytes.clone(),
        );
        let help = "Received and not yet handled";
        registry.register_with_unit("inbound", help, bytes(), inbound_bytes.clone());
        let help = "Keys and values of the tenant; 0 without a quota of them";
        registry.register_with_unit("stored", help, bytes(), stored_bytes.clone());
        registry.register("ready", "Whether the store is open", ready.clone());

        let RoomCounters {
            updates,
            duplicates,
            gaps,
            cut,
            refused,
            unpermitted,
            presence_dropped,
            resumed,
            rebuilt,
        } = rooms;
        let mut room = |name: &str, help: &str, counter: &Counter| {
            registry.register(format!("room_{name}"), help, counter.clone());
        };
        room("updates", "Updates integrated and committed", updates);
        room("duplicates", "Updates that brought nothing new", duplicates);
        room("gaps", "Updates of which something had to wait for what it rests on", gaps);
        room("cut_structs", "Structs below the document's clock that were cut off", cut);
        room("refused", "Updates refused", refused);
        room("unpermitted", "Updates and texts not taken from who may only read", unpermitted);
        room("presence_dropped", "Awareness entries dropped", presence_dropped);
        room("resumed", "Times that a lagging connection was brought up to date", resumed);
        room("rebuilt", "Times that a document was rebuilt from the store", rebuilt);

        let CommitCounters { seconds, operations, bytes: committed, requests, failed } = commits;
        let help = "Time of one commit to the store";
        registry.register_with_unit("commit_duration", help, Unit::Seconds, seconds.clone());
        registry.register("commit_operations", "Keys written or deleted", operations.clone());
        registry.register_with_unit("commit", "Keys and values written", bytes(), committed.clone());
        registry.register("commit_requests", "Requests that commits were joined from", requests.clone());
        registry.register("commit_failures", "Commits that failed", failed.clone());

        registry.register("compactions", "Logs folded into a snapshot", self.compactions.clone());
        let help = "Times that the store failed and every connection was closed";
        registry.register("store_failures", help, self.store_failures.clone());
        let help = "Answers to requests for a WebSocket, by status";
        registry.register("upgrades", help, self.upgrades.clone());
        registry.register(
            "closed_connections",
            "Connections that the server closed, by code",
            self.closed.clone(),
        );
        let help = "Times that a limit refused someone or had them wait, by the limit";
        registry.register("limited", help, self.limited.clone());
        registry.register("received_messages", "WebSocket messages received", self.received_messages.clone());
        registry.register_with_unit("received", "Messages received", bytes(), self.received_bytes.clone());
        registry.register_with_unit("sent", "Written to WebSockets", bytes(), self.sent_bytes.clone());
    }
}

/// Times the commits on the store's thread.
pub(crate) struct CommitObserver {
    counters: CommitCounters,
    begun: Stopwatch,
}

impl Observer for CommitObserver {
    fn begins(&mut self, operations: usize, bytes: usize, tickets: usize) {
        self.counters.operations.inc_by(operations as u64);
        self.counters.bytes.inc_by(bytes as u64);
        self.counters.requests.inc_by(tickets as u64);
        self.begun = Stopwatch::start();
    }

    fn ended(&mut self, durable: bool) {
        self.counters.seconds.observe(self.begun.seconds());
        if !durable {
            self.counters.failed.inc();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_up_over_rooms() {
        let metrics = Metrics::new();
        let counted = |updates, gaps| Stats { updates, gaps, ..Stats::default() };
        metrics.room_counted(counted(0, 0), counted(3, 1));
        metrics.room_counted(counted(3, 1), counted(5, 1));
        metrics.room_counted(counted(0, 0), counted(10, 0));
        metrics.closed(CloseReason::TooLarge);

        let moment = Moment {
            connections: 2,
            rooms: 1,
            memory_bytes: 9,
            inbound_bytes: 0,
            stored_bytes: 3,
            ready: true,
        };
        let text = metrics.encode(moment);
        let has = |line: &str| assert!(text.lines().any(|found| found == line), "no {line:?} in\n{text}");
        has("syncline_room_updates_total 15");
        has("syncline_room_gaps_total 1");
        has("syncline_connections 2");
        has("syncline_documents_bytes 9");
        has("syncline_stored_bytes 3");
        has("syncline_closed_connections_total{code=\"4413\"} 1");
    }
}
