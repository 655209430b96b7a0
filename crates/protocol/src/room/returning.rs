//! What a client counts that comes back to a document.
//!
//! A Hocuspocus provider counts what is not saved. When it asks for what it lacks, it sets the count to one, for its
//! answer to the question that it gets in return; that answer holds all that it did before. Yet what it did offline it
//! sends edit by edit too, in one go and before the answer. If each of these were acknowledged, it would take what is
//! typed next for saved. Seen by story `hocuspocus-kills`.

use std::collections::BTreeMap;

use syncline_core::{
    guard::{scan_state_vector, scan_update},
    id::ClientId,
};

/// Longest state vector that is kept until the answer comes, in bytes. Above it every update is acknowledged.
const STATE_BYTES_MAX: usize = 64 << 10;

/// Tells which updates a client counts that come between its question and its answer.
#[derive(Debug)]
pub(super) struct Returning {
    /// Clocks that the client had when it asked.
    known: BTreeMap<ClientId, u32>,
}

impl Returning {
    /// Starts with the state vector of a question.
    pub(super) fn new(state: &[u8]) -> Self {
        let short = (state.len() <= STATE_BYTES_MAX).then_some(state);
        let known = short.and_then(|state| scan_state_vector(state).ok()).unwrap_or_default();
        Self { known: known.into_iter().collect() }
    }

    /// Returns whether the client counts an update.
    ///
    /// Whether one that only deletes was made before the question cannot be seen. In doubt it counts: told too much, a
    /// client may call an edit saved while it is on its way; told too little, it is unsaved for good.
    pub(super) fn counts(&self, update: &[u8]) -> bool {
        let Ok(scanned) = scan_update(update) else { return true };
        let was_there = |client, end| self.known.get(&client).is_some_and(|known| *known >= end);
        let sections = scanned.sections();
        sections.is_empty() || !sections.iter().all(|section| was_there(section.client, section.end()))
    }
}
