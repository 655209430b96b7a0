//! Events that each carry a value.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{Change, Changes, DotStore, Nested, Replicas, StoreCodec, within};
use crate::clock::{CausalContext, Dot};
use crate::codec::{Codec, DecodeError, Reader, write_var};

/// A value for each dot.
///
/// Bytes: count, then of each dot, ascending: the dot, its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DotFun<V> {
    values: BTreeMap<Dot, V>,
}

impl<V> Default for DotFun<V> {
    fn default() -> Self {
        Self { values: BTreeMap::new() }
    }
}

impl<V> DotFun<V> {
    pub(crate) fn of(dot: Dot, value: V) -> Self {
        Self { values: BTreeMap::from([(dot, value)]) }
    }

    pub(crate) const fn values(&self) -> &BTreeMap<Dot, V> {
        &self.values
    }
}

impl<V: Clone + PartialEq> DotStore for DotFun<V> {
    fn join(
        &mut self,
        ours: &CausalContext,
        other: &Self,
        theirs: &CausalContext,
        changes: &mut Changes<'_>,
    ) {
        let mut gone = Vec::new();
        within(&self.values, theirs, |dot, _| {
            if !other.values.contains_key(&dot) {
                gone.push(dot);
            }
        });
        for dot in gone {
            self.values.remove(&dot);
            changes(Change::Went(dot));
        }
        for (&dot, value) in &other.values {
            if !ours.contains(dot) && !self.values.contains_key(&dot) {
                self.values.insert(dot, value.clone());
                changes(Change::Came(dot));
            }
        }
    }

    fn is_bottom(&self) -> bool {
        self.values.is_empty()
    }

    fn dots(&self, visit: &mut dyn FnMut(Dot)) {
        self.values.keys().copied().for_each(visit);
    }

    fn pick(&self, wanted: &CausalContext) -> Self {
        let mut values = BTreeMap::new();
        within(&self.values, wanted, |dot, value| {
            values.insert(dot, value.clone());
        });
        Self { values }
    }
}

impl<V: Clone + PartialEq> Nested for DotFun<V> {}

impl<V: Clone + PartialEq + Codec> StoreCodec for DotFun<V> {
    const BYTES_MIN: usize = 1;

    fn encode(&self, replicas: &Replicas, out: &mut Vec<u8>) {
        write_var(self.values.len() as u64, out);
        for (&dot, value) in &self.values {
            replicas.encode(dot, out);
            value.encode(out);
        }
    }

    fn decode(replicas: &Replicas, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut values = BTreeMap::new();
        for _ in 0..reader.count(2 + V::BYTES_MIN)? {
            let dot = replicas.decode(reader)?;
            if values.last_key_value().is_some_and(|(&last, _)| last >= dot) {
                return Err(DecodeError::Order { at: reader.at() });
            }
            values.insert(dot, V::decode(reader)?);
        }
        Ok(Self { values })
    }
}
