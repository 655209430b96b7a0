//! What the author of an op had seen of a record.

use super::{Record, RecordVersion};
use crate::clock::{Dot, HybridTime, VectorClock};

/// What an op says its author had seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Claim {
    /// The version of the record.
    pub ver: Option<RecordVersion>,
    /// The vector of the record, of the actors that are known here.
    pub vv: Option<VectorClock>,
    /// Whether the vector named actors that are not known here.
    pub strangers: bool,
    /// The time of the record.
    pub hlc: Option<HybridTime>,
}

/// What its author had seen, once it is clear what that means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Context {
    /// The ops seen.
    pub vv: VectorClock,
    /// Whether more was seen than is known here: actors without a number, or a version of a record that there is not.
    pub beyond: bool,
}

impl Claim {
    /// Returns what the claim means for a record. A version that stands alone means the vector of the record, as long as it
    /// is the present one.
    #[must_use]
    pub fn resolve(&self, record: Option<&Record>) -> Context {
        if let Some(vv) = &self.vv {
            return Context { vv: vv.clone(), beyond: self.strangers };
        }
        let seen = self.ver.filter(|ver| ver.0 > 0);
        let vv = match record {
            Some(record) if seen == Some(record.ver) => record.vv.clone(),
            Some(_) | None => VectorClock::new(),
        };
        Context { vv, beyond: self.strangers || (record.is_none() && seen.is_some()) }
    }
}

/// What remains of an earlier op for those that come after it on the same record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Trace {
    /// What its own author had seen.
    pub context: Context,
    /// Its effective time.
    pub hlc: HybridTime,
    /// The op.
    pub dot: Dot,
    /// What it did.
    pub effect: TraceEffect,
}

/// What an earlier op did to its record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum TraceEffect {
    /// It changed the record.
    Changed,
    /// It left the record as it was.
    Nothing,
    /// It was to create a record that there was already, which had this vector afterwards.
    Matched(VectorClock),
}

impl Trace {
    /// Returns the context of an op whose author had seen what this op's author had seen, and this op.
    ///
    /// That is never the record that this op was merged into: what a stranger wrote has not been seen by the next op of a
    /// chain, however many of them there are.
    #[must_use]
    pub fn context_after(&self) -> Context {
        let mut context = self.context.clone();
        match &self.effect {
            TraceEffect::Changed => {
                context.vv.raise(self.dot);
            }
            TraceEffect::Nothing => {}
            TraceEffect::Matched(vv) => context.vv = vv.clone(),
        }
        context
    }
}

/// How what an author had seen relates to the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// There is no record, and its author had seen none.
    None,
    /// There is no record, and its author had seen one: it was deleted, and its tombstone is gone.
    Gone,
    /// Its author had seen the record as it is.
    Equal,
    /// The record has changed since.
    Behind,
    /// Its author had seen what the record lacks: then the record is of an older backup, or the author is wrong.
    Concurrent {
        /// Whether the author had also seen all that the record has.
        ahead: bool,
    },
}

impl Relation {
    /// Returns whether the author may not have seen all that the record holds.
    #[must_use]
    pub const fn is_stale(self) -> bool {
        match self {
            Self::Behind | Self::Concurrent { .. } => true,
            Self::None | Self::Gone | Self::Equal => false,
        }
    }
}

/// Returns how what an author had seen relates to the record.
#[must_use]
pub fn relate(context: &Context, record: Option<&Record>) -> Relation {
    let Some(record) = record else {
        return if context.vv.is_empty() && !context.beyond { Relation::None } else { Relation::Gone };
    };
    if context.vv == record.vv && !context.beyond {
        Relation::Equal
    } else if context.vv <= record.vv && !context.beyond {
        Relation::Behind
    } else {
        Relation::Concurrent { ahead: record.vv <= context.vv }
    }
}
