//! The dialogue with one peer: `automerge::sync`, with what it takes apart from what it says.

use automerge::{
    Automerge, Change,
    sync::{Message, State, SyncDoc},
};
use bytes::Bytes;

use super::{AutomergeDocument, AutomergeError, Broken, Failed, changes_of, contained};
use crate::guard::automerge::{first_document, scan_sync_message};

/// What is known of what a peer has. Begins anew with every connection.
#[derive(Debug, Default)]
pub struct AutomergePeer {
    pub(super) state: State,
    /// Set while the peer has been sent the whole document and has not answered.
    pub(super) digests: bool,
}

/// What became of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// What the document did not have before, as changes one after the other or as a document.
    pub update: Option<Bytes>,
    /// Whether the peer says that it has any change.
    pub has_heads: bool,
    /// Whether the message brought anything, taken or not.
    pub brought: bool,
    /// How many ops were looked at to take it, at most.
    pub ops: u64,
}

impl AutomergePeer {
    /// Starts the dialogue with a peer from which nothing is taken, and which is told so.
    #[must_use]
    pub fn new_read_only() -> Self {
        Self { state: State::new_read_only(), digests: false }
    }

    /// Says whether anything is taken from the peer from now on. One that may write again is asked for all that it has.
    pub fn set_read_only(&mut self, read_only: bool) {
        self.state.set_read_only(read_only);
        self.digests = false;
    }

    /// Returns whether the peer has said that it has changes.
    #[must_use]
    pub fn has_heads(&self) -> bool {
        self.state.their_heads.as_ref().is_some_and(|heads| !heads.is_empty())
    }
}

impl AutomergeDocument {
    /// Takes a message from a peer.
    ///
    /// # Errors
    /// [`AutomergeError`] says why it is refused. After [`AutomergeError::Broken`] the document is of no further use; after
    /// any of them the peer is.
    pub fn receive(&mut self, peer: &mut AutomergePeer, message: &[u8]) -> Result<Received, AutomergeError> {
        let scanned = scan_sync_message(message)?;
        let decoded = contained(|| Message::decode(message)).map_err(|Failed| AutomergeError::Refused)?;
        let mut decoded = decoded.map_err(|_| AutomergeError::Refused)?;
        let heads = decoded.heads.clone();
        // The changes are taken in apart, strictly: automerge leaves out what it cannot read.
        decoded.changes = Vec::<Vec<u8>>::new().into();
        let state = &mut peer.state;
        // What was already said need not be said again only if nothing comes with the heads.
        let said = (!scanned.chunks.is_empty()).then(|| state.last_sent_heads.clone());
        self.doc.change(|doc| doc.receive_sync_message(state, decoded).map_err(|_| Failed))?;
        peer.digests = false;
        if let Some(said) = said
            && scanned.has_heads
        {
            peer.state.last_sent_heads = said;
        }
        let mut received = Received {
            has_heads: scanned.has_heads,
            brought: !scanned.chunks.is_empty(),
            ..Received::default()
        };
        if received.brought && !peer.state.read_only {
            received.ops = scanned.ops;
            received.update = self.apply_scanned(&scanned.chunks)?;
            let knows_all =
                self.doc.read(|doc| heads.iter().all(|head| doc.get_change_meta_by_hash(head).is_some()));
            if knows_all? {
                peer.state.shared_heads = heads;
            }
        }
        Ok(received)
    }

    /// Returns whether a message from a peer brings changes that the document does not hold.
    ///
    /// # Errors
    /// [`AutomergeError`] says why [`receive`](Self::receive) would refuse it.
    pub fn brings(&self, message: &[u8]) -> Result<bool, AutomergeError> {
        let changes = changes_of(&scan_sync_message(message)?.chunks)?.changes;
        let is_new = |change: &Change, doc: &Automerge| doc.get_change_meta_by_hash(&change.hash()).is_none();
        Ok(self.doc.read(|doc| changes.iter().any(|change| is_new(change, doc)))?)
    }

    /// Returns what to say to a peer next, if anything. To be asked after each message from it and each change of the
    /// document; what it said before must reach the peer, in order.
    ///
    /// # Errors
    /// [`Broken`] if the document is of no further use.
    pub fn message(&mut self, peer: &mut AutomergePeer) -> Result<Option<Bytes>, Broken> {
        if peer.digests {
            return Ok(None);
        }
        if let Some(message) = self.message_to_newcomer(peer)? {
            return Ok(Some(message));
        }
        let state = &mut peer.state;
        let Some(mut message) = self.doc.read(|doc| doc.generate_sync_message(state))? else {
            return Ok(None);
        };
        if is_whole(&message) {
            if let Some(pieces) = self.pieces()? {
                message.changes = pieces.into();
            } else if !self.orphans.is_empty() {
                leave_orphans_out(&mut message);
            }
        }
        Ok(Some(contained(|| message.encode())?.into()))
    }
}

/// Returns whether a message brings the whole document.
fn is_whole(message: &Message) -> bool {
    message.changes.len() == 1
        && message.changes.iter().next().is_some_and(|blob| first_document(blob).is_some())
}

/// Cuts off what follows a document: changes that wait for others, which are neither durable nor part of it.
fn leave_orphans_out(message: &mut Message) {
    let document =
        message.changes.iter().next().and_then(|blob| Some(blob[..first_document(blob)?].to_vec()));
    if let Some(document) = document {
        message.changes = document.into();
    }
}
