//! What exports and imports have in common, over HTTP and without a server.

use bytes::Bytes;
use syncline_core::entity::{EntityKey, EntityType, TypeForm, TypeName};
use syncline_protocol::{
    Absorbed,
    ledger::{Import, Imported, Ledger},
    wire::sync_v1::{
        Attached, Code, Export, ImportError, ImportLine, ImportReader, ImportTally, Manifest, Problem,
    },
};

use crate::limits::{IMPORT_BATCH_BYTES, IMPORT_BATCH_RECORDS, IMPORT_REFUSED_MAX};

/// Who brings what documents hold, as their logs name it.
pub(super) const IMPORT: &str = "srv:import";

/// What is to be exported.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of which types; of all, if none is named.
    pub types: Vec<TypeName>,
    /// Behind which entity; from the first on, if none is named.
    pub after: Option<EntityKey>,
}

/// An import: what its lines bring, batch by batch, and what became of it.
#[derive(Default)]
pub(super) struct Intake {
    reader: ImportReader,
    /// What is up to here is done and passed over.
    after: Option<EntityKey>,
    batch: Batch,
    /// The last record that was read.
    through: Option<EntityKey>,
    tally: ImportTally,
}

/// What is to be done when a line was read.
pub(super) enum Step {
    /// To read the next one.
    More,
    /// To declare types that are not known, with their forms, which are JSON.
    Declare(Vec<(TypeName, String)>),
    /// To take in the [batch](Intake::batch).
    Take,
}

/// Records that take effect together, and documents that come behind them.
#[derive(Default)]
struct Batch {
    records: Vec<(Import, Option<Vec<u8>>)>,
    /// Those that are not taken, whatever is there.
    refused: Vec<(EntityKey, Problem)>,
    document: Document,
    bytes: usize,
}

/// A document that a record brings, once the record is there.
pub(super) struct Brought {
    pub(super) key: EntityKey,
    pub(super) update: Bytes,
    /// Whether the record was not there before.
    is_new: bool,
}

/// What is to come of a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Document {
    #[default]
    None,
    /// More bytes of that of the last record.
    Wanted,
    /// More bytes of one that is not taken.
    Unwanted,
}

impl Wanted {
    /// Writes the first line, and returns what there is to export. If a type is not known its name is returned.
    pub(super) fn begin(
        &self,
        ledger: &Ledger,
        out: &mut String,
    ) -> Result<(Export, Vec<EntityKey>), TypeName> {
        if let Some(unknown) = self.types.iter().find(|kind| ledger.entity_type(kind).is_none()) {
            return Err(unknown.clone());
        }
        let is_wanted = |kind: &TypeName| self.types.is_empty() || self.types.contains(kind);
        let types: Vec<_> = ledger.types().filter(|ty| is_wanted(&ty.name)).map(shown).collect();
        let keys = ledger.entities(self.after.as_ref()).filter(|key| is_wanted(&key.kind));
        let keys: Vec<EntityKey> = keys.cloned().collect();
        let mut export = Export::default();
        let (epoch, as_of, records) = (ledger.epoch(), ledger.head(), keys.len() as u64);
        export.begin(Manifest { epoch, as_of, types: &types, records }, out);
        Ok((export, keys))
    }
}

impl Intake {
    /// Passes over what is up to `after`.
    pub(super) fn behind(after: Option<EntityKey>) -> Self {
        Self { after, ..Self::default() }
    }

    /// Takes in a line. `has_documents` says whether the entities of a type are documents here.
    pub(super) fn line(
        &mut self,
        line: &[u8],
        has_documents: impl FnOnce(&TypeName) -> bool,
    ) -> Result<Step, ImportError> {
        match self.reader.read(line)? {
            ImportLine::Types(types) => return Ok(Step::Declare(types)),
            ImportLine::End => return Ok(Step::Take),
            ImportLine::Record(record, attached) => {
                self.through = Some(record.key.clone());
                if self.after.as_ref().is_some_and(|after| record.key <= *after) {
                    self.batch.pass(attached);
                } else {
                    let is_document = has_documents(&record.key.kind);
                    self.batch.add(record, attached, is_document, line.len());
                }
            }
            ImportLine::Piece { bytes, is_last } => self.batch.append(bytes, is_last),
        }
        Ok(if self.batch.is_full() { Step::Take } else { Step::More })
    }

