//! Types that are wrong on purpose, each in one way in which such types have been wrong before.
//!
//! They are subjects like the right ones. Where a law that they break is not checked, the harness is what is wrong.

pub(crate) mod causal;
pub(crate) mod lattices;
pub(crate) mod registers;
