//! What operators ask of a hook: which dead letters it has, to tell them once more, or to drop them.

use syncline_core::hook::HookMark;
use tokio::sync::{mpsc, oneshot};

use super::{Configured, Hooks, ToHook};
use crate::tenants::Tenant;

/// A question about the dead letters of one tenant.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(super) tenant: Tenant,
    pub(super) wanted: Wanted,
    pub(super) answer: oneshot::Sender<Done>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    List,
    /// One by its name, or all.
    Retry(Option<String>),
    Drop(Option<String>),
}

/// What was done.
#[derive(Debug)]
pub(crate) enum Done {
    Listed(Vec<Letter>),
    Changed {
        /// How many letters.
        count: usize,
    },
}

/// A dead letter, by the name that the hook knows it by.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(crate) mark: HookMark,
}

impl Hooks {
    /// Returns the hooks that are told of documents of a tenant.
    pub(crate) fn of_tenant(&self, tenant: &Tenant) -> impl Iterator<Item = &Configured> {
        self.lines.iter().map(|line| &*line.hook).filter(|hook| hook.is_of(tenant.name()))
    }

    /// Returns the dead letters of a tenant that a hook has, the oldest first; nothing if the tenant has no such hook, or the server stops.
    pub(crate) async fn dead(&self, tenant: &Tenant, hook: &str) -> Option<Vec<Letter>> {
        match self.ask(tenant, hook, Wanted::List).await? {
            Done::Listed(letters) => Some(letters),
            Done::Changed { .. } => None,
        }
    }

    /// Tells a dead letter once more, or all of them. Returns how many those are.
    pub(crate) async fn retry(&self, tenant: &Tenant, hook: &str, id: Option<String>) -> Option<usize> {
        self.ask(tenant, hook, Wanted::Retry(id)).await.map(count)
    }

    /// Drops a dead letter, or all of them. Returns how many those are.
    pub(crate) async fn drop_dead(&self, tenant: &Tenant, hook: &str, id: Option<String>) -> Option<usize> {
        self.ask(tenant, hook, Wanted::Drop(id)).await.map(count)
    }

    async fn ask(&self, tenant: &Tenant, hook: &str, wanted: Wanted) -> Option<Done> {
        let is_meant =
            |line: &&super::Line| line.hook.name.as_str() == hook && line.hook.is_of(tenant.name());
        let inbox: &mpsc::Sender<ToHook> = &self.lines.iter().find(is_meant)?.inbox;
        let (answer, done) = oneshot::channel();
        let operation = Operation { tenant: tenant.clone(), wanted, answer };
        inbox.send(ToHook::Operate(operation)).await.ok()?;
        done.await.ok()
    }
}

fn count(done: Done) -> usize {
    match done {
        Done::Listed(letters) => letters.len(),
        Done::Changed { count } => count,
    }
}
