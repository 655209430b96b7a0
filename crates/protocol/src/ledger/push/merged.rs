//! Ops that are updates of documents: a room has them before they are decided.

use syncline_core::entity::{Decision, RefusalCode};

use super::view::{Prepared, Step, View, waits};
use crate::ledger::documents::MergeOutcome;
use crate::ledger::message::DeferralCode;

impl View<'_> {
    /// Returns what becomes of an op that changes a document, or what must happen before that is known.
    pub(super) fn merge(
        &self,
        op: &Prepared,
        decision: Decision,
    ) -> Result<(Decision, Option<String>), Step> {
        // What a room has taken in cannot be taken back with the rest of a transaction.
        if op.is_in_tx() {
            let why = "an op `crdt` cannot be part of a transaction";
            return Ok((Decision::refused(RefusalCode::ValidationFailed), Some(why.to_owned())));
        }
        match self.merged {
            None if self.ledger.merges.is_full() => {
                Err(Step::Deferred(waits(DeferralCode::HandlerUnavailable)))
            }
            None => Err(Step::Merges(Box::new(op.pushed()))),
            Some(MergeOutcome::Taken) => Ok((decision, None)),
            Some(MergeOutcome::Refused { reason }) => {
                let why = format!("the document does not take the update: {reason}");
                Ok((Decision::refused(RefusalCode::ValidationFailed), Some(why)))
            }
            Some(MergeOutcome::Unavailable) => Err(Step::Deferred(waits(DeferralCode::HandlerUnavailable))),
        }
    }
}
