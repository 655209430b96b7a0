//! Exports and imports of documents in a data folder that no server has open.

use std::{
    collections::BTreeSet,
    io::{self, BufRead, Write},
};

use bytes::Bytes;
use data_encoding::BASE64;
use serde::Serialize;
use syncline_core::{
    id::{RoomName, TenantId},
    log::{Author, Engine, Former},
};
use syncline_protocol::{
    Absorbed, Hosted, Loaded, RoomLimits, ledger::entity_of, wire::automerge::is_document_name,
};
use syncline_store::{
    Batch, CommitError, ReadError, RecordTooLong, Store,
    records::{self, LoadError, Named, RecordError},
};

use super::{
    intake::{DocumentsImported, Existing, ImportedLine, Intake, NotTaken, Taken},
    line::{self, LINE_BYTES_MAX, Line, NoExport, PIECE_BYTES, TAIL},
    stored::{self, NoState, State},
};
use crate::{
    clock::Clock,
    docs::{
        edit::{AUTOMERGE_NAME, OTHER_KIND},
        refusal::Refusal,
    },
    entities::{BulkError, OfflineError, OfflineLedger},
    limits::{IMPORT_BATCH_BYTES, IMPORT_BATCH_RECORDS, NAMES_PAGE},
    lines::{Line as Came, next_line},
    loader::new_document_id,
    room::{Place, absorb_alone},
};

/// The documents of a tenant in a store that nobody else uses.
pub struct OfflineDocuments<'s> {
    entities: OfflineLedger<'s>,
    author: Author,
    clock: Clock,
    /// What is to be stored next, and what is told of it then.
    batch: Batch,
    /// The names of the documents that it changes.
    changed: BTreeSet<RoomName>,
    waiting: Vec<ImportedLine>,
}

