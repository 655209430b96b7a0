//! What a join did.

use crate::clock::Dot;

/// A dot that came into a store or went out of it. Whoever holds the store keeps its index up to date by these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The dot is there now and was not before.
    Came(Dot),
    /// The dot was there before and is not now.
    Went(Dot),
}

/// Is told of each change, when it has been made.
pub type Changes<'a> = dyn FnMut(Change) + 'a;
