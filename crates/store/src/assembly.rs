//! Puts the chunks of records together again, in one pass over keys in order.

use bytes::Bytes;

use crate::{
    envelope::{self, Header, RecordFault},
    key::Key,
};

/// One record, or what is left of one, after the last of its keys.
#[derive(Debug)]
pub(crate) struct Finished<P> {
    /// Its place.
    pub(crate) place: P,
    /// What it is.
    pub(crate) outcome: Outcome,
}

/// What the keys of one record amount to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A whole record whose checksums match, and how many of the chunks met no head claims.
    Whole {
        /// What was written.
        payload: Bytes,
        /// Chunks beyond those that the head counts: left by an interrupted write.
        surplus: u64,
    },
    /// Chunks without a head: left by an interrupted write or deletion.
    Garbage {
        /// How many.
        chunks: u64,
    },
    /// A head whose record cannot be had.
    Faulty(RecordFault),
}

/// Takes the keys of records one by one, in order, and gives each record back when the next one begins. `P` is what the
/// keys of one record have in common.
#[derive(Debug)]
pub(crate) struct Assembly<P> {
    open: Option<Open<P>>,
}

#[derive(Debug)]
struct Open<P> {
    place: P,
    head: Option<Head>,
    surplus: u64,
    fault: Option<RecordFault>,
}

#[derive(Debug)]
struct Head {
    key: Key,
    header: Header,
    payload: Vec<u8>,
    chunks_seen: u16,
}

impl<P> Default for Assembly<P> {
    fn default() -> Self {
        Self { open: None }
    }
}

impl<P: PartialEq> Assembly<P> {
    /// Takes the next key; returns the record before it, if `key` is not part of that.
    pub(crate) fn push(&mut self, key: &Key, place: P, chunk: u16, value: Vec<u8>) -> Option<Finished<P>> {
        let finished = match &self.open {
            Some(open) if open.place == place => None,
            _ => self.finish(),
        };
        let open = self.open.get_or_insert(Open { place, head: None, surplus: 0, fault: None });
        open.take(key, chunk, value);
        finished
    }

    /// Returns the last record.
    pub(crate) fn finish(&mut self) -> Option<Finished<P>> {
        let Open { place, head, surplus, fault } = self.open.take()?;
        let outcome = match (fault, head) {
            (Some(fault), _) => Outcome::Faulty(fault),
            (None, None) => Outcome::Garbage { chunks: surplus },
            (None, Some(head)) => head.whole(surplus),
        };
        Some(Finished { place, outcome })
    }
}

impl<P> Open<P> {
    fn take(&mut self, key: &Key, chunk: u16, value: Vec<u8>) {
        if self.fault.is_some() {
            return;
        }
        if chunk == 0 {
            self.take_head(key, value);
            return;
        }
        let Some(head) = self.head.as_mut().filter(|head| chunk <= head.header.chunks()) else {
            self.surplus += 1;
            return;
        };
        match head.take_chunk(key, chunk, &value) {
            Ok(()) => {}
            Err(fault) => self.fault = Some(fault),
        }
    }

    fn take_head(&mut self, key: &Key, mut value: Vec<u8>) {
        match envelope::open(key, &value) {
            Ok((header, _)) => {
                let payload =
                    if header.chunks() == 0 { value.split_off(envelope::HEADER_BYTES) } else { Vec::new() };
                self.head = Some(Head { key: key.clone(), header, payload, chunks_seen: 0 });
            }
            Err(fault) => self.fault = Some(fault),
        }
    }
}

impl Head {
    /// Memory grows with the chunks that are there, never with what the head claims.
    fn take_chunk(&mut self, key: &Key, chunk: u16, value: &[u8]) -> Result<(), RecordFault> {
        let next = self.chunks_seen + 1;
        if chunk != next {
            return Err(RecordFault::ChunkMissing { chunk: next });
        }
        self.payload.extend_from_slice(envelope::open_one(key, value)?);
        self.chunks_seen = chunk;
        Ok(())
    }

    fn whole(self, surplus: u64) -> Outcome {
        if self.chunks_seen < self.header.chunks() {
            return Outcome::Faulty(RecordFault::ChunkMissing { chunk: self.chunks_seen + 1 });
        }
        // An inline payload was checked when its head was opened.
        if self.header.chunks() > 0
            && let Err(fault) = self.header.check_whole(&self.key, &self.payload)
        {
            return Outcome::Faulty(fault);
        }
        Outcome::Whole { payload: self.payload.into(), surplus }
    }
}
