//! Requests that the server makes: where they may go, whose certificates it trusts, and how long it waits and reads.

mod exchange;
mod target;
mod trust;

pub(crate) use self::{
    exchange::{ExchangeError, exchange},
    target::{Target, TargetError},
    trust::Trust,
};
