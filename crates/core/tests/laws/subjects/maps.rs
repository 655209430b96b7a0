//! Maps: the latest write of each key, and nested values under removals of their keys.

use std::collections::BTreeMap;

use syncline_core::crdt::{Causal, LwwMap, MvRegister, OrMap, OrSet, ResetCounter};

use super::of_ours;
use super::registers::maximal;
use crate::laws::graph::{Events, Graph};
use crate::laws::subject::{At, Subject};

const KEYS: [u8; 2] = [0, 1];

/// Writes the number of the event under a key, or removes the key, at the time of the event.
pub(crate) struct LwwMaps;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry {
    Set(u8),
    Remove(u8),
}

impl Subject for LwwMaps {
    type State = Causal<LwwMap<u8, u8>>;
    type Op = Entry;
    type View = BTreeMap<u8, u8>;

    fn ops() -> Vec<Entry> {
        vec![Entry::Set(0), Entry::Remove(0), Entry::Set(1), Entry::Remove(1)]
    }

    fn apply(state: &mut Self::State, at: At, op: &Entry) -> Option<Self::State> {
        let delta = match *op {
            Entry::Set(key) => state.set(at.stamp(), key, at.number as u8),
            Entry::Remove(key) => state.remove(at.stamp(), key),
        };
        Some(delta.state().clone())
    }

    fn view(state: &Self::State) -> Self::View {
        state.iter().map(|(&key, &value)| (key, value)).collect()
    }

    fn expected(graph: &Graph<Entry>, seen: Events) -> Self::View {
        let latest = |key: u8| {
            let of_key = graph
                .ops(seen)
                .filter(|(_, _, op)| matches!(op, Entry::Set(k) | Entry::Remove(k) if *k == key));
            let (n, _, op) = of_key.max_by_key(|(_, event, _)| (event.time, event.replica))?;
            matches!(op, Entry::Set(_)).then_some((key, n as u8))
        };
        KEYS.into_iter().filter_map(latest).collect()
    }

    of_ours!(causal);
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Nested {
    /// Adds an element to the set under a key, writes the register there, or adds to the counter there.
    Put(u8, u8),
    /// Removes an element from the set under a key, or resets the value there.
    Take(u8, u8),
    /// Removes the key.
    Remove(u8),
}

fn nested_ops() -> Vec<Nested> {
    vec![Nested::Put(0, 0), Nested::Put(0, 1), Nested::Take(0, 0), Nested::Remove(0), Nested::Put(1, 0)]
}

/// A map of sets.
pub(crate) struct MapsOfSets;

impl Subject for MapsOfSets {
    type State = Causal<OrMap<u8, OrSet<u8>>>;
    type Op = Nested;
    type View = BTreeMap<u8, Vec<u8>>;

    fn ops() -> Vec<Nested> {
        nested_ops()
    }

    fn apply(state: &mut Self::State, at: At, op: &Nested) -> Option<Self::State> {
        let delta = match *op {
            Nested::Put(key, element) => state.update(at.replica, key, |set, dot| set.add(dot, element)),
            Nested::Take(key, element) => state.update(at.replica, key, |set, _| set.remove(&element)),
            Nested::Remove(key) => state.remove(&key),
        };
        Some(delta.state().clone())
    }

    fn view(state: &Self::State) -> Self::View {
        state.iter().map(|(&key, set)| (key, set.iter().copied().collect())).collect()
    }

    fn expected(graph: &Graph<Nested>, seen: Events) -> Self::View {
        let set = |key: u8| -> Vec<u8> {
            let is_in = |element: u8| {
                let replaces = [Nested::Put(key, element), Nested::Take(key, element), Nested::Remove(key)];
                let put = |op: &Nested| *op == Nested::Put(key, element);
                !maximal(graph, seen, put, |op, _| replaces.contains(op)).is_empty()
            };
            [0, 1].into_iter().filter(|&element| is_in(element)).collect()
        };
        KEYS.into_iter().map(|key| (key, set(key))).filter(|(_, set)| !set.is_empty()).collect()
    }

