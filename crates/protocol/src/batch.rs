//! What a room sends: frames that are encoded once and shared by everyone they go to.

use std::sync::Arc;

use bytes::Bytes;
use syncline_core::id::CommitNumber;

/// One message to a client, in the bytes of the y-websocket dialect.
pub type Frame = Bytes;

/// Frames that leave together, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    frames: Vec<Frame>,
    bytes: usize,
    upto: CommitNumber,
}

impl Batch {
    /// Builds a batch after which its receiver has everything up to the commit `upto`.
    #[must_use]
    pub fn new(upto: CommitNumber, frames: Vec<Frame>) -> Arc<Self> {
        let bytes = frames.iter().map(Bytes::len).sum();
        Arc::new(Self { frames, bytes, upto })
    }

    /// Returns the frames, in the order in which they must be written.
    #[must_use]
    pub fn frames(&self) -> &[Frame] {
        &self.frames
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
