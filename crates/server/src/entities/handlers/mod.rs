//! Push handlers: who judges ops before they take effect.
//!
//! * [`PushHandler`]: one of them, in the program that embeds the server;
//! * `web`: one that is asked over HTTP; `target`: where it may be;
//! * `gate`: how long and how often a handler is asked; `breaker`: when it is left in peace.
//!
//! Invariants:
//! * each question gets one verdict, whatever a handler does: without an answer in time that is that it is not available;
//! * nobody who may only declare types has this server ask a machine of its own network, unless it serves nobody else.

mod breaker;
mod gate;
mod question;
mod target;
#[cfg(test)]
mod tests;
mod web;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use syncline_core::{
    entity::{EntityType, Handler, TypeName},
    limits::RETRY_AFTER_MS,
};
use syncline_protocol::ledger::Verdict;

pub use self::question::{PushHandler, PushQuestion};
pub(crate) use self::target::HandlerError;
use self::{gate::Gate, target::Target, web::WebHandler};
use crate::{clock::Clock, config::Config};

/// The handlers of all types.
#[derive(Debug)]
pub(crate) struct Handlers {
    clock: Clock,
    /// Those of the program, by type.
    own: BTreeMap<TypeName, Arc<dyn PushHandler>>,
    /// The addresses that the operator has declared.
    declared: BTreeMap<TypeName, String>,
    /// Whether nobody but this machine declares types.
    is_local: bool,
    /// By type.
    gates: Mutex<BTreeMap<TypeName, Arc<Gate>>>,
}

impl Handlers {
    pub(crate) fn new(config: &Config, clock: Clock) -> Self {
        let declared =
            config.types.iter().filter_map(|ty| Some((ty.name.clone(), ty.handler.as_ref()?.url.clone())));
        Self {
            clock,
            own: config.handlers.clone(),
            declared: declared.collect(),
            is_local: config.listen.ip().is_loopback(),
            gates: Mutex::default(),
        }
    }

    /// Returns the types that have a handler of the program.
    pub(crate) fn own(&self) -> BTreeSet<TypeName> {
        self.own.keys().cloned().collect()
    }

    /// Checks that the handler of a type can be asked, before the type is declared.
    pub(crate) fn check(&self, ty: &EntityType) -> Result<(), HandlerError> {
        match &ty.handler {
            Some(handler) if !self.own.contains_key(&ty.name) => {
                self.target(&ty.name, handler)?.check_literal()
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Asks the handler of a type, whose own setting is `named`.
    pub(crate) async fn judge(
        self: Arc<Self>,
        kind: TypeName,
        named: Option<Handler>,
        question: PushQuestion,
    ) -> Verdict {
        match self.gate(&kind, named) {
            Ok(gate) => gate.judge(self.clock, &question).await,
            Err(error) => {
                tracing::warn!(%kind, %error, "a handler cannot be asked");
                Verdict::Unavailable { retry_after_ms: RETRY_AFTER_MS }
            }
        }
    }

    fn gate(&self, kind: &TypeName, named: Option<Handler>) -> Result<Arc<Gate>, HandlerError> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get(kind).filter(|gate| gate.named() == named.as_ref()) {
            return Ok(Arc::clone(gate));
        }
        let handler: Arc<dyn PushHandler> = match (self.own.get(kind), &named) {
            (Some(own), _) => Arc::clone(own),
            (None, Some(handler)) => {
                let target = self.target(kind, handler)?;
                Arc::new(WebHandler::new(target, handler.secret.clone(), self.clock))
            }
            // The type was changed while the question waited.
            (None, None) => return Err(HandlerError::Gone),
        };
        let gate = Arc::new(Gate::new(kind.clone(), named, handler));
        gates.insert(kind.clone(), Arc::clone(&gate));
        Ok(gate)
    }

    fn target(&self, kind: &TypeName, handler: &Handler) -> Result<Target, HandlerError> {
        let is_trusted = self.is_local || self.declared.get(kind) == Some(&handler.url);
        Target::parse(&handler.url, is_trusted)
    }
}
