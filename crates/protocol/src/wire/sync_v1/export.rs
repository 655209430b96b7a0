//! Records as lines of JSON, to be kept and to be imported elsewhere.
//!
//! The first line says what comes, the last one holds SHA-256 over the bytes of all before it, line ends included.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use syncline_core::entity::{Actors, EntityKey, Epoch, Record, Refusal, Sequence};

use super::problem::Problem;
use super::result::dot;
use super::write::{Object, document};

/// The form of the lines, as their first one names it.
pub(super) const FORMAT: u64 = 1;

/// Writes an export, line by line.
#[derive(Clone, Debug, Default)]
pub struct Export {
    hasher: Sha256,
    records: u64,
}

/// What is said of an export before its records.
#[derive(Clone, Copy, Debug)]
pub struct Manifest<'a> {
    /// The life of the log.
    pub epoch: Epoch,
    /// The end of the log when the export began.
    pub as_of: Sequence,
    /// The types with their forms, which are JSON.
    pub types: &'a [(String, String)],
    /// How many records there were then.
    pub records: u64,
}

impl Export {
    /// Adds the first line to `out`.
    pub fn begin(&mut self, manifest: Manifest<'_>, out: &mut String) {
        self.line(out, |o| {
            o.count("format", FORMAT);
            o.u64("epoch", manifest.epoch.0);
            o.u64("as_of", manifest.as_of.0);
            o.object("types", |o| {
                manifest.types.iter().for_each(|(name, form)| o.key(name).push_str(form));
            });
            o.count("records", manifest.records);
        });
    }

    /// Adds the line of a record to `out`.
    pub fn record(&mut self, key: &EntityKey, record: &Record, actors: &Actors, out: &mut String) {
        self.records = self.records.saturating_add(1);
        self.line(out, |o| {
            o.text("type", key.kind.as_str());
            o.text("id", key.id.as_str());
            o.u64("ver", record.ver.0);
            if record.deleted {
                o.bool("deleted", true);
            } else {
                o.values("data", &record.data());
            }
            o.hlc("hlc", record.hlc);
            dot(o.key("dot"), record.dot, actors);
            o.count("schema_v", record.schema_v.into());
        });
    }

    /// Adds the last line to `out`.
    pub fn end(mut self, out: &mut String) {
        let (hash, records) = (self.hasher.finalize_reset(), self.records);
        self.line(out, |o| {
            o.text("sha256", &HEXLOWER.encode(&hash));
            o.count("records", records);
        });
    }

    fn line(&mut self, out: &mut String, fill: impl FnOnce(&mut Object<'_>)) {
        let line = document(fill) + "\n";
        self.hasher.update(&line);
        out.push_str(&line);
    }
}

/// What became of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportTally {
    /// How many records were created.
    pub imported: u64,
    /// How many were there already.
    pub unchanged: u64,
    /// Those that were not taken.
    pub refused: Vec<(EntityKey, Refusal)>,
    /// How many more were not.
    pub refused_beyond: u64,
}

impl ImportTally {
    /// Returns the body of the answer.
    #[must_use]
    pub fn body(&self) -> String {
        document(|o| {
            o.count("imported", self.imported);
            o.count("unchanged", self.unchanged);
            o.objects("refused", &self.refused, |o, (key, refusal)| {
                o.text("type", key.kind.as_str());
                o.text("id", key.id.as_str());
                o.object("problem", |o| Problem::from(refusal).write(o));
            });
            o.count("refused_beyond", self.refused_beyond);
        })
    }
}
