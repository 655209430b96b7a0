//! `POST /docs/v1/import`: documents that were exported, here or elsewhere. Each line is answered by one as soon as it is done.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Query, rejection::QueryRejection},
    response::Response,
};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesOrdered};
use serde::{Deserialize, Serialize};
use syncline_core::{access::Action, id::RoomName, log::Engine};
use syncline_protocol::Revision;
use tokio::time::{Instant, sleep_until, timeout};

use super::{
    intake::{DocumentsImported, Existing, ImportedLine, Intake, NotTaken, Taken},
    line::{self, LINE_BYTES_MAX, NoExport},
    outlet::{Outlet, Unread, outlet},
    window::Window,
};
use crate::{
    docs::{
        caller::Caller,
        edit::{OTHER_KIND, check_name},
        places::Places,
        refusal::Refusal,
        state,
    },
    http,
    inbound::Charge,
    limits::IMPORT_RESULTS_MAX,
    lines::{Line, Lines, NoLine},
};

/// How often it counts what has come of a line.
const PAID_EVERY: Duration = Duration::from_secs(1);

/// How documents are imported.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::docs) struct Manner {
    #[serde(default)]
    existing: Existing,
}

/// Answers line by line while the body is still sent, unless its first line begins no export.
pub(in crate::docs) async fn import(
    caller: Caller,
    manner: Result<Query<Manner>, QueryRejection>,
    body: Body,
) -> Result<Response, Refusal> {
    let Query(Manner { existing }) = manner.map_err(|rejection| Refusal::Malformed(rejection.body_text()))?;
    let places = Places::of_bulk(&caller)?;
    let lines = Lines::of(body, LINE_BYTES_MAX).charged(Charge::new(&caller.shared.import_lines));
    let mut source = Source { lines, ready_at: Instant::now(), paid: 0, read: 0 };
    let first = source.next(&caller).await.map_err(Ended::refusal)?;
    let begun = match first {
        Some(Came { line: Line::Whole(first), .. }) => line::begin(&first),
        Some(_) | None => Err(NoExport::Other),
    };
    begun.map_err(|error| Refusal::Malformed(error.to_string()))?;
    caller.check_lease()?;
    let (outlet, body) = outlet(IMPORT_RESULTS_MAX);
    let epoch = Arc::clone(&caller.epoch);
    let importer = Importer { caller, existing, intake: Intake::default(), _places: places };
    epoch.tasks.spawn(importer.run(source, outlet));
    Ok(http::lines(body))
}

/// The lines that come, no faster than the caller may go on.
struct Source {
    lines: Lines,
    ready_at: Instant,
    /// How many bytes count as sent by the caller.
    paid: u64,
    /// How many were read.
    read: u64,
}

/// A line that has come.
struct Came {
    number: u64,
    line: Line,
    /// Given back when it is done.
    charge: Option<Charge>,
}

impl Came {
    fn bytes(&self) -> usize {
        match &self.line {
            Line::Whole(text) => text.len(),
            Line::Passed(_) => 0,
        }
    }
}

/// Why an import ends before its body does.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Unread(#[from] Unread),
    #[error(transparent)]
    NoLine(#[from] NoLine),
}

impl Ended {
    fn refusal(self) -> Refusal {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Unread(_) | Self::NoLine(_) => Refusal::Malformed(self.to_string()),
        }
    }
}

impl Source {
    /// Returns the next line. Nothing is lost if the future is dropped.
    async fn next(&mut self, caller: &Caller) -> Result<Option<Came>, Ended> {
        loop {
            sleep_until(self.ready_at).await;
            match timeout(PAID_EVERY, self.lines.next()).await {
                Ok(line) => {
                    let Some(line) = line? else { return Ok(None) };
                    // A document is as much as a request of its own would be.
                    self.pay(caller, 1);
                    self.read += 1;
                    return Ok(Some(Came { number: self.read, line, charge: self.lines.take_charge() }));
                }
                // Of a long line counts what has come.
                Err(_elapsed) => self.pay(caller, 0),
            }
        }
    }

    /// Takes it that the caller has sent what has come.
    fn pay(&mut self, caller: &Caller, messages: u64) {
        let shared = &caller.shared;
        let (payer, now) = (shared.payer(&caller.identity), shared.clock.monotonic());
        let received = self.lines.received();
        let bytes = received - std::mem::replace(&mut self.paid, received);
        let (ready_at, _) = shared.pace.spend(now, &payer, messages, bytes);
        self.ready_at = shared.clock.instant(ready_at);
    }
}

/// Takes in documents, several at a time, and tells of each in the order in which they came.
struct Importer {
    caller: Caller,
    existing: Existing,
    intake: Intake,
    _places: Places,
}

/// What became of a line.
enum Done {
    Document(ImportedLine),
    /// The import cannot go on.
    Stop(ImportedLine, Refusal),
    /// The last line of an export, which says how many came before it.
    End(u64),
    /// Nothing stood in it.
    Blank,
}

/// What is told of one line.
#[derive(Serialize)]
struct Told<'a> {
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Taken>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

