//! Answers to `push`, `pull` and `ack`.

use syncline_core::clock::HybridTime;
use syncline_core::entity::{Actors, EntityId, EntityKey, Epoch, Record, Sequence};
use syncline_core::time::WallMs;

use super::result::{Told, dot, vector};
use super::write::{Object, document, long_document, quoted_u64};
use crate::ledger::{Packed, Reset};

/// What a result, and a change, takes up in an answer, if it is short.
const RESULT_BYTES: usize = 200;
const CHANGE_BYTES: usize = 384;

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed<'a> {
    /// The life of the log.
    pub epoch: Epoch,
    /// The greatest number below which all of the device's ops have results.
    pub last_n: u64,
    /// The greatest number of the device.
    pub high_n: u64,
    /// The numbers behind the first hole that have their results.
    pub done_beyond: Vec<u64>,
    /// A pull that has read up to here has seen these writes.
    pub fence: Sequence,
    /// The results, in the order of the ops.
    pub results: Vec<Told<'a>>,
    /// The ids that the server gave in place of temporary ones.
    pub id_map: Vec<(EntityId, EntityId)>,
}

/// What has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled<'a> {
    /// The life of the log.
    pub epoch: Epoch,
    /// The end of the log.
    pub as_of: Sequence,
    /// The latest time that the server has given or taken.
    pub server_hlc: HybridTime,
    /// As in [`Pushed`].
    pub last_n: u64,
    /// As in [`Pushed`].
    pub high_n: u64,
    /// A page for each scope, in the order of the request.
    pub scopes: Vec<ScopePage<'a>>,
    /// The oldest results that the device has not acknowledged.
    pub results: Vec<Told<'a>>,
    /// Conflicts that wait for someone.
    pub conflicts_open: u64,
    /// After how long to ask again, in milliseconds.
    pub poll_after_ms: Option<u64>,
    /// That the client should be replaced.
    pub upgrade: Option<UpgradeHint<'a>>,
}

/// That a client should be replaced by a newer version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpgradeHint<'a> {
    /// The oldest that is still served.
    pub min: &'a str,
    /// The one to have.
    pub recommended: &'a str,
    /// Until when.
    pub deadline: Option<WallMs>,
}

/// A page of one scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopePage<'a> {
    /// The scope.
    pub scope: &'a str,
    /// Why the pass begins anew, if it does.
    pub reset: Option<Reset>,
    /// The changes, in the order of the log.
    pub changes: Vec<Change<'a>>,
    /// The cursor behind them.
    pub cursor: &'a str,
    /// Whether there are more.
    pub has_more: bool,
    /// The number of live records and the sum of their hashes.
    pub checksum: Option<(u64, u64)>,
    /// How much of the pass is done, of how much.
    pub progress: Option<(u64, u64)>,
}

/// A change as a device sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// The record is this now.
    Put(&'a EntityKey, &'a Record),
    /// The record is this now, or was deleted. It is unpacked when it is written, so that many take up little.
    Packed(&'a EntityKey, &'a Packed<Record>),
    /// It was deleted.
    Delete(&'a EntityKey, &'a Record),
    /// It is to be forgotten, though it was not deleted.
    Evict(&'a EntityKey, EvictReason),
    /// The document behind it has changed.
    Document {
        /// The entity.
        key: &'a EntityKey,
        /// The record.
        record: &'a Record,
        /// What the device lacks of the document.
        update: &'a [u8],
        /// What the server has of it.
        state_vector: &'a [u8],
    },
}

/// Why a device is to forget a record that was not deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvictReason {
    /// It has left the scope.
    Scope,
    /// It may no longer be seen.
    Permission,
}

/// What a device has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged<'a> {
    /// Scopes with the places up to which the device has stored them.
    pub acked: Vec<(&'a str, Sequence)>,
    /// Deletions up to here are no longer known.
    pub floor: Sequence,
}

impl Pushed<'_> {
    /// Returns the body of the answer.
    #[must_use]
    pub fn body(&self, actors: &Actors) -> String {
        long_document(RESULT_BYTES * self.results.len(), |o| self.write(o, actors))
    }

    pub(super) fn write(&self, o: &mut Object<'_>, actors: &Actors) {
        o.u64("epoch", self.epoch.0);
        o.u64("last_n", self.last_n);
        o.u64("high_n", self.high_n);
        o.list("done_beyond", &self.done_beyond, |out, n| quoted_u64(out, *n));
        o.u64("fence", self.fence.0);
        o.objects("results", &self.results, |o, told| told.write(o, actors));
        o.object("id_map", |o| self.id_map.iter().for_each(|(tmp, id)| o.text(tmp.as_str(), id.as_str())));
    }
}

