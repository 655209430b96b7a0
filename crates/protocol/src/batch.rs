//! What a room sends: frames that are encoded once and shared by everyone they go to.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use syncline_core::id::CommitNumber;

use crate::wire::hocuspocus::addressed;

/// One message to a client, in the bytes of the y-websocket dialect.
pub type Frame = Bytes;

/// Frames that leave together, in this order.
#[derive(Debug)]
pub struct Batch {
    frames: Vec<Frame>,
    bytes: usize,
    upto: CommitNumber,
    /// The same with an address before each frame: nearly all who want one want this.
    addressed: OnceLock<(Bytes, Arc<Batch>)>,
}

impl PartialEq for Batch {
    fn eq(&self, other: &Self) -> bool {
        self.frames == other.frames && self.upto == other.upto
    }
}

impl Eq for Batch {}

impl Batch {
    /// Builds a batch after which its receiver has everything up to the commit `upto`.
    #[must_use]
    pub fn new(upto: CommitNumber, frames: Vec<Frame>) -> Arc<Self> {
        let bytes = frames.iter().map(Bytes::len).sum();
        Arc::new(Self { frames, bytes, upto, addressed: OnceLock::new() })
    }

    /// Returns the frames, in the order in which they must be written.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Returns the batch with `address` before each frame, for the Hocuspocus dialect. It is made once for everyone who
    /// uses the address that was asked for first.
    #[must_use]
    pub fn addressed(&self, address: &Bytes) -> Arc<Self> {
        let make = || {
            let frames = self.frames.iter().map(|frame| addressed(address, frame)).collect();
            Self::new(self.upto, frames)
        };
        let (first, batch) = self.addressed.get_or_init(|| (address.clone(), make()));
        if first == address { Arc::clone(batch) } else { make() }
    }

    /// Returns the length of all frames, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the last commit that the batch rests on.
    #[must_use]
    pub fn upto(&self) -> CommitNumber {
        self.upto
    }
}
