//! Bodies in, values or refusals out.

mod answers;
mod bad;
mod good;
mod handlers;
