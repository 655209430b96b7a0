//! Keys with values that only rise.

use alloc::{collections::BTreeMap, vec::Vec};
use core::borrow::Borrow;

use crate::codec::{Codec, DecodeError, Reader, write_var};

/// A value that only rises: of any two, some value stands for both.
pub(crate) trait Rising: Clone + PartialEq {
    /// Becomes what stands for both.
    fn rise(&mut self, other: &Self);
}

/// The larger of two numbers stands for both. Zero is what a key has that is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Maximum(pub(crate) u64);

impl Rising for Maximum {
    fn rise(&mut self, other: &Self) {
        self.0 = self.0.max(other.0);
    }
}

impl Codec for Maximum {
    const BYTES_MIN: usize = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.var()? {
            0 => Err(DecodeError::Range { at: reader.at() }),
            number => Ok(Self(number)),
        }
    }
}

/// A rising value for each key; a key that is absent has the lowest value, which none that is present has.
///
/// Nothing tells when a key came, so there is no digest shorter than the state: a replica says what it has by sending it.
///
/// Bytes: count, then of each key, ascending: the key, its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Points<K, V> {
    values: BTreeMap<K, V>,
}

impl<K, V> Default for Points<K, V> {
    fn default() -> Self {
        Self { values: BTreeMap::new() }
    }
}

impl<K: Clone + Ord, V: Rising + Default> Points<K, V> {
    /// Raises one key to at least `value`.
    pub(crate) fn raise(&mut self, key: K, value: V) {
        if value != V::default() {
            self.values.entry(key).or_default().rise(&value);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (key, value) in &other.values {
            match self.values.get_mut(key) {
                Some(known) => known.rise(value),
                None => {
                    self.values.insert(key.clone(), value.clone());
                }
            }
        }
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.values.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.values.iter()
    }

    /// Returns the keys whose value would rise in `other`, as they are here.
    pub(crate) fn beyond(&self, other: &Self) -> Self {
        let is_beyond = |key: &K, value: &V| {
            other.values.get(key).is_none_or(|known| {
                let mut risen = known.clone();
                risen.rise(value);
                risen != *known
            })
        };
        let beyond = self.values.iter().filter(|(key, value)| is_beyond(key, value));
        Self { values: beyond.map(|(key, value)| (key.clone(), value.clone())).collect() }
    }
}

impl<K: Codec + Ord, V: Codec> Codec for Points<K, V> {
    const BYTES_MIN: usize = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        write_var(self.values.len() as u64, out);
        for (key, value) in &self.values {
            key.encode(out);
            value.encode(out);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut values: BTreeMap<K, V> = BTreeMap::new();
        for _ in 0..reader.count(K::BYTES_MIN + V::BYTES_MIN)? {
            let key = reader.after(values.last_key_value().map(|(last, _)| last))?;
            values.insert(key, V::decode(reader)?);
        }
        Ok(Self { values })
    }
}
