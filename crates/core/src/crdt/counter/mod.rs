//! Counters.

mod bounded;
mod grow;
mod pn;
mod reset;

pub use bounded::{BoundedCounter, RightsError};
pub use grow::GCounter;
pub use pn::PnCounter;
pub use reset::ResetCounter;
