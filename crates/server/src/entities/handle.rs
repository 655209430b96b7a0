//! How requests get to a ledger.

use std::sync::Arc;

use syncline_core::entity::{Actors, Epoch, Sequence};
use syncline_protocol::ledger::{Answer, Input, Ledger, RequestId};
use tokio::sync::{mpsc, oneshot, watch};

use super::open::Secret;

/// Reaches the task of a ledger.
#[derive(Clone)]
pub(crate) struct LedgerHandle {
    inbox: mpsc::Sender<ToLedger>,
    key: Secret,
    epoch: Epoch,
    moved: watch::Receiver<Sequence>,
}

/// What a ledger answers, with the names of all actors in it.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    pub(crate) actors: Arc<Actors>,
}

/// Makes an input out of a request. It may look at the ledger for the numbers of actors.
pub(super) type MakeInput = Box<dyn FnOnce(&Ledger, RequestId) -> Input + Send>;

/// Lets out what a look has found.
pub(super) type Found = Box<dyn FnOnce() + Send>;

/// What the task is asked.
pub(super) enum ToLedger {
    /// To take something in, and to answer.
    Ask { input: MakeInput, answer: oneshot::Sender<Answered> },
    /// To have a look taken at the machine; what it finds waits for what it rests on.
    Look(Box<dyn FnOnce(&Ledger) -> Found + Send>),
}

/// The store has failed, or the server stops: nobody knows what became of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ledger is not open")]
pub(crate) struct LedgerDown;

impl LedgerHandle {
    pub(super) fn new(
        inbox: mpsc::Sender<ToLedger>,
        key: Secret,
        epoch: Epoch,
        moved: watch::Receiver<Sequence>,
    ) -> Self {
        Self { inbox, key, epoch, moved }
    }

    /// Returns the key that cursors are signed with.
    pub(crate) fn key(&self) -> &Secret {
        &self.key
    }

    /// Returns the life of the log.
    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Returns where the end of the log is told, as far as it is durable.
    pub(crate) fn moved(&self) -> watch::Receiver<Sequence> {
        self.moved.clone()
    }

    /// Has the ledger take in what `input` makes, and waits for the answer.
    pub(crate) async fn ask(
        &self,
        input: impl FnOnce(&Ledger, RequestId) -> Input + Send + 'static,
    ) -> Result<Answered, LedgerDown> {
        let (answer, answered) = oneshot::channel();
        let asked = ToLedger::Ask { input: Box::new(input), answer };
        self.inbox.send(asked).await.map_err(|_| LedgerDown)?;
        answered.await.map_err(|_| LedgerDown)
    }

    /// Returns what `look` finds, once all that it saw is durable.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Ledger) -> T + Send + 'static,
    ) -> Result<T, LedgerDown> {
        let (report, reported) = oneshot::channel();
        let look = move |ledger: &Ledger| -> Found {
            let found = look(ledger);
            // Whoever asked may be gone.
            Box::new(move || drop(report.send(found)))
        };
        self.inbox.send(ToLedger::Look(Box::new(look))).await.map_err(|_| LedgerDown)?;
        reported.await.map_err(|_| LedgerDown)
    }
}