/// What is told at the end.
#[derive(Serialize)]
struct ToldLast<'a> {
    end: bool,
    #[serde(flatten)]
    sum: DocumentsImported,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl Importer {
    async fn run(mut self, source: Source, outlet: Outlet) {
        let Self { caller, existing, intake, _places: _ } = &mut self;
        let ended = tokio::select! {
            biased;
            () = caller.ended() => {
                Some(caller.check_lease().err().unwrap_or(Refusal::StoreDown).into())
            }
            ended = take_all(caller, *existing, intake, source, &outlet) => ended.err(),
        };
        let sum = self.intake.sum();
        let why = match ended {
            Some(Ended::Unread(_)) => return,
            Some(ended) => Some(ended.refusal().told()),
            None if sum.whole => None,
            None => {
                let message = format!("{}. What came is imported; send the rest", DocumentsImported::CUT_OFF);
                Some(NotTaken { code: "cut-off", message })
            }
        };
        let DocumentsImported { created, merged, unchanged, skipped, failed, .. } = sum;
        let user = self.caller.identity.user.as_str();
        let why_not = why.as_ref().map(|why| why.code);
        tracing::info!(
            user,
            created,
            merged,
            unchanged,
            skipped,
            failed,
            why_not,
            "an export of documents was imported"
        );
        let (error, message) = (why_not, why.as_ref().map(|why| &*why.message));
        let last = ToldLast { end: true, sum, error, message };
        let farewell = async {
            outlet.send(line::written(&last)).await?;
            outlet.finish().await
        };
        // A server that stops waits for nobody who does not read.
        tokio::select! {
            biased;
            _told = farewell => {}
            () = self.caller.ended() => {}
        }
    }
}

/// Takes in all lines, some at the same time.
async fn take_all(
    caller: &Caller,
    existing: Existing,
    intake: &mut Intake,
    mut source: Source,
    outlet: &Outlet,
) -> Result<(), Ended> {
    let mut under_way: FuturesOrdered<BoxFuture<'_, Done>> = FuturesOrdered::new();
    let (mut window, mut is_last) = (Window::default(), false);
    while !is_last || !window.is_empty() {
        let has_room = !is_last && window.has_room();
        tokio::select! {
            biased;
            Some(done) = under_way.next(), if !window.is_empty() => {
                window.end();
                match done {
                    Done::Document(line) => tell(intake, outlet, &line).await?,
                    Done::Stop(line, refusal) => {
                        tell(intake, outlet, &line).await?;
                        return Err(refusal.into());
                    }
                    Done::End(lines) => intake.end(lines),
                    Done::Blank => {}
                }
            },
            came = source.next(caller), if has_room => match came? {
                Some(came) => {
                    window.begin(came.bytes());
                    under_way.push_back(take(caller, existing, came).boxed());
                }
                None => is_last = true,
            },
        }
    }
    Ok(())
}

/// Counts a line and tells what became of it.
async fn tell(intake: &mut Intake, outlet: &Outlet, done: &ImportedLine) -> Result<(), Unread> {
    intake.count(done);
    let ImportedLine { line, name, outcome, .. } = done;
    let name = name.as_ref().map(RoomName::as_str);
    let (result, error, message) = match outcome {
        Ok(taken) => (Some(*taken), None, None),
        Err(NotTaken { code, message }) => (None, Some(*code), Some(&**message)),
    };
    outlet.send(line::written(&Told { line: *line, name, result, error, message })).await
}

/// Takes in one line. What it says is told when it is durable.
async fn take(caller: &Caller, existing: Existing, came: Came) -> Done {
    let Came { number, line, charge } = came;
    let text = match line {
        Line::Whole(text) if text.is_empty() => return Done::Blank,
        Line::Whole(text) => text,
        Line::Passed(passed) => return Done::Document(ImportedLine::passed(number, passed)),
    };
    let read = state::blocking(move || Ok(line::read(&text))).await;
    let (name, engine, state) = match read {
        Ok(Ok(line::Line::Document { name, engine, state })) => (name, engine, state),
        Ok(Ok(line::Line::Unreadable { name })) => {
            return Done::Document(ImportedLine::unreadable(number, name));
        }
        Ok(Ok(line::Line::End { lines })) => return Done::End(lines),
        Ok(Err(misread)) => return Done::Document(ImportedLine::misread(number, misread)),
        Err(refusal) => {
            let outcome = Err(refusal.told());
            return Done::Document(ImportedLine { line: number, name: None, bytes: 0, outcome });
        }
    };
    let bytes = state.len() as u64;
    let taken = take_document(caller, existing, &name, engine, state).await;
    drop(charge);
    let outcome = taken.as_ref().copied().map_err(Refusal::told);
    let line = ImportedLine { line: number, name: Some(name), bytes, outcome };
    match taken {
        Err(refusal) if refusal.is_of_all() => Done::Stop(line, refusal),
        Ok(_) | Err(_) => Done::Document(line),
    }
}

/// Has the room of a document take in its state, as it takes in what is written.
async fn take_document(
    caller: &Caller,
    existing: Existing,
    name: &RoomName,
    engine: Engine,
    state: Bytes,
) -> Result<Taken, Refusal> {
    let room = caller.room(name.as_str(), Action::Write).await?;
    match state::known(caller, &room).await? {
        Some(known) if known.engine != engine => return Err(Refusal::OtherKind(OTHER_KIND)),
        Some(_) => {}
        None => {
            check_name(engine, &room)?;
            match state::absorb(caller, &room, engine, state.clone(), Some(Revision::default())).await {
                Ok(true) => return Ok(Taken::Created),
                Ok(false) => return Ok(Taken::Unchanged),
                // Somebody has created it meanwhile.
                Err(Refusal::Changed) => {}
                Err(refusal) => return Err(refusal),
            }
        }
    }
    match existing {
        Existing::Skip => Ok(Taken::Skipped),
        Existing::Fail => Err(Refusal::Taken),
        Existing::Merge => {
            let is_new = state::absorb(caller, &room, engine, state, None).await?;
            Ok(if is_new { Taken::Merged } else { Taken::Unchanged })
        }
    }
}
