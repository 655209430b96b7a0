//! Sets.

mod causal_length;
mod grow;
mod lww_element;
mod or_set;
mod rw_set;
mod two_phase;

pub use causal_length::CausalLengthSet;
pub use grow::GSet;
pub use lww_element::{AddBias, Bias, LwwElementSet, RemoveBias};
pub use or_set::OrSet;
pub use rw_set::RwSet;
pub use two_phase::TwoPhaseSet;

/// Makes a set that is one [`Points`](crate::crdt::points::Points) merge, tell what it has, and be written.
macro_rules! points_set {
    ($name:ident<E $(, $bias:ident: $bound:path)?>, $field:ident, $tag:literal) => {
        impl<E: Clone + Ord $(, $bias: $bound)?> Crdt for $name<E $(, $bias)?> {
            fn merge(&mut self, other: &Self) {
                self.$field.merge(&other.$field);
            }
        }

        impl<E: Clone + core::fmt::Debug + Ord $(, $bias: $bound)?> DeltaCrdt for $name<E $(, $bias)?> {
            /// The whole state. Hashes of ranges would be shorter, but what differs under equal hashes would never be sent.
            type Digest = Self;

            fn digest(&self) -> Self {
                self.clone()
            }

            fn delta_since(&self, digest: &Self) -> Delta<Self> {
                let mut delta = Self::default();
                delta.$field = self.$field.beyond(&digest.$field);
                Delta::of(delta)
            }
        }

        impl<E: Codec + Ord $(, $bias: $bound)?> Codec for $name<E $(, $bias)?> {
            const BYTES_MIN: usize = 1;

            fn encode(&self, out: &mut Vec<u8>) {
                self.$field.encode(out);
            }

            fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let mut set = Self::default();
                set.$field = Points::decode(reader)?;
                Ok(set)
            }
        }

        impl<E: Codec + Ord $(, $bias: $bound)?> Wire for $name<E $(, $bias)?> {
            fn write_tag(out: &mut Vec<u8>) {
                out.push($tag);
                $($bias::write_tag(out);)?
            }
        }

        impl<E $(, $bias)?> Default for $name<E $(, $bias)?> {
            fn default() -> Self {
                Self { $field: Points::default() $(, bias: core::marker::PhantomData::<$bias>)? }
            }
        }
    };
}
use points_set;