    of_ours!(causal);
}

/// A map of maps of registers: the first key is always 0.
pub(crate) struct MapsOfMaps;

impl Subject for MapsOfMaps {
    type State = Causal<OrMap<u8, OrMap<u8, MvRegister<u8>>>>;
    type Op = Nested;
    type View = BTreeMap<u8, Vec<u8>>;

    fn ops() -> Vec<Nested> {
        vec![Nested::Put(0, 0), Nested::Put(1, 0), Nested::Take(0, 0), Nested::Remove(0)]
    }

    fn apply(state: &mut Self::State, at: At, op: &Nested) -> Option<Self::State> {
        let delta = match *op {
            Nested::Put(key, _) => state.update(at.replica, 0, |map, dot| {
                map.update(dot, key, |register, dot| register.set(dot, at.number as u8))
            }),
            Nested::Take(key, _) => state.update(at.replica, 0, |map, _| map.remove(&key)),
            Nested::Remove(_) => state.remove(&0),
        };
        Some(delta.state().clone())
    }

    fn view(state: &Self::State) -> Self::View {
        let values = |register: &MvRegister<u8>| {
            let mut values: Vec<u8> = register.values().copied().collect();
            values.sort_unstable();
            values
        };
        state
            .get(&0)
            .into_iter()
            .flat_map(OrMap::iter)
            .map(|(&key, register)| (key, values(register)))
            .collect()
    }

    fn expected(graph: &Graph<Nested>, seen: Events) -> Self::View {
        let values = |key: u8| -> Vec<u8> {
            let is_put = |op: &Nested| matches!(op, Nested::Put(k, _) if *k == key);
            let replaces = |op: &Nested, _: &Nested| match *op {
                Nested::Put(k, _) | Nested::Take(k, _) => k == key,
                Nested::Remove(_) => true,
            };
            maximal(graph, seen, is_put, replaces).into_iter().map(|n| n as u8).collect()
        };
        KEYS.into_iter().map(|key| (key, values(key))).filter(|(_, values)| !values.is_empty()).collect()
    }

    of_ours!(causal);
}

/// A map of counters, reset by removing their keys.
pub(crate) struct MapsOfCounters;

impl Subject for MapsOfCounters {
    type State = Causal<OrMap<u8, ResetCounter>>;
    type Op = Nested;
    type View = BTreeMap<u8, i128>;

    fn ops() -> Vec<Nested> {
        nested_ops()
    }

    fn apply(state: &mut Self::State, at: At, op: &Nested) -> Option<Self::State> {
        let delta = match *op {
            Nested::Put(key, amount) => {
                state.update(at.replica, key, |counter, dot| counter.add(dot, i64::from(amount) + 1))
            }
            Nested::Take(key, _) => state.update(at.replica, key, |counter, _| counter.reset()),
            Nested::Remove(key) => state.remove(&key),
        };
        Some(delta.state().clone())
    }

    fn view(state: &Self::State) -> Self::View {
        state.iter().map(|(&key, counter)| (key, counter.value())).collect()
    }

    fn expected(graph: &Graph<Nested>, seen: Events) -> Self::View {
        let value = |key: u8| {
            let is_put = |op: &Nested| matches!(op, Nested::Put(k, _) if *k == key);
            let removes = |op: &Nested, _: &Nested| {
                *op == Nested::Remove(key) || matches!(op, Nested::Take(k, _) if *k == key)
            };
            let left = maximal(graph, seen, is_put, removes);
            let amount = |n: usize| match graph.events[n].op {
                Some(Nested::Put(_, amount)) => i128::from(amount) + 1,
                Some(Nested::Take(..) | Nested::Remove(_)) | None => 0,
            };
            (!left.is_empty()).then(|| (key, left.into_iter().map(amount).sum()))
        };
        KEYS.into_iter().filter_map(value).collect()
    }

    of_ours!(causal);
}
