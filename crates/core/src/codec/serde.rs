//! States in the formats of serde: their canonical bytes as one byte string.

use alloc::vec::Vec;
use core::{fmt, marker::PhantomData};

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::{Codec, Wire};
use crate::clock::{CausalContext, VectorClock};
use crate::crdt::store::{DotStore, StoreWire};
use crate::crdt::{
    Bias, BoundedCounter, Causal, CausalDigest, CausalLengthSet, Delta, GCounter, GSet, LwwElementSet,
    LwwRegister, PnCounter, TwoPhaseSet,
};

macro_rules! as_bytes {
    ($([$($bounds:tt)*] $name:ty),* $(,)?) => {$(
        impl<$($bounds)*> Serialize for $name {
            fn serialize<Z: Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
                serializer.serialize_bytes(&self.to_bytes())
            }
        }

        impl<'de, $($bounds)*> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_bytes(Bytes(PhantomData))
            }
        }
    )*};
}

as_bytes! {
    [] VectorClock,
    [] CausalContext,
    [] CausalDigest,
    [] GCounter,
    [] PnCounter,
    [] BoundedCounter,
    [V: Codec] LwwRegister<V>,
    [E: Codec + Ord] GSet<E>,
    [E: Codec + Ord] TwoPhaseSet<E>,
    [E: Codec + Ord] CausalLengthSet<E>,
    [E: Codec + Ord, B: Bias] LwwElementSet<E, B>,
    [S: DotStore + StoreWire] Causal<S>,
    [T: Wire] Delta<T>,
}

struct Bytes<T>(PhantomData<T>);

impl<'de, T: Wire> Visitor<'de> for Bytes<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the canonical bytes of a replicated type")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<T, E> {
        T::from_bytes(bytes).map_err(E::custom)
    }

    // Formats without byte strings, such as JSON, write them as sequences.
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = items.next_element()? {
            bytes.push(byte);
        }
        self.visit_bytes(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ReplicaId;
    use crate::crdt::OrSet;

    #[test]
    fn what_serde_writes_is_checked_when_it_is_read() {
        let mut set = Causal::<OrSet<u8>>::new();
        let delta = set.add(ReplicaId(1), 7);
        let json = serde_json::to_string(&(&set, &delta)).expect("bytes are written");
        let read: (Causal<OrSet<u8>>, Delta<Causal<OrSet<u8>>>) =
            serde_json::from_str(&json).expect("and read");
        assert_eq!(read, (set, delta));
        let mangled = json.replacen("[1,", "[2,", 1);
        assert!(serde_json::from_str::<(Causal<OrSet<u8>>, Delta<Causal<OrSet<u8>>>)>(&mangled).is_err());
    }
}
