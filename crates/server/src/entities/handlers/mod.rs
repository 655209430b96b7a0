//! Push handlers: who judges ops before they take effect.
//!
//! * [`PushHandler`]: one of them, in the program that embeds the server;
//! * `judge`: a handler and what stands before it; `suggester`: the same of who is asked about conflicts;
//! * `web`: those that are asked over HTTP.
//!
//! How long and how often somebody is asked is [`outgoing`](crate::outgoing)'s.
//!
//! Invariants:
//! * each question gets one verdict, whatever a handler does: without an answer in time that is that it is not available;
//! * nobody who may only declare types has this server ask a machine of its own network, unless it serves nobody else.

mod judge;
mod question;
mod suggester;
#[cfg(test)]
mod tests;
mod web;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use syncline_core::{
    entity::{EntityType, Handler, TypeName},
    id::TenantName,
    limits::RETRY_AFTER_MS,
};
use syncline_protocol::ledger::{Proposal, Verdict};

pub use self::question::{PushHandler, PushQuestion};
pub(crate) use self::suggester::SuggestError;
use self::{judge::Judge, suggester::Suggester, web::WebHandler};
use crate::{
    clock::Clock,
    config::Config,
    outgoing::{Target, TargetError, Trust, Web},
};

/// Why a handler cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum HandlerError {
    /// Nothing is sent to its address. Whoever declares its type is at fault.
    #[error("the handler cannot be asked: {0}")]
    Target(#[from] TargetError),
    /// The type has none any more.
    #[error("the type has no handler any more")]
    Gone,
}

/// A type of a tenant, or all those that name nobody.
type AnyType = (TenantName, Option<TypeName>);

/// The handlers of all types.
#[derive(Debug)]
pub(crate) struct Handlers {
    clock: Clock,
    trust: Trust,
    /// Those of the program, by type.
    own: BTreeMap<TypeName, Arc<dyn PushHandler>>,
    /// The addresses that the operator has declared.
    declared: BTreeSet<(TypeName, String)>,
    /// Who is asked about conflicts of types that say nobody.
    suggest: Option<Handler>,
    /// Whether nobody but this machine declares types of the default tenant.
    is_local: bool,
    /// By tenant and type.
    judges: Mutex<BTreeMap<(TenantName, TypeName), Arc<Judge>>>,
    /// By tenant and type; that of all other types of a tenant is under none.
    suggesters: Mutex<BTreeMap<AnyType, Arc<Suggester>>>,
}

impl Handlers {
    pub(crate) fn new(config: &Config, trust: Trust, clock: Clock) -> Self {
        let declared = config.types.iter().flat_map(|ty| {
            let named = ty.handler.iter().chain(&ty.suggest);
            named.map(|handler| (ty.name.clone(), handler.url.clone()))
        });
        Self {
            clock,
            trust,
            own: config.handlers.clone(),
            declared: declared.collect(),
            is_local: config.listen.ip().is_loopback(),
            suggest: config.suggest.clone(),
            judges: Mutex::default(),
            suggesters: Mutex::default(),
        }
    }

    /// Returns the types that have a handler of the program.
    pub(crate) fn own(&self) -> BTreeSet<TypeName> {
        self.own.keys().cloned().collect()
    }

    /// Checks that whoever a type names can be asked, before the type is declared.
    pub(crate) fn check(&self, tenant: &TenantName, ty: &EntityType) -> Result<(), HandlerError> {
        let handler = ty.handler.iter().filter(|_| !self.own.contains_key(&ty.name));
        let mut named = handler.chain(&ty.suggest);
        named.try_for_each(|named| Ok(self.target(tenant, &ty.name, named)?.check_literal()?))
    }

    /// Checks that whoever the server names can be asked.
    pub(crate) fn check_server(&self) -> Result<(), HandlerError> {
        if let Some(named) = &self.suggest {
            Target::parse(&named.url, true)?;
        }
        Ok(())
    }

    /// Asks what to make of a conflict of a type, whose own setting is `named`.
    pub(crate) async fn suggest(
        &self,
        tenant: &TenantName,
        kind: &TypeName,
        named: Option<Handler>,
        body: String,
    ) -> Result<Option<Proposal>, SuggestError> {
        let suggester = self.suggester(tenant, kind, named).map_err(|error| {
            tracing::warn!(%kind, %error, "nobody can be asked about a conflict");
            SuggestError::Nobody
        })?;
        suggester.ok_or(SuggestError::Nobody)?.suggest(self.clock, body).await
    }

    /// Asks the handler of a type, whose own setting is `named`.
    pub(crate) async fn judge(
        self: Arc<Self>,
        kind: TypeName,
        named: Option<Handler>,
        question: PushQuestion,
    ) -> Verdict {
        match self.judge_of(&question.tenant, &kind, named) {
            Ok(judge) => judge.judge(self.clock, &question).await,
            Err(error) => {
                tracing::warn!(%kind, %error, "a handler cannot be asked");
                Verdict::Unavailable { retry_after_ms: RETRY_AFTER_MS }
            }
        }
    }

    fn judge_of(
        &self,
        tenant: &TenantName,
        kind: &TypeName,
        named: Option<Handler>,
    ) -> Result<Arc<Judge>, HandlerError> {
        let place = (tenant.clone(), kind.clone());
        let mut judges = self.judges.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(judge) = judges.get(&place).filter(|judge| judge.named() == named.as_ref()) {
            return Ok(Arc::clone(judge));
        }
        let handler: Arc<dyn PushHandler> = match (self.own.get(kind), &named) {
            (Some(own), _) => Arc::clone(own),
            (None, Some(handler)) => {
                let target = self.target(tenant, kind, handler)?;
                Arc::new(WebHandler(Web::new(target, self.trust.clone(), handler.secret.clone(), self.clock)))
            }
            // The type was changed while the question waited.
            (None, None) => return Err(HandlerError::Gone),
        };
        let judge = Arc::new(Judge::new(kind.clone(), named, handler));
        judges.insert(place, Arc::clone(&judge));
        Ok(judge)
    }

    /// Returns whom to ask about conflicts of a type: whom it names, or else whom the server does.
    fn suggester(
        &self,
        tenant: &TenantName,
        kind: &TypeName,
        named: Option<Handler>,
    ) -> Result<Option<Arc<Suggester>>, HandlerError> {
        let (name, named, target) = match (named, &self.suggest) {
            (Some(named), _) => {
                let target = self.target(tenant, kind, &named)?;
                (Some(kind.clone()), named, target)
            }
            (None, Some(named)) => (None, named.clone(), Target::parse(&named.url, true)?),
            (None, None) => return Ok(None),
        };
        let mut suggesters = self.suggesters.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (tenant.clone(), name.clone());
        if let Some(known) = suggesters.get(&place).filter(|known| *known.named() == named) {
            return Ok(Some(Arc::clone(known)));
        }
        let web = Web::new(target, self.trust.clone(), named.secret.clone(), self.clock);
        let suggester = Arc::new(Suggester::new(name, named, web));
        suggesters.insert(place, Arc::clone(&suggester));
        Ok(Some(suggester))
    }

    /// Returns where somebody is asked. Whoever administers another tenant than the default one is not who runs the server, from
    /// wherever they ask.
    fn target(
        &self,
        tenant: &TenantName,
        kind: &TypeName,
        handler: &Handler,
    ) -> Result<Target, HandlerError> {
        let is_own = self.is_local && tenant.is_default();
        let is_trusted = is_own || self.declared.contains(&(kind.clone(), handler.url.clone()));
        Ok(Target::parse(&handler.url, is_trusted)?)
    }
}
