//! The slow oracle: every event there ever was, and what its writer had seen.

use syncline_core::clock::ReplicaId;

/// A set of events, by their numbers: at most 64 in a history.
pub(crate) type Events = u64;

/// Most events in a history.
pub(crate) const EVENTS_MAX: usize = 64;

/// Something that a replica did.
#[derive(Clone, Debug)]
pub(crate) struct Event<Op> {
    pub(crate) replica: ReplicaId,
    /// Larger than that of all events seen, so that what was caused by an event is later. Replicas may have equal ones.
    pub(crate) time: u64,
    /// None if it was not an operation: marks of removals were dropped.
    pub(crate) op: Option<Op>,
    /// What the replica had seen, without the event itself.
    pub(crate) sees: Events,
}

/// All events of a history.
#[derive(Clone, Debug)]
pub(crate) struct Graph<Op> {
    pub(crate) events: Vec<Event<Op>>,
}

impl<Op> Graph<Op> {
    pub(crate) const fn new() -> Self {
        Self { events: Vec::new() }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.events.len() == EVENTS_MAX
    }

    /// Adds an event and returns its set. Its time is one after the latest seen.
    pub(crate) fn add(&mut self, replica: ReplicaId, sees: Events, op: Option<Op>) -> Events {
        let time = self.time_after(sees);
        self.events.push(Event { replica, time, op, sees });
        1 << (self.events.len() - 1)
    }

    pub(crate) fn time_after(&self, sees: Events) -> u64 {
        1 + (0..self.events.len()).filter(|&n| has(sees, n)).map(|n| self.events[n].time).max().unwrap_or(0)
    }

    /// Returns whether all that was seen by anything in `seen` is in `seen`.
    pub(crate) fn is_closed(&self, seen: Events) -> bool {
        (0..self.events.len()).filter(|&n| has(seen, n)).all(|n| self.events[n].sees & !seen == 0)
    }

    /// Returns the operations in `seen`, oldest first, each with its number.
    pub(crate) fn ops(&self, seen: Events) -> impl Iterator<Item = (usize, &Event<Op>, &Op)> {
        let events = self.events.iter().enumerate().filter(move |(n, _)| has(seen, *n));
        events.filter_map(|(n, event)| Some((n, event, event.op.as_ref()?)))
    }

    /// Returns the numbers of the operations in `seen` for which `is_it` holds.
    pub(crate) fn numbers(&self, seen: Events, is_it: impl Fn(&Op) -> bool) -> Vec<usize> {
        self.ops(seen).filter(|(_, _, op)| is_it(op)).map(|(n, _, _)| n).collect()
    }

    /// Returns whether the event `later` had seen the event `earlier`.
    pub(crate) fn saw(&self, later: usize, earlier: usize) -> bool {
        has(self.events[later].sees, earlier)
    }
}

pub(crate) const fn has(events: Events, n: usize) -> bool {
    events >> n & 1 == 1
}