    /// Returns the records to create, and what is to be done with the answer.
    pub(super) fn batch(
        &mut self,
    ) -> (Vec<Import>, impl FnOnce(&mut Self, Vec<Imported>) -> Vec<Brought> + use<>) {
        let Batch { records, refused, .. } = std::mem::take(&mut self.batch);
        refused.into_iter().for_each(|(key, problem)| self.refuse(key, problem));
        let (records, documents): (Vec<_>, Vec<_>) = records.into_iter().unzip();
        let keys: Vec<EntityKey> = records.iter().map(|record: &Import| record.key.clone()).collect();
        let sort = |intake: &mut Self, imported: Vec<Imported>| {
            let sorted = keys.into_iter().zip(documents).zip(imported);
            sorted.filter_map(|((key, document), imported)| intake.sort(key, document, imported)).collect()
        };
        (records, sort)
    }

    /// Counts a record, unless its document is to be counted.
    fn sort(&mut self, key: EntityKey, document: Option<Vec<u8>>, imported: Imported) -> Option<Brought> {
        let is_new = match imported {
            Imported::Refused(refusal) => {
                self.refuse(key, Problem::from(&refusal));
                return None;
            }
            Imported::Created => true,
            Imported::Unchanged => false,
        };
        if let Some(update) = document {
            return Some(Brought { key, update: update.into(), is_new });
        }
        *(if is_new { &mut self.tally.imported } else { &mut self.tally.unchanged }) += 1;
        None
    }

    /// Counts a document; nothing is known of one that could not be opened.
    pub(super) fn absorbed(&mut self, Brought { key, is_new, .. }: Brought, absorbed: Option<Absorbed>) {
        match absorbed {
            Some(Absorbed::New | Absorbed::Known) if is_new => self.tally.imported += 1,
            Some(Absorbed::New) => self.tally.merged += 1,
            Some(Absorbed::Known) => self.tally.unchanged += 1,
            Some(Absorbed::Refused { reason }) => {
                let why = format!("the document does not take the update: {reason}");
                self.refuse(key, Problem::new(Code::ValidationFailed).because(why));
            }
            Some(Absorbed::Broke | Absorbed::Changed) | None => {
                let why = "the document cannot be opened";
                self.refuse(key, Problem::new(Code::HandlerUnavailable).because(why));
            }
        }
    }

    /// Returns the line that says how far it is.
    pub(super) fn progress(&self) -> String {
        self.tally.progress(self.reader.lines(), self.through.as_ref())
    }

    /// Returns what became of all, once there are no more lines.
    pub(super) fn finish(&mut self) -> Result<ImportTally, ImportError> {
        self.reader.finish()?;
        Ok(std::mem::take(&mut self.tally))
    }

    fn refuse(&mut self, key: EntityKey, problem: Problem) {
        self.tally.refuse(key, problem, IMPORT_REFUSED_MAX);
    }
}

impl Batch {
    /// Leaves out a record, and the document behind it.
    fn pass(&mut self, attached: Attached) {
        let is_document = matches!(attached, Attached::Document { .. });
        self.document = if is_document { Document::Unwanted } else { Document::None };
    }

    /// Adds a record. `is_document` says whether entities of its type are documents here, and `line_bytes` how long its line is.
    fn add(&mut self, record: Import, attached: Attached, is_document: bool, line_bytes: usize) {
        self.bytes += line_bytes;
        let odd = match attached {
            Attached::Unreadable => Some("the document could not be read when it was exported"),
            Attached::Document { .. } if !is_document => Some("entities of the type are no documents here"),
            Attached::Document { .. } | Attached::Nothing => None,
        };
        let is_document = matches!(attached, Attached::Document { .. });
        self.document = match odd {
            _ if !is_document => Document::None,
            Some(_) => Document::Unwanted,
            None => Document::Wanted,
        };
        match odd {
            Some(why) => {
                self.refused.push((record.key, Problem::new(Code::ValidationFailed).because(why)));
            }
            None => self.records.push((record, is_document.then(Vec::new))),
        }
    }

    /// Adds the next bytes of the document of the last record.
    fn append(&mut self, mut bytes: Vec<u8>, is_last: bool) {
        if let (Document::Wanted, Some((_, Some(document)))) = (self.document, self.records.last_mut()) {
            self.bytes += bytes.len();
            document.append(&mut bytes);
        }
        if is_last {
            self.document = Document::None;
        }
    }

    fn is_full(&self) -> bool {
        let count = self.records.len() + self.refused.len();
        self.document == Document::None && (count >= IMPORT_BATCH_RECORDS || self.bytes >= IMPORT_BATCH_BYTES)
    }
}

/// Returns the name of a type, and its form without what is secret.
pub(super) fn shown(ty: &EntityType) -> (String, String) {
    let form = serde_json::to_string(&TypeForm::from(ty.without_secret()));
    (ty.name.to_string(), form.expect("a form is JSON"))
}
