//! Rooms as tasks: each owns a [`syncline_protocol::Room`], hands it what comes in and carries out what it says.

mod alone;
mod entity;
mod task;
#[cfg(test)]
mod tests;

use std::{panic::AssertUnwindSafe, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use syncline_core::{
    id::{CommitNumber, ConnectionId, DocumentId},
    log::{Author, Credit, Engine},
};
use syncline_protocol::{
    Absorbed, Access, CloseReason, Content, Guest, Request, Revision,
    ledger::{MergeId, MergeOutcome},
};
use syncline_store::records::Branch;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

pub(crate) use self::alone::{Place, absorb_alone};
pub(crate) use self::task::LongWork;
use self::task::RoomTask;
use crate::{
    access::Lease,
    deletion::Deletion,
    epoch::Epoch,
    inbound::Charge,
    loader,
    lobby::Card,
    outbox::SharedOutbox,
    registry::{RoomKey, RoomNumber},
};

/// What a connection tells its room.
#[derive(Debug)]
pub(crate) enum ToRoom {
    /// It joins. This comes first.
    Join(Join),
    /// It asks for something.
    Request {
        connection: ConnectionId,
        request: Request,
        /// How long it may, unless nobody asks.
        lease: Option<Arc<Lease>>,
        /// Given back when the room has handled the request.
        charge: Charge,
    },
    /// What it may do has changed.
    Access { connection: ConnectionId, access: Access },
    /// Its outbox dropped something and has been written empty.
    Resume { connection: ConnectionId, since: CommitNumber },
    /// It left. Nothing comes after this.
    Leave { connection: ConnectionId },
    /// The ledger has an update for the document.
    Merge {
        merge: MergeId,
        author: Author,
        update: Bytes,
        /// Told what becomes of it, unless the room's next commit tells the ledger. Dropped if the room ends.
        done: oneshot::Sender<MergeOutcome>,
    },
    /// Someone who is not connected has an update for the document that is no op.
    Absorb {
        /// Of which kind the update is.
        engine: Engine,
        credit: Credit,
        update: Bytes,
        /// What it was made for, if it is good for nothing else.
        made_for: Option<Revision>,
        /// Told what became of it, once that is durable. Dropped if the room ends.
        done: oneshot::Sender<Absorbed>,
    },
    /// A document is to begin as a branch of another, unless there is one by now.
    Begin {
        /// Of which kind both are.
        engine: Engine,
        credit: Credit,
        /// All that it begins with.
        update: Bytes,
        branch: Box<Branch>,
        /// Told what became of it, once that is durable. Dropped if the room ends.
        done: oneshot::Sender<Absorbed>,
    },
    /// Someone who is not connected wants to know what the document holds, with the state vector of what they have.
    Read { have: Option<Bytes>, done: oneshot::Sender<Content> },
    /// The entity that the document is was deleted.
    Deleted,
    /// The document is to be deleted, if it is this one and, if one is named, of this revision.
    Delete {
        document: DocumentId,
        revision: Option<Revision>,
        /// Who wants that.
        author: Author,
        /// Told what became of it, once that is durable. Dropped if the room ends before.
        done: oneshot::Sender<Deletion>,
    },
    /// Everyone in the room is to be closed. They may come back.
    CloseAll {
        /// Told how many that were.
        done: oneshot::Sender<usize>,
    },
    /// Someone wants to know who is in the room: note it on the card, and say so.
    Describe { done: oneshot::Sender<()> },
}

/// A connection that wants to join a room.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) connection: ConnectionId,
    pub(crate) guest: Guest,
    pub(crate) outbox: Arc<SharedOutbox>,
    /// Given back when the room has taken the connection in.
    pub(crate) handshake: Option<OwnedSemaphorePermit>,
}

impl ToRoom {
    /// Returns of which kind a document is that does not exist yet.
    pub(crate) fn engine(&self) -> Engine {
        match self {
            Self::Join(join) => join.guest.dialect.engine(),
            Self::Absorb { engine, .. } | Self::Begin { engine, .. } => *engine,
            // Entities are Yjs documents, and whatever else is asked creates none.
            _ => Engine::Yjs,
        }
    }
}

/// Loads a room and runs it until it is unloaded, fails or is asked to end. Whoever has joined by then is closed.
pub(crate) async fn run(
    epoch: Arc<Epoch>,
    key: RoomKey,
    number: RoomNumber,
    engine: Engine,
    inbox: mpsc::Receiver<ToRoom>,
    card: Arc<Card>,
) {
    let reason = match loader::open(&epoch, &key, engine).await {
        Ok(opened) => {
            tracing::debug!(room = key.name.as_str(), document = %opened.document, "room opened");
            let mut task = RoomTask::new(Arc::clone(&epoch), key.clone(), number, opened, inbox, card);
            let served = AssertUnwindSafe(task.serve()).catch_unwind().await;
            let reason = served.unwrap_or(Some(CloseReason::Internal));
            task.end(reason).await;
            reason
        }
        Err(error) => {
            let reason = error.close_reason();
            epoch.registry.remove_if(&key, number, || true);
            turn_away(inbox, reason);
            Some(reason)
        }
    };
    match reason {
        None | Some(CloseReason::Shutdown | CloseReason::Deleted) => {
            tracing::debug!(room = key.name.as_str(), "room unloaded");
        }
        Some(reason) => tracing::warn!(room = key.name.as_str(), reason = reason.text(), "room ended"),
    }
}

/// Closes whoever waits in the inbox of a room that nobody can find any more.
fn turn_away(mut inbox: mpsc::Receiver<ToRoom>, reason: CloseReason) {
    inbox.close();
    while let Ok(message) = inbox.try_recv() {
        if let ToRoom::Join(join) = message {
            join.outbox.change(|outbox| outbox.close(reason));
        }
    }
}
