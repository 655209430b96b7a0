//! What else than what their credential allows someone may do.

use std::sync::Arc;

use syncline_core::{
    access::{Action, Resource},
    entity::TypeName,
};
use syncline_protocol::wire::sync_v1::{Code, Problem};

use super::{Asked, Refusal};
use crate::access::{Again, Check, Undecided};

impl Asked {
    /// Finds out what of this the caller may do, if an application keeps that itself: all that is asked of the identity is
    /// answered by it from then on. About the server as a whole nobody is asked.
    pub(in crate::entities::http) async fn want(
        &mut self,
        checks: impl IntoIterator<Item = Check>,
    ) -> Result<(), Refusal> {
        let known = self.wanted.len();
        self.wanted.extend(checks);
        if known < self.wanted.len() { self.ask_again().await } else { Ok(()) }
    }

    /// Finds out whether the caller may do this with each of some types of entities.
    pub(in crate::entities::http) async fn want_types(
        &mut self,
        action: Action,
        kinds: impl IntoIterator<Item = &TypeName>,
    ) -> Result<(), Refusal> {
        let check = |kind: &TypeName| Check::new(action, Resource::Type(kind.as_str()));
        self.want(kinds.into_iter().map(check).collect::<Vec<_>>()).await
    }

    /// Finds out whether the caller may read the records, or else the conflicts, of each type that there is.
    pub(in crate::entities::http) async fn want_all(
        &mut self,
        resource: impl Fn(&str) -> Resource<'_> + Send + 'static,
    ) -> Result<(), Refusal> {
        if !self.shared.gate.asks_webhook() {
            return Ok(());
        }
        let checks = self.look(move |ledger| {
            let check = |name: &TypeName| Check::new(Action::Read, resource(name.as_str()));
            ledger.types().map(|ty| check(&ty.name)).collect::<Vec<_>>()
        });
        let checks = checks.await?;
        self.want(checks).await
    }

    /// Finds out whether the caller may read scopes, by their names or by their types.
    pub(in crate::entities::http) async fn want_scopes(
        &mut self,
        names: Vec<TypeName>,
    ) -> Result<(), Refusal> {
        if !self.shared.gate.asks_webhook() {
            return Ok(());
        }
        let checks = self.look(move |ledger| {
            let mut checks = Vec::new();
            for name in names {
                checks.push(Check::new(Action::Read, Resource::Scope(name.as_str())));
                let defined = ledger.scopes().find(|(known, _)| **known == name);
                let kinds = defined.map_or_else(|| [name].into(), |(_, scope)| scope.types.clone());
                let read = |kind: &TypeName| Check::new(Action::Read, Resource::Type(kind.as_str()));
                checks.extend(kinds.iter().map(read));
            }
            checks
        });
        let checks = checks.await?;
        self.want(checks).await
    }

    /// Returns when it is to be found out again what the caller may do.
    pub(in crate::entities::http) fn again(&self) -> Option<Again> {
        self.shared.gate.again(&self.permit)
    }

    /// Finds out again what the caller may do. Returns whether they may still do all that they could.
    pub(in crate::entities::http) async fn may_go_on(&mut self) -> Result<bool, Refusal> {
        let before = Arc::clone(&self.identity);
        self.ask_again().await?;
        let is_lost = |check: &Check| check.is_granted(&before) && !check.is_granted(&self.identity);
        Ok(!self.wanted.iter().any(is_lost))
    }

    async fn ask_again(&mut self) -> Result<(), Refusal> {
        let permit = self.shared.gate.extend(&self.permit, &self.wanted).await.map_err(undecided)?;
        self.lease.renew(Arc::clone(&permit.identity));
        self.identity = Arc::clone(&permit.identity);
        self.permit = permit;
        Ok(())
    }
}

pub(super) fn undecided(error: Undecided) -> Problem {
    let retry_after_ms = Some(error.retry_after_ms);
    Problem { retry_after_ms, ..Problem::new(Code::HandlerUnavailable) }.because(error)
}
