//! A register that keeps the latest write.

use alloc::vec::Vec;

use crate::clock::Timestamp;
use crate::codec::{Codec, DecodeError, Reader, Wire};
use crate::crdt::{Crdt, Delta, DeltaCrdt};

/// A register that keeps the write with the greatest stamp and forgets all others.
///
/// | Ann | Bob, at the same time | both, after merging |
/// | --- | --- | --- |
/// | "red" at 10:00 | "blue" at 10:01 | "blue"; Ann's write is lost, also if her clock was slow |
/// | "red" at 10:00 | "blue" at 10:00 | that of the replica with the greater id |
///
/// Stamps come from a [`HybridClock`](crate::clock::HybridClock), and each belongs to one write. Should two writes
/// have one stamp against that rule, the greater value stays.
///
/// | operation | cost |
/// | --- | --- |
/// | all | that of copying the value |
///
/// *Not for* values that people would miss ([`MvRegister`](super::MvRegister) keeps both), and not nested in an
/// [`OrMap`](crate::crdt::OrMap): removing the later of two writes would have to bring back the earlier, which is
/// forgotten ([`LwwMap`](crate::crdt::LwwMap) is the map of such registers).
///
/// (P. Johnson, R. Thomas, "The maintenance of duplicate databases", RFC 677, 1975; M. Shapiro et al., "A comprehensive
/// study of convergent and commutative replicated data types", 2011, specification 8.)
///
/// Bytes: an option of the stamp and the value.
///
/// # Examples
///
/// ```
/// use syncline_core::clock::{HybridTime, ReplicaId, Timestamp};
/// use syncline_core::crdt::{Crdt, LwwRegister};
/// use syncline_core::time::WallMs;
///
/// let at = |ms, replica| Timestamp::new(HybridTime::new(WallMs(ms), 0), ReplicaId(replica));
/// let (mut ann, mut bob) = (LwwRegister::default(), LwwRegister::default());
/// let _ = ann.set(at(1000, 1), "red");
/// let _ = bob.set(at(1001, 2), "blue");
/// ann.merge(&bob);
/// assert_eq!(ann.get(), Some(&"blue"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LwwRegister<V> {
    latest: Option<(Timestamp, V)>,
}

impl<V> Default for LwwRegister<V> {
    fn default() -> Self {
        Self { latest: None }
    }
}

impl<V: Clone + Ord> LwwRegister<V> {
    /// Writes `value`. If the register holds a write with a greater stamp, that one stays.
    pub fn set(&mut self, stamp: Timestamp, value: V) -> Delta<Self> {
        let written = Self { latest: Some((stamp, value)) };
        self.merge(&written);
        Delta::of(written)
    }

    /// Returns the value, or none if nothing was ever written.
    #[must_use]
    pub fn get(&self) -> Option<&V> {
        self.latest.as_ref().map(|(_, value)| value)
    }

    /// Returns the stamp of the value.
    #[must_use]
    pub fn stamp(&self) -> Option<Timestamp> {
        self.latest.as_ref().map(|&(stamp, _)| stamp)
    }
}

impl<V: Clone + Ord> Crdt for LwwRegister<V> {
    fn merge(&mut self, other: &Self) {
        // None is less than any write; the value decides only between equal stamps.
        if self.latest < other.latest {
            self.latest.clone_from(&other.latest);
        }
    }
}

impl<V: Clone + Ord> DeltaCrdt for LwwRegister<V> {
    type Digest = Option<Timestamp>;

    fn digest(&self) -> Option<Timestamp> {
        self.stamp()
    }

    fn delta_since(&self, digest: &Option<Timestamp>) -> Delta<Self> {
        Delta::of(if self.stamp() > *digest { self.clone() } else { Self::default() })
    }
}

impl<V: Codec> Codec for LwwRegister<V> {
    const BYTES_MIN: usize = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        self.latest.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { latest: Option::decode(reader)? })
    }
}

impl<V: Codec> Wire for LwwRegister<V> {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x20);
    }
}