/// Why an export or an import ended early. What was told by then is stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfflineDocumentsError {
    /// Lines could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The lines are no export.
    #[error(transparent)]
    NoExport(#[from] NoExport),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The record that names a document is damaged.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The store does not take the documents.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// A document is too long to be stored.
    #[error(transparent)]
    TooLong(#[from] RecordTooLong),
    /// The entities of the tenant cannot be loaded.
    #[error(transparent)]
    Entities(#[from] OfflineError),
    /// The entity that a document is does not take it.
    #[error(transparent)]
    Entity(#[from] BulkError),
}

/// What an export has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DocumentsExported {
    /// How many documents.
    pub documents: u64,
    /// How many bytes their states have together.
    pub bytes: u64,
    /// How many could not be read.
    pub unreadable: u64,
}

/// One document of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedLine {
    /// Its name.
    pub name: RoomName,
    /// How many bytes its state has, or why it is not there.
    pub outcome: Result<u64, NotTaken>,
}

impl<'s> OfflineDocuments<'s> {
    /// Opens the documents of a tenant. What is imported is by `author`.
    ///
    /// # Errors
    /// [`OfflineDocumentsError::Entities`]: some documents are entities, and what is known of those cannot be read.
    pub fn open(
        store: &'s mut dyn Store,
        tenant: TenantId,
        author: Author,
    ) -> Result<Self, OfflineDocumentsError> {
        Ok(Self {
            entities: OfflineLedger::open(store, tenant)?,
            author,
            clock: Clock::start(),
            batch: Batch::new(),
            changed: BTreeSet::new(),
            waiting: Vec::new(),
        })
    }

    /// Returns how many documents have names that begin with `prefix` and come behind `after`.
    ///
    /// # Errors
    /// [`OfflineDocumentsError::Record`].
    pub fn count(&self, prefix: &str, after: Option<&RoomName>) -> Result<u64, OfflineDocumentsError> {
        let mut count = 0;
        self.each_name(prefix, after, |_, _| {
            count += 1;
            Ok(())
        })?;
        Ok(count)
    }

    /// Writes these documents as lines of JSON, as `GET /docs/v1/export` answers. `told` hears of each.
    ///
    /// # Errors
    /// [`OfflineDocumentsError`]: the last line is missing.
    pub fn export(
        &self,
        prefix: &str,
        after: Option<&RoomName>,
        out: &mut dyn Write,
        mut told: impl FnMut(&ExportedLine),
    ) -> Result<DocumentsExported, OfflineDocumentsError> {
        let mut sum = DocumentsExported::default();
        out.write_all(line::first(self.count(prefix, after)?).as_bytes())?;
        self.each_name(prefix, after, |name, named| {
            let engine = named.as_ref().ok().map(|named| named.engine);
            let Some(read) = self.state(&name, named)? else { return Ok(()) };
            let outcome = match read {
                Ok(state) => {
                    write_document(out, &name, &state)?;
                    sum.documents += 1;
                    sum.bytes += state.bytes.len() as u64;
                    Ok(state.bytes.len() as u64)
                }
                Err(error) => {
                    let why = error.told();
                    out.write_all(line::unreadable(&name, engine, &why).as_bytes())?;
                    sum.unreadable += 1;
                    Err(why)
                }
            };
            told(&ExportedLine { name, outcome });
            Ok(())
        })?;
        out.write_all(line::end(sum.documents, sum.unreadable).as_bytes())?;
        out.flush()?;
        Ok(sum)
    }

    /// Returns what is stored of a document; nothing if there is none any more.
    fn state(
        &self,
        name: &RoomName,
        named: Result<Named, RecordError>,
    ) -> Result<Option<Result<State, NoState>>, OfflineDocumentsError> {
        let is_gone =
            self.is_entity(name) && entity_of(name).is_some_and(|key| self.entities.ledger().is_gone(&key));
        let named = match named {
            _ if is_gone => return Ok(None),
            Ok(named) => named,
            Err(RecordError::Read(error)) => return Err(error.into()),
            Err(damaged) => return Ok(Some(Err(NoState::Name(damaged)))),
        };
        let read = stored::read(self.entities.store(), self.entities.tenant(), name, named)?;
        Ok(read.map(|read| read?.state()))
    }

    /// Takes in the lines of an export, as `POST /docs/v1/import` does. `told` hears of each line when what it says is stored.
    ///
    /// # Errors
    /// [`OfflineDocumentsError`]: what was told is stored. The same lines may be imported again.
    pub fn import(
        &mut self,
        lines: &mut dyn BufRead,
        existing: Existing,
        mut told: impl FnMut(&ImportedLine),
    ) -> Result<DocumentsImported, OfflineDocumentsError> {
        let Some(Came::Whole(first)) = next_line(lines, LINE_BYTES_MAX)? else {
            return Err(NoExport::Other.into());
        };
        line::begin(&first)?;
        let (mut intake, mut number) = (Intake::default(), 1);
        while let Some(came) = next_line(lines, LINE_BYTES_MAX)? {
            number += 1;
            let done = match came {
                Came::Passed(passed) => ImportedLine::passed(number, passed),
                Came::Whole(text) if text.is_empty() => continue,
                Came::Whole(text) => match line::read(&text) {
                    Ok(Line::End { lines }) => {
                        intake.end(lines);
                        continue;
                    }
                    Ok(Line::Unreadable { name }) => ImportedLine::unreadable(number, name),
                    Ok(Line::Document { name, engine, state }) => {
                        let bytes = state.len() as u64;
                        if self.changed.contains(&name) {
                            self.store(&mut intake, &mut told)?;
                        }
                        let outcome = self.take(existing, &name, engine, state)?;
                        ImportedLine { line: number, name: Some(name), bytes, outcome }
                    }
                    Err(misread) => ImportedLine::misread(number, misread),
                },
            };
            self.waiting.push(done);
            if self.waiting.len() >= IMPORT_BATCH_RECORDS || self.batch.bytes() >= IMPORT_BATCH_BYTES {
                self.store(&mut intake, &mut told)?;
            }
        }
        self.store(&mut intake, &mut told)?;
        Ok(intake.sum())
    }

    /// Stores what was taken in, and tells of it.
    fn store(
        &mut self,
        intake: &mut Intake,
        told: &mut impl FnMut(&ImportedLine),
    ) -> Result<(), OfflineDocumentsError> {
        let batch = std::mem::take(&mut self.batch);
        self.changed.clear();
        if !batch.is_empty() {
            self.entities.store_mut().commit(batch)?;
        }
        for line in self.waiting.drain(..) {
            intake.count(&line);
            told(&line);
        }
        Ok(())
    }

    /// Has a document take in a state. What it is to store waits for the next commit.
    fn take(
        &mut self,
        existing: Existing,
        name: &RoomName,
        engine: Engine,
        state: Bytes,
    ) -> Result<Result<Taken, NotTaken>, OfflineDocumentsError> {
        let refused = |code, message: &str| Ok(Err(NotTaken { code, message: message.to_owned() }));
        let known = records::named(self.entities.store(), self.entities.tenant(), name)?;
        match known {
            Some(known) if known.engine != engine => return Ok(Err(Refusal::OtherKind(OTHER_KIND).told())),
            Some(_) if existing == Existing::Skip => return Ok(Ok(Taken::Skipped)),
            Some(_) if existing == Existing::Fail => return Ok(Err(Refusal::Taken.told())),
            Some(_) => {}
            None if engine == Engine::Automerge && !is_document_name(name.as_str()) => {
                return Ok(Err(Refusal::Malformed(AUTOMERGE_NAME.to_owned()).told()));
            }
            None => {}
        }
        let absorbed = if self.is_entity(name) && engine == Engine::Yjs {
            self.absorb_entity(name, state)?
        } else {
            self.absorb(name, known, engine, state)?
        };
        let taken = match absorbed {
            Absorbing::Done(Absorbed::New) if known.is_some() => Taken::Merged,
            Absorbing::Done(Absorbed::New) => Taken::Created,
            Absorbing::Done(Absorbed::Known) => Taken::Unchanged,
            Absorbing::Done(Absorbed::Refused { reason: "too-large" }) => {
                return refused("too-large", "the document would be longer than one may be");
            }
            Absorbing::Done(Absorbed::Refused { reason }) => {
                return refused(
                    "refused-update",
                    &format!("the document breaks its rules with this: {reason}"),
                );
            }
            Absorbing::Done(Absorbed::Broke | Absorbed::Changed) | Absorbing::NoRoom => {
                return refused("broken", "the document that is there cannot be read");
            }
            Absorbing::Deleted => return Ok(Err(Refusal::Deleted.told())),
        };
        Ok(Ok(taken))
    }

    fn absorb(
        &mut self,
        name: &RoomName,
        known: Option<Named>,
        engine: Engine,
        update: Bytes,
    ) -> Result<Absorbing, OfflineDocumentsError> {
        let (store, tenant) = (self.entities.store(), self.entities.tenant());
        let loaded = match known.map(|known| records::load(store, tenant, known.document)).transpose() {
            Ok(loaded) => loaded.unwrap_or_default(),
            Err(LoadError::Read(error)) => return Err(error.into()),
            Err(_damaged) => return Ok(Absorbing::NoRoom),
        };
        let loaded = Loaded { snapshot: loaded.snapshot, log: loaded.log };
        let now = self.clock.now();
        let Ok(mut room) = Hosted::load(now, engine, &loaded, &RoomLimits::default()) else {
            return Ok(Absorbing::NoRoom);
        };
        match records::former(store, tenant, name)? {
            Former::Everyone => return Ok(Absorbing::Deleted),
            Former::Clients(clients) => room.set_former(clients),
        }
        let document = known.map_or_else(new_document_id, |known| known.document);
        let place = Place { tenant, name, document, named: known.is_some() };
        let (author, waiting) = (self.author.clone(), &mut self.batch);
        let stored = absorb_alone(now, room, &place, author.into(), update, |batch| {
            waiting.append(batch);
            Ok::<_, RecordTooLong>(())
        });
        let Some(absorbed) = stored? else { return Ok(Absorbing::NoRoom) };
        if absorbed == Absorbed::New {
            self.changed.insert(name.clone());
        }
        Ok(Absorbing::Done(absorbed))
    }

    /// The change of its record goes with it, in a commit of its own.
    fn absorb_entity(&mut self, name: &RoomName, update: Bytes) -> Result<Absorbing, OfflineDocumentsError> {
        let Some(key) = entity_of(name) else { return Ok(Absorbing::NoRoom) };
        if self.entities.ledger().is_gone(&key) {
            return Ok(Absorbing::Deleted);
        }
        let absorbed = self.entities.absorb_as(self.author.clone().into(), &key, update)?;
        Ok(absorbed.map_or(Absorbing::NoRoom, Absorbing::Done))
    }

    /// Returns whether a document is an entity.
    fn is_entity(&self, name: &RoomName) -> bool {
        entity_of(name).is_some_and(|key| self.entities.ledger().has_documents(&key.kind))
    }

    fn each_name(
        &self,
        prefix: &str,
        after: Option<&RoomName>,
        mut each: impl FnMut(RoomName, Result<Named, RecordError>) -> Result<(), OfflineDocumentsError>,
    ) -> Result<(), OfflineDocumentsError> {
        let (store, tenant) = (self.entities.store(), self.entities.tenant());
        let mut after = after.cloned();
        loop {
            let found = records::names_with_kinds(store, tenant, prefix, after.as_ref(), NAMES_PAGE)?;
            let is_last = found.len() < NAMES_PAGE;
            after = found.last().map(|(name, _)| name.clone());
            found.into_iter().try_for_each(|(name, named)| each(name, named))?;
            if is_last {
                return Ok(());
            }
        }
    }
}

/// What a document says to a state.
enum Absorbing {
    Done(Absorbed),
    /// What is stored makes no document.
    NoRoom,
    /// It was deleted for good.
    Deleted,
}

fn write_document(out: &mut dyn Write, name: &RoomName, state: &State) -> io::Result<()> {
    let mut text = line::head(name, state.engine, state.commit, state.bytes.len());
    for piece in state.bytes.chunks(PIECE_BYTES) {
        BASE64.encode_append(piece, &mut text);
        out.write_all(text.as_bytes())?;
        text.clear();
    }
    text.push_str(TAIL);
    out.write_all(text.as_bytes())
}
