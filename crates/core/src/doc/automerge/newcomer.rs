//! What a peer is sent that has nothing yet: the whole document, which is encoded once for all who come.

use automerge::{
    ChangeHash,
    sync::{BloomFilter, Capability, Have, Message, MessageFlags, MessageVersion, State},
};
use bytes::Bytes;

use super::{AutomergeDocument, AutomergePeer, Broken, loads_as};

/// The document as a newcomer is sent it.
#[derive(Debug)]
pub(super) struct Encoded {
    heads: Vec<ChangeHash>,
    message: Bytes,
    /// Whether it holds the changes one by one: as a whole nobody could load them.
    in_pieces: bool,
}

impl Encoded {
    pub(super) fn memory_bytes(&self) -> usize {
        self.message.len()
    }
}

impl AutomergeDocument {
    /// Returns the message for a peer that has nothing and takes documents, if it is one.
    ///
    /// What automerge would say to it is the same, but it encodes the document anew for each, and notes for each every change
    /// that it has sent. That is not needed: nothing more is said to the peer before it has answered.
    pub(super) fn message_to_newcomer(&mut self, peer: &mut AutomergePeer) -> Result<Option<Bytes>, Broken> {
        if !is_newcomer(&peer.state) || self.is_empty() {
            return Ok(None);
        }
        if self.encoded.is_none() {
            self.encoded = Some(self.encode_for_newcomers()?);
        }
        let Some(encoded) = &self.encoded else { return Ok(None) };
        let state = &mut peer.state;
        state.have_responded = true;
        state.in_flight = true;
        state.last_sent_heads.clone_from(&encoded.heads);
        peer.digests = true;
        Ok(Some(encoded.message.clone()))
    }

    /// Returns all of the document in bytes that others take in: as a whole, or its changes one after the other if nobody could
    /// load that.
    ///
    /// # Errors
    /// [`Broken`] if the document is of no further use.
    pub fn portable(&self) -> Result<Bytes, Broken> {
        Ok(match self.loadable()? {
            Ok(whole) => whole,
            Err(changes) => changes.concat().into(),
        })
    }

    /// Returns the document as a whole, or its changes one by one if nobody could load that.
    fn loadable(&self) -> Result<Result<Bytes, Vec<Vec<u8>>>, Broken> {
        let whole = self.encode()?;
        let loads = self.is_empty() || loads_as(&whole, &self.heads());
        Ok(if loads { Ok(whole) } else { Err(self.all_changes()?) })
    }

    /// Returns the changes of the document one by one if nobody could load it as a whole.
    pub(super) fn pieces(&mut self) -> Result<Option<Vec<Vec<u8>>>, Broken> {
        if self.encoded.is_none() {
            self.encoded = Some(self.encode_for_newcomers()?);
        }
        let in_pieces = self.encoded.as_ref().is_some_and(|encoded| encoded.in_pieces);
        in_pieces.then(|| self.all_changes()).transpose()
    }

    fn all_changes(&self) -> Result<Vec<Vec<u8>>, Broken> {
        let changes = self.doc.read(|doc| doc.get_changes(&[]))?;
        Ok(changes.iter().map(|change| change.raw_bytes().to_vec()).collect())
    }

    fn encode_for_newcomers(&self) -> Result<Encoded, Broken> {
        // It is encoded once for all who come, so this costs each of them little.
        let (in_pieces, changes) = match self.loadable()? {
            Ok(whole) => (false, vec![whole.to_vec()]),
            Err(changes) => (true, changes),
        };
        let (heads, filter) = self.doc.read(|doc| {
            let hashes: Vec<ChangeHash> =
                doc.get_changes_meta(&[]).iter().map(|change| change.hash).collect();
            (doc.get_heads(), BloomFilter::from_hashes(hashes.iter()))
        })?;
        let mut flags = MessageFlags::new();
        flags.set(MessageFlags::SUPPORTS_SYNC_RESET);
        let message = Message {
            heads: heads.clone(),
            need: Vec::new(),
            have: vec![Have { last_sync: Vec::new(), bloom: filter }],
            changes: changes.into(),
            flags: Some(flags),
            version: MessageVersion::V2,
        };
        Ok(Encoded { heads, message: message.encode().into(), in_pieces })
    }
}

/// Returns whether a peer has said that it has nothing, and that it takes documents, and is itself one to take from.
fn is_newcomer(state: &State) -> bool {
    let takes_documents =
        state.their_capabilities.as_ref().is_some_and(|can| can.contains(&Capability::MessageV2));
    let has_nothing = state.their_heads.as_ref().is_some_and(Vec::is_empty);
    // A peer may say again that it has nothing when it has lost what it had.
    let ours = state.their_have.as_ref().is_none_or(|have| have.iter().all(|have| have.last_sync.is_empty()));
    takes_documents && has_nothing && ours && !state.read_only && !state.peer_read_only && !state.needs_reset
}
