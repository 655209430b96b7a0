//! Exports and imports of a data folder that no server has open.

use std::io::{self, BufRead, Write};

use bytes::Bytes;
use syncline_core::{
    doc::YjsDocument,
    entity::{EntityKey, TypeForm, TypeName},
    log::{Author, Credit, Engine},
};
use syncline_protocol::{
    Absorbed, Hosted, Loaded, RoomLimits,
    ledger::{Answer, Input, Ticket, Touched, TypeRefusal, room_of},
    wire::sync_v1::{Attached, ImportError, ImportTally},
};
use syncline_store::{
    Batch, ReadError, RecordTooLong,
    records::{self, LoadError, RecordError},
};

use super::{OfflineError, OfflineLedger};
use crate::{
    entities::bulk::{Brought, IMPORT, Intake, Step, Wanted},
    limits::{EXPORT_PIECE_BYTES, SYNC_BODY_BYTES_MAX},
    lines::{Line, next_line},
    loader::new_document_id,
    room::{Place, absorb_alone},
};

/// What an export has written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// How many records.
    pub records: u64,
    /// How many of them with the documents that they are.
    pub documents: u64,
    /// Those without, because what is stored of the document makes none.
    pub unreadable: Vec<EntityKey>,
}

/// Why an export or an import ended early. What was imported by then stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BulkError {
    /// There is no such type.
    #[error("there is no type `{0}`")]
    UnknownType(TypeName),
    /// Lines could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The lines are no export.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A line is too long.
    #[error("a line has more than {SYNC_BODY_BYTES_MAX} bytes")]
    LongLine,
    /// What the export says of a type is no type.
    #[error("type `{name}`")]
    Form {
        /// Its name.
        name: TypeName,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A type of the export is not taken.
    #[error(transparent)]
    Type(#[from] TypeRefusal),
    /// The ledger was not changed.
    #[error(transparent)]
    Offline(#[from] OfflineError),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The record that names a document is damaged.
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl From<RecordTooLong> for BulkError {
    fn from(error: RecordTooLong) -> Self {
        Self::Offline(error.into())
    }
}

impl OfflineLedger<'_> {
    /// Writes what is wanted as lines of JSON, as `GET /sync/v1/export` answers. `told` hears of each record.
    ///
    /// # Errors
    /// [`BulkError`]: the last line is missing.
    pub fn export(
        &self,
        wanted: &Wanted,
        out: &mut dyn Write,
        mut told: impl FnMut(&Exported, &EntityKey),
    ) -> Result<Exported, BulkError> {
        let (ledger, mut text) = (&self.machine, String::new());
        let (mut export, keys) = wanted.begin(ledger, &mut text).map_err(BulkError::UnknownType)?;
        let mut done = Exported::default();
        for key in keys {
            let Some(record) = ledger.record(&key) else { continue };
            let is_document = !record.deleted && ledger.is_document(&key);
            let update = if is_document { self.document(&key)? } else { None };
            let attached = match &update {
                Some(update) => Attached::Document { bytes: update.len() as u64 },
                None if is_document => Attached::Unreadable,
                None => Attached::Nothing,
            };
            export.record(&key, &record, ledger.actors(), attached, &mut text);
            for piece in update.iter().flat_map(|update| update.chunks(EXPORT_PIECE_BYTES)) {
                out.write_all(std::mem::take(&mut text).as_bytes())?;
                export.piece(piece, &mut text);
            }
            out.write_all(std::mem::take(&mut text).as_bytes())?;
            done.records += 1;
            done.documents += u64::from(update.is_some());
            if attached == Attached::Unreadable {
                done.unreadable.push(key.clone());
            }
            told(&done, &key);
        }
        export.end(&mut text);
        out.write_all(text.as_bytes())?;
        out.flush()?;
        Ok(done)
    }

    /// Creates the records of an export that are not there, and adds to documents what they lack, as `POST /sync/v1/import`
    /// does. `after` is passed over, and what comes before it. `told` hears what is stored so far, as a line of JSON.
    ///
    /// # Errors
    /// [`BulkError`]: some may have been imported. The same lines may be imported again.
    pub fn import(
        &mut self,
        lines: &mut dyn BufRead,
        after: Option<EntityKey>,
        mut told: impl FnMut(&str),
    ) -> Result<ImportTally, BulkError> {
        let mut intake = Intake::behind(after);
        while let Some(line) = next_line(lines, SYNC_BODY_BYTES_MAX)? {
            let Line::Whole(line) = line else { return Err(BulkError::LongLine) };
            let ledger = &self.machine;
            match intake.line(&line, |kind| ledger.has_documents(kind))? {
                Step::More => {}
                Step::Declare(types) => self.declare(types)?,
                Step::Take => {
                    self.take(&mut intake)?;
                    told(intake.progress().trim_end());
                }
            }
        }
        Ok(intake.finish()?)
    }

    fn take(&mut self, intake: &mut Intake) -> Result<(), BulkError> {
        let (records, sort) = intake.batch();
        let answer = self.ask(|request| Input::Import { request, records })?;
        let Answer::Imported(imported) = answer else { return Err(OfflineError::NoAnswer.into()) };
        for brought in sort(intake, imported) {
            let absorbed = self.absorb(&brought)?;
            intake.absorbed(brought, absorbed);
        }
        Ok(())
    }

    /// Declares the types that are not known. Those that are stay as they are.
    fn declare(&mut self, forms: Vec<(TypeName, String)>) -> Result<(), BulkError> {
        for (name, form) in forms {
            if self.machine.entity_type(&name).is_some() {
                continue;
            }
            let form: TypeForm = serde_json::from_str(&form)
                .map_err(|source| BulkError::Form { name: name.clone(), source })?;
            let ty = Box::new(form.named(name).map_err(TypeRefusal::from)?);
            match self.ask(|request| Input::DefineType { request, ty })? {
                Answer::TypeDefined { .. } => {}
                Answer::TypeRefused(error) => return Err(error.into()),
                _ => return Err(OfflineError::NoAnswer.into()),
            }
        }
        Ok(())
    }

    /// Has the room of a document take in what an import brings. Nothing is returned if the document makes no room.
    fn absorb(&mut self, brought: &Brought) -> Result<Option<Absorbed>, BulkError> {
        let author = Author { user: None, device: Some(IMPORT.into()) };
        self.absorb_as(author.into(), &brought.key, brought.update.clone())
    }

    /// Has the room of a document take in an update, and stores what it says with the change of its record. Nothing is returned if
    /// the document makes no room.
    pub(crate) fn absorb_as(
        &mut self,
        credit: Credit,
        key: &EntityKey,
        update: Bytes,
    ) -> Result<Option<Absorbed>, BulkError> {
        let (tenant, name) = (self.tenant, room_of(key));
        let known = records::name(self.store, tenant, &name)?;
        let Some(loaded) = self.loaded(key)? else { return Ok(None) };
        let now = self.clock.now();
        let limits = RoomLimits::default();
        let Ok(room) = Hosted::load(now, Engine::Yjs, &loaded, &limits) else { return Ok(None) };
        let document = known.unwrap_or_else(new_document_id);
        let place = Place { tenant, name: &name, document, named: known.is_some() };
        absorb_alone(now, room, &place, credit, update, |batch| self.touch(key, batch))
    }

    /// Stores what a room has, with the change of its record.
    fn touch(&mut self, key: &EntityKey, batch: Batch) -> Result<(), BulkError> {
        let ticket = Ticket(1);
        self.rooms.insert(ticket, batch);
        let touched = Touched { ticket, key: key.clone(), merges: Vec::new(), typed: true };
        let now = self.clock.now();
        self.handle(now, Input::Touched(touched))?;
        Ok(())
    }

    /// Returns what a document holds, as one update; nothing if what is stored makes no document.
    fn document(&self, key: &EntityKey) -> Result<Option<Bytes>, BulkError> {
        let Some(loaded) = self.loaded(key)? else { return Ok(None) };
        let document = YjsDocument::load(loaded.snapshot.as_ref(), &loaded.log);
        Ok(document.ok().and_then(|document| document.encode().ok()))
    }

    /// Returns what is stored of a document; nothing if it is damaged.
    fn loaded(&self, key: &EntityKey) -> Result<Option<Loaded>, BulkError> {
        let Some(document) = records::name(self.store, self.tenant, &room_of(key))? else {
            return Ok(Some(Loaded::default()));
        };
        match records::load(self.store, self.tenant, document) {
            Ok(records::Loaded { snapshot, log, .. }) => Ok(Some(Loaded { snapshot, log })),
            Err(LoadError::Read(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }
}
