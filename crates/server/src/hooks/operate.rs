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

/// Why a hook was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAsked {
    /// The tenant has no such hook.
    NoHook,
    /// The store is closed, or about to be.
    Down,
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

    /// Returns the dead letters of a tenant that a hook has, the oldest first.
    pub(crate) async fn dead(&self, tenant: &Tenant, hook: &str) -> Result<Vec<Letter>, NotAsked> {
        match self.ask(tenant, hook, Wanted::List).await? {
            Done::Listed(letters) => Ok(letters),
            Done::Changed { .. } => Ok(Vec::new()),
        }
    }

    /// Tells a dead letter once more, or all of them. Returns how many those are.
    pub(crate) async fn retry(
        &self,
        tenant: &Tenant,
        hook: &str,
        id: Option<String>,
    ) -> Result<usize, NotAsked> {
        self.ask(tenant, hook, Wanted::Retry(id)).await.map(count)
    }

    /// Drops a dead letter, or all of them. Returns how many those are.
    pub(crate) async fn drop_dead(
        &self,
        tenant: &Tenant,
        hook: &str,
        id: Option<String>,
    ) -> Result<usize, NotAsked> {
        self.ask(tenant, hook, Wanted::Drop(id)).await.map(count)
    }

    async fn ask(&self, tenant: &Tenant, hook: &str, wanted: Wanted) -> Result<Done, NotAsked> {
        let is_meant =
            |line: &&super::Line| line.hook.name.as_str() == hook && line.hook.is_of(tenant.name());
        let inbox: &mpsc::Sender<ToHook> = &self.lines.iter().find(is_meant).ok_or(NotAsked::NoHook)?.inbox;
        let (answer, done) = oneshot::channel();
        let operation = Operation { tenant: tenant.clone(), wanted, answer };
        // The task of a hook ends with its epoch alone.
        inbox.send(ToHook::Operate(operation)).await.map_err(|_ended| NotAsked::Down)?;
        done.await.map_err(|_ended| NotAsked::Down)
    }
}

fn count(done: Done) -> usize {
    match done {
        Done::Listed(letters) => letters.len(),
        Done::Changed { count } => count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hooks::{HookSet, tests::settings},
        outgoing::Trust,
        tenants::{TenantBound, Tenants},
    };

    /// Goal: whoever asks while the epoch ends is told to come again, and not that there is no such hook. Method: the end of the inbox that
    /// the task of the hook has is held by the test, and dropped with the question in it.
    #[tokio::test]
    async fn a_question_outlives_the_epoch_as_a_refusal() {
        let trust = Trust::load(None).expect("nothing is added");
        let hooks = Hooks::new(&HookSet::new(&[settings()], &trust).expect("it makes sense"));
        let tenant = Tenants::new(&TenantBound::new(1)).default_one();
        assert_eq!(hooks.dead(&tenant, "other").await.err(), Some(NotAsked::NoHook));
        let mut inbox = hooks.lines[0].ends.lock().expect("nobody panics").take().expect("it has not begun");
        let end = async { drop(inbox.recv().await) };
        let (asked, ()) = tokio::join!(hooks.retry(&tenant, "search", None), end);
        assert_eq!(asked.err(), Some(NotAsked::Down), "while it waits for an answer");
        drop(inbox);
        assert_eq!(hooks.dead(&tenant, "search").await.err(), Some(NotAsked::Down), "behind the end");
    }
}
