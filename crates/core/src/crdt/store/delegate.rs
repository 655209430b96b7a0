//! Types that are one store under a name of their own.

/// Makes a type with one field, a store, a store itself: `delegate!(Type<P>, field: Field, [P: Bounds], codec [P: Bounds])`, with the
/// bounds of its codec behind them.
macro_rules! delegate {
    ($name:ty, $field:ident: $inner:ty, [$($bounds:tt)*] $(, codec [$($codec:tt)*])?) => {
        impl<$($bounds)*> DotStore for $name {
            fn join(&mut self, ours: &CausalContext, other: &Self, theirs: &CausalContext, changes: &mut Changes<'_>) {
                self.$field.join(ours, &other.$field, theirs, changes);
            }

            fn is_bottom(&self) -> bool {
                self.$field.is_bottom()
            }

            fn dots(&self, visit: &mut dyn FnMut(Dot)) {
                self.$field.dots(visit);
            }

            fn pick(&self, wanted: &CausalContext) -> Self {
                Self { $field: self.$field.pick(wanted) }
            }

            fn stabilize(&mut self, stability: &Stability, changes: &mut Changes<'_>) {
                self.$field.stabilize(stability, changes);
            }
        }

        impl<$($($codec)*)?> StoreCodec for $name {
            const BYTES_MIN: usize = <$inner as StoreCodec>::BYTES_MIN;

            fn encode(&self, replicas: &Replicas, out: &mut Vec<u8>) {
                self.$field.encode(replicas, out);
            }

            fn decode(replicas: &Replicas, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self { $field: StoreCodec::decode(replicas, reader)? })
            }
        }
    };
}
pub(in crate::crdt) use delegate;
