//! Decoding allocates no more than a multiple of what it is given, whatever that declares.
//!
//! The counter is for the whole process, so this binary has one test.

use syncline_core::clock::{CausalContext, ReplicaId, VectorClock};
use syncline_core::codec::Wire;
use syncline_core::crdt::{
    BoundedCounter, Causal, CausalLengthSet, Delta, GCounter, LwwMap, MvRegister, OrMap, OrSet, Rga, RwSet,
};

#[global_allocator]
static HEAP: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// Bytes of memory for each byte given. The worst are elements of one byte, each held twice in a tree.
const BYTES_PER_BYTE_MAX: usize = 160;
/// Bytes of memory that even an empty input may take.
const BYTES_FREE: usize = 4 << 10;

type Nested = Causal<OrMap<u8, OrMap<u8, OrSet<u8>>>>;

#[test]
fn decoding_allocates_a_multiple_of_its_input() {
    let mut samples = Samples { bytes: Vec::new(), state: 7 };
    samples.of_states();
    samples.of_lies();
    for bytes in &samples.bytes {
        check::<VectorClock>(bytes);
        check::<CausalContext>(bytes);
        check::<GCounter>(bytes);
        check::<BoundedCounter>(bytes);
        check::<CausalLengthSet<u8>>(bytes);
        check::<Causal<OrSet<u8>>>(bytes);
        check::<Causal<OrSet<String>>>(bytes);
        check::<Causal<RwSet<u8>>>(bytes);
        check::<Causal<MvRegister<Vec<u64>>>>(bytes);
        check::<Causal<LwwMap<u8, u8>>>(bytes);
        check::<Nested>(bytes);
        check::<Causal<Rga<u8>>>(bytes);
        check::<Delta<Causal<Rga<u8>>>>(bytes);
    }
}

fn check<T: Wire>(bytes: &[u8]) {
    let mut tagged = vec![1];
    T::write_tag(&mut tagged);
    tagged.extend_from_slice(bytes);
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let is_read = T::from_bytes(&tagged).is_ok();
    let used = HEAP.peak_usage().saturating_sub(before);
    let most = BYTES_FREE + BYTES_PER_BYTE_MAX * tagged.len();
    let name = std::any::type_name::<T>();
    assert!(used <= most, "{name}: {used} bytes for {} (read: {is_read}), at most {most}", tagged.len());
}

struct Samples {
    bytes: Vec<Vec<u8>>,
    state: u64,
}

impl Samples {
    /// States of many small entries, as they are.
    fn of_states(&mut self) {
        let (mut set, mut list, mut nested) =
            (Causal::<OrSet<u8>>::new(), Causal::<Rga<u8>>::new(), Nested::new());
        let mut counter = GCounter::default();
        for n in 0..2000_u64 {
            let replica = ReplicaId(n % 3);
            let _ = set.add(replica, n as u8);
            let _ = list.insert(replica, 0, n as u8);
            let inner =
                |map: &OrMap<u8, OrSet<u8>>, dot| map.update(dot, n as u8, |set, dot| set.add(dot, 1));
            let _ = nested.update(replica, (n / 8) as u8, inner);
            let _ = counter.increment(ReplicaId(n), 1);
        }
        let states = [set.to_bytes(), list.to_bytes(), nested.to_bytes(), counter.to_bytes()];
        // Without the header, which each type gets as its own.
        self.bytes.extend(states.iter().flat_map(|bytes| (2..5).map(|header| bytes[header..].to_vec())));
    }

    /// Counts that promise more than there is, in places where counts stand.
    fn of_lies(&mut self) {
        for len in [0_usize, 1, 8, 64, 1024] {
            for _ in 0..64 {
                let mut bytes: Vec<u8> = (0..len).map(|_| self.draw() as u8 % 4).collect();
                let count = [0xff, 0xff, 0xff, 0xff, 0x0f];
                let at = if len == 0 { 0 } else { self.draw() as usize % len };
                bytes.splice(at..at, count);
                self.bytes.push(bytes);
            }
        }
    }

    fn draw(&mut self) -> u64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state >> 33
    }
}
