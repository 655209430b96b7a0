//! `GET /docs/v1/export`: all documents that the caller may read, as lines of JSON.

use std::sync::Arc;

use axum::{
    extract::{Query, rejection::QueryRejection},
    response::Response,
};
use data_encoding::BASE64;
use serde::Deserialize;
use syncline_core::{access::Action, id::RoomName, log::Engine};
use syncline_store::records::{Named, RecordError};

use super::{
    intake::NotTaken,
    line,
    outlet::{Outlet, Unread, finished, outlet},
    stored::{self, NoState, State},
};
use crate::{
    docs::{caller::Caller, list::names, places::Places, refusal::Refusal, state},
    http::lines,
    limits::{EXPORT_PIECES_MAX, NAMES_PAGE},
    memory::Held,
    registry::RoomKey,
};

/// Which documents are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::docs) struct Wanted {
    /// What their names begin with.
    #[serde(default)]
    prefix: String,
    /// The name behind which to go on.
    after: Option<String>,
}

/// Answers in order of names. Each document is as it is stored when its turn comes.
pub(in crate::docs) async fn export(
    caller: Caller,
    wanted: Result<Query<Wanted>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(Wanted { prefix, after }) =
        wanted.map_err(|rejection| Refusal::Malformed(rejection.body_text()))?;
    let after = after.map(|after| RoomName::new(&after).map_err(|_| Refusal::Name)).transpose()?;
    let places = Places::of_bulk(&caller)?;
    let exporter = Exporter { caller, prefix, after, _places: places };
    let documents = exporter.count().await?;
    exporter.caller.check_lease()?;
    let (outlet, body) = outlet(EXPORT_PIECES_MAX);
    let epoch = Arc::clone(&exporter.caller.epoch);
    epoch.tasks.spawn(exporter.run(outlet, documents));
    Ok(lines(body))
}

/// Why an export ends early: its last line is missing then.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Unread(#[from] Unread),
    #[error("what the caller showed is good no longer, or the server stops")]
    Over,
}

/// Writes an export, a document at a time.
struct Exporter {
    caller: Caller,
    prefix: String,
    after: Option<RoomName>,
    _places: Places,
}

/// How many documents were written.
#[derive(Default)]
struct Written {
    documents: u64,
    unreadable: u64,
}

impl Exporter {
    async fn run(self, outlet: Outlet, documents: u64) {
        let written = async {
            self.write(&outlet, documents).await?;
            Ok(outlet)
        };
        let over = async {
            self.caller.ended().await;
            Ended::Over
        };
        if let Err(ended) = finished(written, over).await {
            tracing::debug!(%ended, "an export of documents ended early");
        }
    }

    async fn write(&self, outlet: &Outlet, documents: u64) -> Result<(), Ended> {
        outlet.send(line::first(documents)).await?;
        let (mut written, mut after) = (Written::default(), self.after.clone());
        loop {
            let found = names(&self.caller, &self.prefix, after.take()).await?;
            let is_last = found.len() < NAMES_PAGE;
            after = found.last().map(|(name, _)| name.clone());
            for (name, named) in found {
                self.caller.check_lease()?;
                if self.caller.may(&name, Action::Read) {
                    self.write_one(outlet, &name, named, &mut written).await?;
                }
            }
            if is_last {
                break;
            }
        }
        Ok(outlet.send(line::end(written.documents, written.unreadable)).await?)
    }

    /// Writes one document, or why there is none; nothing of one that is deleted meanwhile.
    async fn write_one(
        &self,
        outlet: &Outlet,
        name: &RoomName,
        named: Result<Named, RecordError>,
        written: &mut Written,
    ) -> Result<(), Ended> {
        let engine = named.as_ref().ok().map(|named| named.engine);
        let state = match named {
            Ok(named) => self.state(name, named).await?,
            Err(RecordError::Read(_)) => return Err(Refusal::StoreDown.into()),
            Err(damaged) => Some(Err(broken(name, &NoState::Name(damaged)))),
        };
        let Some(state) = state else { return Ok(()) };
        // What it showed was good when the document was read, and has to be when it is sent.
        self.caller.check_lease()?;
        let State { engine, commit, bytes } = match state {
            Ok(state) => state,
            Err(why) => {
                written.unreadable += 1;
                return Ok(outlet.send(line::unreadable(name, engine, &why)).await?);
            }
        };
        written.documents += 1;
        let held = Held::new(&self.caller.shared.memory, bytes);
        let mut text = line::head(name, engine, commit, held.bytes.len());
        for piece in held.bytes.chunks(line::PIECE_BYTES) {
            BASE64.encode_append(piece, &mut text);
            if text.len() > line::PIECE_BYTES {
                outlet.send(std::mem::take(&mut text)).await?;
            }
        }
        text.push_str(line::TAIL);
        Ok(outlet.send(text).await?)
    }

    /// Returns the state that is stored of a document, or what is told if there is none; nothing if there is no such document any
    /// more.
    async fn state(&self, name: &RoomName, named: Named) -> Result<Option<Result<State, NotTaken>>, Refusal> {
        let Caller { epoch, tenant, .. } = &self.caller;
        let room = RoomKey { tenant: tenant.clone(), name: name.clone() };
        if state::is_gone(&self.caller, &room).await? {
            return Ok(None);
        }
        let turn = epoch.loads.acquire().await.expect("the semaphore is never closed");
        let (number, own) = (tenant.id(), name.clone());
        let read = epoch.storage.read(move |store| stored::read(store, number, &own, named)).await?;
        let stored = match read.map_err(|_unreadable| Refusal::StoreDown)? {
            None => return Ok(None),
            Some(Ok(stored)) => stored,
            Some(Err(damaged)) => return Ok(Some(Err(broken(name, &damaged)))),
        };
        if stored.is_suspect {
            // The room has its turn to load it, and takes notes of what becomes of that.
            drop(turn);
            return self.state_in_room(&room, named.engine).await;
        }
        let state = state::blocking(move || Ok(stored.state())).await;
        Ok(Some(match state {
            Ok(Ok(state)) => Ok(state),
            Ok(Err(error)) => Err(broken(name, &error)),
            // It panicked.
            Err(refusal) => Err(refusal.told()),
        }))
    }

    async fn state_in_room(
        &self,
        room: &RoomKey,
        engine: Engine,
    ) -> Result<Option<Result<State, NotTaken>>, Refusal> {
        match state::content(&self.caller, room).await {
            Ok(content) => {
                let state = State { engine, commit: content.revision.commit, bytes: content.update };
                Ok(Some(stored::checked(state).map_err(|error| error.told())))
            }
            Err(Refusal::Absent | Refusal::Deleted) => Ok(None),
            Err(Refusal::Broken) => Ok(Some(Err(Refusal::Broken.told()))),
            Err(refusal) => Err(refusal),
        }
    }

    /// Returns how many documents there are to export now.
    async fn count(&self) -> Result<u64, Refusal> {
        let (mut count, mut after) = (0, self.after.clone());
        loop {
            let found = names(&self.caller, &self.prefix, after.take()).await?;
            let readable = found.iter().filter(|(name, _)| self.caller.may(name, Action::Read));
            count += readable.count() as u64;
            match found.last() {
                Some((last, _)) if found.len() == NAMES_PAGE => after = Some(last.clone()),
                Some(_) | None => return Ok(count),
            }
        }
    }
}

/// Returns what is told of a document that cannot be exported. The operator is told why.
fn broken(name: &RoomName, error: &NoState) -> NotTaken {
    tracing::error!(room = name.as_str(), %error, "a document cannot be exported");
    error.told()
}
