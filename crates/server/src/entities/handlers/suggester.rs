//! Who is asked what to make of a conflict.

use syncline_core::entity::{Handler, TypeName};
use syncline_protocol::{ledger::Proposal, wire::sync_v1::read_proposal};

use super::web::AskError;
use crate::{
    clock::Clock,
    outgoing::{Gate, NoAnswer, Web},
};

#[derive(Debug)]
pub(super) struct Suggester {
    /// What the type, or the server, said when this was made.
    named: Handler,
    web: Web,
    gate: Gate,
}

/// Why there is no answer about a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SuggestError {
    /// Nobody is there to be asked.
    Nobody,
    /// There is no saying now.
    Unavailable {
        /// When it is worth another try, in milliseconds.
        retry_after_ms: u64,
    },
}

impl Suggester {
    pub(super) fn new(kind: Option<TypeName>, named: Handler, web: Web) -> Self {
        let gate = Gate::new(kind.map(|kind| kind.to_string()), named.timeout_ms);
        Self { named, web, gate }
    }

    pub(super) const fn named(&self) -> &Handler {
        &self.named
    }

    /// Asks a question. Nothing may be proposed.
    pub(super) async fn suggest(&self, clock: Clock, body: String) -> Result<Option<Proposal>, SuggestError> {
        let asking = async {
            let answer = self.web.exchange(body).await.map_err(AskError::from);
            let proposal = answer.and_then(|answer| read_proposal(&answer).map_err(AskError::from));
            proposal.map_err(|error| {
                tracing::debug!(
                    error = &error as &dyn std::error::Error,
                    "nobody says what to make of a conflict"
                );
                NoAnswer::default()
            })
        };
        let asked = self.gate.ask(clock, asking).await;
        asked.map_err(|NoAnswer { retry_after_ms }| SuggestError::Unavailable { retry_after_ms })
    }
}
