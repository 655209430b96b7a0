//! How fast someone may go on. Time is an argument.
//!
//! Whoever finds a bucket not empty may go on, whatever that costs: what is more than the bucket holds is a debt, which time pays
//! before anything else is let through. So no message is too large ever to come, and over any time nobody gets more than the burst,
//! what the time brings, and one message.

mod bucket;
mod meter;
mod meters;

pub use self::{
    bucket::{Rate, TokenBucket},
    meter::{Allowance, Meter},
    meters::Meters,
};
