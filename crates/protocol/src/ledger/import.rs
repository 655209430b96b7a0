//! Records that come from an export.

use syncline_core::clock::{Dot, HybridTime};
use syncline_core::entity::{
    Action, ActorName, ClaimedTime, Context, EntityKey, Op, Outcome, Refusal, RefusalCode, ServerClock,
    Stamp, Trace, TraceEffect, Values,
};
use syncline_core::time::WallMs;

use super::message::{Answer, Write};
use super::push::Decided;
use super::{ContentHash, Ledger};

/// Who writes what is imported.
const IMPORT: &str = "srv:import";

/// A record as it was exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The entity.
    pub key: EntityKey,
    /// Its fields; none of a tombstone.
    pub data: Option<Values>,
    /// The latest time of its writes.
    pub hlc: HybridTime,
    /// The version of the schema that its last writer used.
    pub schema_v: u32,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported {
    /// It was created.
    Created,
    /// It was there, or no more than its deletion is to be known.
    Unchanged,
    /// It is not taken.
    Refused(Refusal),
}

impl Ledger {
    /// Creates what is not there. What is there stays as it is, so that nothing changes if the same comes again.
    pub(super) fn import(&mut self, now: WallMs, records: Vec<Import>) -> Answer {
        let mut imported = Vec::with_capacity(records.len());
        for record in records {
            imported.push(self.import_one(now, record).unwrap_or_else(Imported::Refused));
            self.seal_if_full();
        }
        Answer::Imported(imported)
    }

    fn import_one(
        &mut self,
        now: WallMs,
        Import { key, data, hlc, schema_v }: Import,
    ) -> Result<Imported, Refusal> {
        if self.erased.contains_key(&key) && data.is_some() {
            return Err(RefusalCode::EntityDeleted.into());
        }
        let there = self.record(&key);
        let data = match (&there, data) {
            (Some(there), Some(data)) if !there.deleted && there.data() == data => {
                return Ok(Imported::Unchanged);
            }
            (Some(there), Some(_)) if there.deleted => return Err(RefusalCode::EntityDeleted.into()),
            (Some(there), None) if there.deleted => return Ok(Imported::Unchanged),
            (Some(_), _) => return Err(RefusalCode::AlreadyWritten.into()),
            (None, None) => return Ok(Imported::Unchanged),
            (None, Some(_)) if key.id.is_temporary() => return Err(RefusalCode::ValidationFailed.into()),
            (None, Some(data)) => data,
        };
        let actor = self.number(&ActorName::new(IMPORT).expect("it is short and plain"));
        let n = self.next_own(actor);
        let ty = self.types.get(&key.kind).ok_or(RefusalCode::UnknownType)?;
        let claimed = ClaimedTime { hlc: Some(hlc), ..ClaimedTime::default() };
        let hlc = ServerClock { now, hlc: self.hlc }.effective(claimed, 0);
        let dot = Dot::new(actor, n);
        let context = Context::default();
        let op =
            Op { stamp: Stamp { hlc, dot }, context, action: Action::Create(data), was: Default::default() };
        let decision = self.decide_alone(ty, &key, &op);
        if let Outcome::Rejected(refusal) = decision.outcome {
            return Err(refusal);
        }
        self.perform(
            now,
            Decided {
                hash: ContentHash([0; 8]),
                schema_v,
                sent: key.clone(),
                key,
                creates: false,
                trace: Trace { context: op.context, hlc, dot, effect: TraceEffect::Changed },
                decision,
                detail: None,
                settles: None,
            },
        );
        self.renumbered.insert(actor);
        // Nobody asks for the results of an import: whoever imports again looks at the records.
        self.devices.entry(actor).or_default().kept.remove(&n);
        self.gathered.push(Write::Aged(dot, None));
        Ok(Imported::Created)
    }
}
