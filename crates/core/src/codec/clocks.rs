//! The bytes of clocks.

use alloc::vec::Vec;

use super::{Codec, DecodeError, Reader, Wire, write_var};
use crate::clock::{CausalContext, Dot, HybridTime, ReplicaId, Run, Timestamp, VectorClock};

impl Codec for ReplicaId {
    const BYTES_MIN: usize = 8;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_be_bytes());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.fixed().map(Self)
    }
}

impl Codec for Dot {
    const BYTES_MIN: usize = ReplicaId::BYTES_MIN + 1;

    fn encode(&self, out: &mut Vec<u8>) {
        self.replica.encode(out);
        self.counter.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { replica: ReplicaId::decode(reader)?, counter: decode_counter(reader)? })
    }
}

impl Codec for Timestamp {
    const BYTES_MIN: usize = 8 + ReplicaId::BYTES_MIN;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.time.to_bits().to_be_bytes());
        self.replica.encode(out);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let time = HybridTime::from_bits(reader.fixed()?);
        Ok(Self { time, replica: ReplicaId::decode(reader)? })
    }
}

impl Codec for VectorClock {
    const BYTES_MIN: usize = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        write_var(self.len() as u64, out);
        for (replica, counter) in self.iter() {
            Dot { replica, counter }.encode(out);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut clock = Self::new();
        let mut last = None;
        for _ in 0..reader.count(Dot::BYTES_MIN)? {
            let replica = reader.after(last.as_ref())?;
            clock.push(replica, decode_counter(reader)?);
            last = Some(replica);
        }
        Ok(clock)
    }
}

impl Codec for CausalContext {
    const BYTES_MIN: usize = 1;

    fn encode(&self, out: &mut Vec<u8>) {
        let of_replica = || self.runs().chunk_by(|a, b| a.replica == b.replica);
        write_var(of_replica().count() as u64, out);
        for runs in of_replica() {
            runs[0].replica.encode(out);
            write_var(runs.len() as u64, out);
            let mut free_from = 1;
            for run in runs {
                write_var(run.first - free_from, out);
                write_var(run.last - run.first, out);
                // One event at least is missing behind a run. After the last event of all no run follows.
                free_from = run.last.saturating_add(2);
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut context = Self::new();
        let mut last = None;
        for _ in 0..reader.count(ReplicaId::BYTES_MIN + 3)? {
            let replica = reader.after(last.as_ref())?;
            last = Some(replica);
            let count = reader.count(2)?;
            if count == 0 {
                return Err(DecodeError::Range { at: reader.at() });
            }
            let mut free_from = Some(1_u64);
            for _ in 0..count {
                let (gap, length) = (reader.var()?, reader.var()?);
                let first = free_from.and_then(|from| from.checked_add(gap));
                let ends = first.and_then(|first| Some((first, first.checked_add(length)?)));
                let (first, last) = ends.ok_or(DecodeError::Range { at: reader.at() })?;
                context.push(Run { replica, first, last });
                free_from = last.checked_add(2);
            }
        }
        Ok(context)
    }
}

impl Wire for VectorClock {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x01);
    }
}

impl Wire for CausalContext {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x02);
    }
}

/// As the digest of a register.
impl Wire for Option<Timestamp> {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x04);
    }
}

fn decode_counter(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    match reader.var()? {
        0 => Err(DecodeError::Range { at: reader.at() }),
        counter => Ok(counter),
    }
}
