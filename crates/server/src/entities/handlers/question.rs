//! What a handler is asked.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use syncline_core::{
    entity::{ActorName, Actors, Record, UserName},
    id::TenantName,
};
use syncline_protocol::{
    ledger::{PushOp, Verdict},
    wire::sync_v1::HandlerQuestion,
};

/// Judges the ops of a type before they take effect.
///
/// It is asked at least once about each op that would change a record, and again if the op comes again, or the record has changed
/// meanwhile: a handler that does something else besides does it once for each device and number of an op.
pub trait PushHandler: fmt::Debug + Send + Sync {
    /// Says what is to become of an op. The future is dropped when the time is up that the type gives its handler, or 5 s; if
    /// it panics the handler is not available.
    fn judge<'a>(&'a self, question: &'a PushQuestion) -> BoxFuture<'a, Verdict>;
}

/// A question to a handler.
#[derive(Debug)]
#[non_exhaustive]
pub struct PushQuestion {
    /// Whose record it is about.
    pub tenant: TenantName,
    /// Who has been authenticated.
    pub user: UserName,
    /// The device that the op is from.
    pub device: ActorName,
    /// The op, with its entities by the ids that they have at the server.
    pub op: PushOp,
    /// The record that it meets.
    pub server: Option<Record>,
    /// The actors by number.
    pub actors: Arc<Actors>,
}

impl PushQuestion {
    /// Returns the question as handlers are asked it over HTTP, in JSON.
    #[must_use]
    pub fn body(&self) -> String {
        let Self { tenant, user, device, op, server, actors } = self;
        let tenant = tenant.as_str();
        HandlerQuestion { tenant, user, device, op, server: server.as_ref() }.body(actors)
    }
}
