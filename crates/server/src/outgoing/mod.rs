//! Requests that the server makes: where they may go, whose certificates it trusts, and how long it waits and reads.
//!
//! * [`Gate`]: how long and how often somebody is asked; `breaker`: when they are left in peace;
//! * [`Web`]: whoever is asked a question in JSON; [`exchange`], [`tell`]: any request;
//! * [`Target`]: where requests may go.

mod breaker;
mod exchange;
mod gate;
mod target;
mod trust;
mod web;

pub(crate) use self::{
    exchange::{ExchangeError, Told, exchange, tell},
    gate::{Gate, NoAnswer},
    target::{Target, TargetError},
    trust::Trust,
    web::Web,
};