impl Pulled<'_> {
    /// Returns the body of the answer.
    #[must_use]
    pub fn body(&self, actors: &Actors) -> String {
        let changes: usize = self.scopes.iter().map(|page| page.changes.len()).sum();
        long_document(CHANGE_BYTES * changes, |o| self.write(o, actors))
    }

    pub(super) fn write(&self, o: &mut Object<'_>, actors: &Actors) {
        o.u64("epoch", self.epoch.0);
        o.u64("as_of", self.as_of.0);
        o.hlc("server_hlc", self.server_hlc);
        o.u64("last_n", self.last_n);
        o.u64("high_n", self.high_n);
        o.objects("scopes", &self.scopes, |o, page| page.write(o, actors));
        o.objects("results", &self.results, |o, told| told.write(o, actors));
        o.count("conflicts_open", self.conflicts_open);
        o.object("hints", |o| {
            self.poll_after_ms.iter().for_each(|ms| o.count("poll_after_ms", *ms));
            if let Some(upgrade) = self.upgrade {
                o.object("upgrade", |o| upgrade.write(o));
            }
        });
    }
}

impl UpgradeHint<'_> {
    fn write(self, o: &mut Object<'_>) {
        o.text("min", self.min);
        o.text("recommended", self.recommended);
        self.deadline.into_iter().for_each(|deadline| o.time("deadline", deadline));
    }
}

impl ScopePage<'_> {
    pub(super) fn write(&self, o: &mut Object<'_>, actors: &Actors) {
        o.text("scope", self.scope);
        match self.reset {
            Some(reset) => o.object("reset", |o| o.text("reason", reset.as_str())),
            None => o.null("reset"),
        }
        o.objects("changes", &self.changes, |o, change| change.write(o, actors));
        o.text("cursor", self.cursor);
        o.bool("has_more", self.has_more);
        o.bool("up_to_date", !self.has_more);
        if let Some((count, sum)) = self.checksum {
            o.object("checksum", |o| {
                o.u64("count", count);
                o.text("sum", &format!("{sum:016x}"));
            });
        }
        if let Some((done, total)) = self.progress {
            o.object("progress", |o| {
                o.count("done", done);
                o.count("total", total);
            });
        }
    }
}

impl Change<'_> {
    pub(super) fn write(&self, o: &mut Object<'_>, actors: &Actors) {
        let (op, key) = match self {
            Self::Packed(key, packed) => {
                let record = packed.read();
                let is_gone = record.deleted;
                let change = if is_gone { Change::Delete(key, &record) } else { Change::Put(key, &record) };
                return change.write(o, actors);
            }
            Self::Put(key, _) => ("put", key),
            Self::Delete(key, _) => ("delete", key),
            Self::Evict(key, _) => ("evict", key),
            Self::Document { key, .. } => ("crdt", key),
        };
        o.text("op", op);
        o.text("type", key.kind.as_str());
        o.text("id", key.id.as_str());
        match self {
            Self::Put(_, record) => {
                head(o, record, actors);
                o.count("schema_v", record.schema_v.into());
                o.object("data", |o| {
                    let fields =
                        record.fields.iter().filter_map(|(name, slot)| Some((name, slot.value.as_ref()?)));
                    fields.for_each(|(name, value)| o.value(name.as_str(), value));
                });
            }
            Self::Delete(_, record) => head(o, record, actors),
            // It is written as one of the others.
            Self::Packed(..) => {}
            Self::Evict(_, EvictReason::Scope) => o.text("reason", "scope"),
            Self::Evict(_, EvictReason::Permission) => o.text("reason", "permission"),
            Self::Document { record, update, state_vector, .. } => {
                head(o, record, actors);
                o.bytes("update", update);
                o.bytes("state_vector", state_vector);
                let data = record.data();
                if !data.is_empty() {
                    o.values("data", &data);
                }
            }
        }
    }
}

fn head(o: &mut Object<'_>, record: &Record, actors: &Actors) {
    o.u64("epoch", record.epoch.0);
    o.u64("ver", record.ver.0);
    o.u64("seq", record.seq.0);
    vector(o.key("vv"), &record.vv, actors);
    dot(o.key("dot"), record.dot, actors);
    o.hlc("hlc", record.hlc);
}

impl Acknowledged<'_> {
    /// Returns the body of the answer.
    #[must_use]
    pub fn body(&self) -> String {
        document(|o| self.write(o))
    }

    pub(super) fn write(&self, o: &mut Object<'_>) {
        o.objects("acked", &self.acked, |o, (scope, pos)| {
            o.text("scope", scope);
            o.u64("pos", pos.0);
        });
        o.u64("floor", self.floor.0);
    }
}
