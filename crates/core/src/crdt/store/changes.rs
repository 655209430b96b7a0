//! What a join did.

use alloc::vec::Vec;

use crate::clock::Dot;

/// The dots that came into a store and that went out of it. Whoever holds the store keeps its index up to date by them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Dots that are there now and were not before.
    pub came: Vec<Dot>,
    /// Dots that were there before and are not now.
    pub went: Vec<Dot>,
}

impl Changes {
    /// Returns how many dots have been reported so far, so that those reported since can be told apart.
    pub(super) const fn mark(&self) -> (usize, usize) {
        (self.came.len(), self.went.len())
    }
}
