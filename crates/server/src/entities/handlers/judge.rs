//! The handler of a type, and what stands before it.

use std::sync::Arc;

use syncline_core::entity::{Handler, TypeName};
use syncline_protocol::ledger::Verdict;

use super::question::{PushHandler, PushQuestion};
use crate::{
    clock::Clock,
    outgoing::{Gate, NoAnswer},
};

#[derive(Debug)]
pub(super) struct Judge {
    /// What the type said when this was made.
    named: Option<Handler>,
    handler: Arc<dyn PushHandler>,
    gate: Gate,
}

impl Judge {
    pub(super) fn new(kind: TypeName, named: Option<Handler>, handler: Arc<dyn PushHandler>) -> Self {
        let timeout_ms = named.as_ref().and_then(|named| named.timeout_ms);
        let gate = Gate::new(Some(kind.to_string()), timeout_ms);
        Self { named, handler, gate }
    }

    pub(super) fn named(&self) -> Option<&Handler> {
        self.named.as_ref()
    }

    /// Asks the handler. There is always a verdict.
    pub(super) async fn judge(&self, clock: Clock, question: &PushQuestion) -> Verdict {
        let asking = async {
            match self.handler.judge(question).await {
                verdict @ (Verdict::Accept { .. } | Verdict::Refuse { .. }) => Ok(verdict),
                Verdict::Unavailable { retry_after_ms } => Err(NoAnswer { retry_after_ms }),
            }
        };
        let asked = self.gate.ask(clock, asking).await;
        asked.unwrap_or_else(|NoAnswer { retry_after_ms }| Verdict::Unavailable { retry_after_ms })
    }
}
