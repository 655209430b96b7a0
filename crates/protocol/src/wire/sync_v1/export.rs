//! Records as lines of JSON, to be kept and to be imported elsewhere.
//!
//! The first line says what comes, the last one holds SHA-256 over the bytes of all before it, line ends included. Behind the line
//! of a record that is a document come the pieces of what it holds, a line each.

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use syncline_core::entity::{Actors, EntityKey, Epoch, Record, Sequence};

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

/// What comes behind the line of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attached {
    /// Nothing: the record is no document, or is deleted.
    #[default]
    Nothing,
    /// The document, in pieces.
    Document {
        /// The length of what it holds, as one update, in bytes.
        bytes: u64,
    },
    /// Nothing, because the document could not be read.
    Unreadable,
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

    /// Adds the line of a record to `out`. The [pieces](Self::piece) of its document come next.
    pub fn record(
        &mut self,
        key: &EntityKey,
        record: &Record,
        actors: &Actors,
        attached: Attached,
        out: &mut String,
    ) {
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
            match attached {
                Attached::Nothing => {}
                Attached::Document { bytes } => o.object("document", |o| o.count("bytes", bytes)),
                Attached::Unreadable => o.object("document", |o| o.bool("unreadable", true)),
            }
        });
    }

    /// Adds a line with the next bytes of a document to `out`. There is one byte at least.
    pub fn piece(&mut self, bytes: &[u8], out: &mut String) {
        self.line(out, |o| o.bytes("update", bytes));
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
    /// How many documents were there and have taken in what they lacked.
    pub merged: u64,
    /// Those that were not taken.
    pub refused: Vec<(EntityKey, Problem)>,
    /// How many more were not.
    pub refused_beyond: u64,
}

impl ImportTally {
    /// Counts a record that was not taken, and names it if fewer than `max` are named.
    pub fn refuse(&mut self, key: EntityKey, problem: Problem, max: usize) {
        if self.refused.len() < max {
            self.refused.push((key, problem));
        } else {
            self.refused_beyond = self.refused_beyond.saturating_add(1);
        }
    }

    /// Returns the line that says how far an import has come: so many lines were read, and all up to this record is done.
    #[must_use]
    pub fn progress(&self, lines: u64, through: Option<&EntityKey>) -> String {
        let mut line = document(|o| {
            o.count("lines", lines);
            if let Some(EntityKey { kind, id }) = through {
                o.text("through", &format!("{kind}/{id}"));
            }
            self.count(o);
            o.count("refused", self.refused_beyond.saturating_add(self.refused.len() as u64));
        });
        line.push('\n');
        line
    }

    /// Returns the body of the answer.
    #[must_use]
    pub fn body(&self) -> String {
        document(|o| {
            self.count(o);
            o.objects("refused", &self.refused, |o, (key, problem)| {
                o.text("type", key.kind.as_str());
                o.text("id", key.id.as_str());
                o.object("problem", |o| problem.write(o));
            });
            o.count("refused_beyond", self.refused_beyond);
        })
    }

    fn count(&self, o: &mut Object<'_>) {
        o.count("imported", self.imported);
        o.count("unchanged", self.unchanged);
        o.count("merged", self.merged);
    }
}
