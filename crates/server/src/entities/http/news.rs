//! Waiting for changes in some scopes.

use std::collections::BTreeSet;

use syncline_protocol::ledger::{PullScope, Section};
use tokio::sync::broadcast::{self, error::RecvError};

use super::ask::Asked;
use crate::entities::Moved;

/// Tells when something has changed in what is followed.
pub(super) struct News {
    moved: broadcast::Receiver<Moved>,
    sections: BTreeSet<Section>,
}

impl News {
    /// Listens from now on.
    pub(super) fn listen(asked: &Asked) -> Self {
        Self { moved: asked.ledger.moved(), sections: BTreeSet::new() }
    }

    /// Follows these scopes, and no others.
    pub(super) fn follow(&mut self, scopes: &[PullScope]) {
        self.sections = scopes.iter().flat_map(|scope| scope.scope.sections.iter().cloned()).collect();
    }

    /// Waits for a change. Where some were missed there may be none; so it is at the end of the ledger, which the next request
    /// finds.
    pub(super) async fn next(&mut self) {
        loop {
            match self.moved.recv().await {
                Ok(moved) if moved.sections.is_disjoint(&self.sections) => {}
                Ok(_) | Err(RecvError::Lagged(_) | RecvError::Closed) => return,
            }
        }
    }
}
