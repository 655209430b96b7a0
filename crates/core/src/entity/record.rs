//! Records: the state of one entity at the server.

use alloc::collections::BTreeMap;

use super::{Epoch, FieldName, RecordVersion, Sequence, Stamp, Value, Values};
use crate::clock::{Dot, HybridTime, VectorClock};

/// One field: its value, or that it has none, and the write that made it so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Slot {
    /// The value; none if the field was unset, which is a write like others.
    pub value: Option<Value>,
    /// The write. Of a field that ops share (a sum, a maximum) it is the last that changed it, at the latest of their times.
    pub stamp: Stamp,
    /// The version of the record that this write made.
    pub ver: RecordVersion,
    /// Where the rule of the field has combined values: the other writes that are in it and that the author of this one had not
    /// seen. Whoever has seen this write alone does not know what the field holds.
    #[cfg_attr(feature = "serde", serde(default))]
    pub others: VectorClock,
}

impl Slot {
    /// Returns whether someone who has seen these ops knows what the field holds.
    #[must_use]
    pub fn is_seen(&self, seen: &VectorClock) -> bool {
        seen.contains(self.stamp.dot) && self.others <= *seen
    }

    /// Returns the writes in the value that are not among these ops.
    pub(crate) fn unseen(&self, seen: &VectorClock) -> VectorClock {
        let mut all = self.others.clone();
        all.raise(self.stamp.dot);
        all.beyond(seen)
    }
}

/// The state of an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Record {
    /// The life of the log that it was last changed in.
    pub epoch: Epoch,
    /// How often it has changed.
    pub ver: RecordVersion,
    /// Where its last change lies in the log.
    pub seq: Sequence,
    /// The ops that changed it, and no others.
    pub vv: VectorClock,
    /// The op that changed it last.
    pub dot: Dot,
    /// The latest time of its writes.
    pub hlc: HybridTime,
    /// Whether this is a tombstone. Tombstones hold no fields.
    pub deleted: bool,
    /// Its fields.
    pub fields: BTreeMap<FieldName, Slot>,
    /// The version of the schema that its last writer used.
    pub schema_v: u32,
}

impl Record {
    /// Returns the fields that have a value.
    #[must_use]
    pub fn data(&self) -> Values {
        let present = self.fields.iter().filter_map(|(name, slot)| Some((name.clone(), slot.value.clone()?)));
        present.collect()
    }

    /// Returns the value of a field.
    #[must_use]
    pub fn value(&self, name: &FieldName) -> Option<&Value> {
        self.fields.get(name)?.value.as_ref()
    }

    /// Returns the last write of the record as a whole.
    #[must_use]
    pub const fn stamp(&self) -> Stamp {
        Stamp { hlc: self.hlc, dot: self.dot }
    }

    /// Returns the fields in which there are writes that `seen` lacks.
    pub(crate) fn unseen<'a>(
        &'a self,
        seen: &'a VectorClock,
    ) -> impl Iterator<Item = (&'a FieldName, &'a Slot)> {
        self.fields.iter().filter(|(_, slot)| !slot.is_seen(seen))
    }
}

/// What becomes of a record besides its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It stays what it is: alive.
    Lives,
    /// It begins, or begins again, without fields but those of the change.
    Begins,
    /// It becomes a tombstone.
    Ends,
}

/// What one op does to a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The op, and its effective time.
    pub stamp: Stamp,
    /// What becomes of the record.
    pub life: Life,
    /// The fields written, with their new values and the times that these count from.
    pub fields: BTreeMap<FieldName, (Option<Value>, HybridTime)>,
    /// Of those whose new value is combined with others: the writes in it that the author had not seen.
    pub combined: BTreeMap<FieldName, VectorClock>,
    /// Whether the op's update goes into the document behind the record.
    pub document: bool,
}

impl Change {
    /// Returns a change that writes no field yet.
    #[must_use]
    pub const fn new(stamp: Stamp, life: Life) -> Self {
        Self { stamp, life, fields: BTreeMap::new(), combined: BTreeMap::new(), document: false }
    }

    /// Returns the record after the change. Its place in the log and its schema are for the caller to set.
    #[must_use]
    pub fn applied_to(&self, record: Option<&Record>) -> Record {
        self.clone().into_record(record.cloned())
    }

    /// Does the same without copying any value.
    #[must_use]
    pub fn into_record(self, record: Option<Record>) -> Record {
        let mut after = record.unwrap_or_else(|| blank(self.stamp));
        after.ver = RecordVersion(after.ver.0.saturating_add(1));
        after.vv.raise(self.stamp.dot);
        after.dot = self.stamp.dot;
        after.hlc = after.hlc.max(self.stamp.hlc);
        after.deleted = self.life == Life::Ends;
        if self.life != Life::Lives {
            after.fields.clear();
        }
        for (name, (value, hlc)) in self.fields {
            let stamp = Stamp { hlc, ..self.stamp };
            after.hlc = after.hlc.max(hlc);
            let others = self.combined.get(&name).cloned().unwrap_or_default();
            after.fields.insert(name, Slot { value, stamp, ver: after.ver, others });
        }
        after
    }
}

const fn blank(stamp: Stamp) -> Record {
    Record {
        epoch: Epoch(0),
        ver: RecordVersion(0),
        seq: Sequence(0),
        vv: VectorClock::new(),
        dot: stamp.dot,
        hlc: stamp.hlc,
        deleted: false,
        fields: BTreeMap::new(),
        schema_v: 0,
    }
}
