//! The document as it is, in its room, and as it was, from what is stored.

use std::{fmt, str::FromStr};

use bytes::Bytes;
use syncline_core::{
    doc::{AnyDocument, Hand, ReplayError, WriteError},
    id::{CommitNumber, DocumentId},
    log::{Credit, Engine, Former},
    time::WallMs,
};
use syncline_protocol::{Absorbed, Content, Revision, wire::sync_v1::time_of};
use syncline_store::{
    Store,
    records::{self, Named, RecordError},
};
use tokio::sync::oneshot;

use super::{caller::Caller, refusal::Refusal};
use crate::{
    history::{self, Past},
    registry::{Registry, RoomKey},
    room::ToRoom,
};

/// An update of Yjs (V1) that holds nothing: no structs, and no deletions.
pub(super) const NOTHING: [u8; 2] = [0, 0];

/// A revision of one generation of a document, as an `ETag`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Revised {
    pub(super) document: DocumentId,
    pub(super) revision: Revision,
}

impl fmt::Display for Revised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { document, revision: Revision { commit, gathered } } = self;
        match gathered {
            0 => write!(f, "\"{document}-{commit}\""),
            _ => write!(f, "\"{document}-{commit}.{gathered}\""),
        }
    }
}

impl FromStr for Revised {
    type Err = ();

    fn from_str(tag: &str) -> Result<Self, ()> {
        let inside = tag.trim().strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).ok_or(())?;
        let (document, revision) = inside.split_once('-').ok_or(())?;
        let (commit, gathered) = revision.split_once('.').unwrap_or((revision, "0"));
        let document = u128::from_str_radix(document, 16).map_err(|_| ())?;
        Ok(Self {
            document: DocumentId(document.to_be_bytes()),
            revision: Revision {
                commit: CommitNumber(commit.parse().map_err(|_| ())?),
                gathered: gathered.parse().map_err(|_| ())?,
            },
        })
    }
}

/// Which state of a document is asked for; without any of these the one that it has now.
#[derive(Clone, Debug, Default)]
pub(super) struct When {
    /// After a commit.
    commit: Option<u64>,
    /// At a time.
    at: Option<String>,
    /// As a named version shows it.
    version: Option<u64>,
}

impl When {
    pub(super) fn new(commit: Option<u64>, at: Option<String>, version: Option<u64>) -> Self {
        Self { commit, at, version }
    }

    pub(super) fn is_now(&self) -> bool {
        self.commit.is_none() && self.at.is_none() && self.version.is_none()
    }
}

/// Why an update is not taken in that was made for a document of the name, but not for this one.
const ANOTHER: &str = "the document is of another kind than the one that this was made for";

/// A state of a document.
pub(super) struct State {
    pub(super) document: AnyDocument,
    pub(super) revised: Revised,
}

/// Returns which document a name means, if anything of it is stored.
pub(super) async fn known(caller: &Caller, room: &RoomKey) -> Result<Option<Named>, Refusal> {
    let (tenant, name) = (room.tenant.id(), room.name.clone());
    let read = caller.epoch.storage.read(move |store| records::named(store, tenant, &name)).await?;
    read.map_err(unreadable)
}

fn unreadable(error: RecordError) -> Refusal {
    tracing::error!(%error, "the name of a document cannot be read");
    match error {
        RecordError::Read(_) => Refusal::StoreDown,
        _ => Refusal::Broken,
    }
}

/// Returns which document a name means, which has to be there.
pub(super) async fn existing(caller: &Caller, room: &RoomKey) -> Result<Named, Refusal> {
    known(caller, room).await?.ok_or(Refusal::Absent)
}

/// Returns whether a document is that of an entity that was deleted: nobody opens it.
pub(super) async fn is_gone(caller: &Caller, room: &RoomKey) -> Result<bool, Refusal> {
    let entity = caller.epoch.entity_of(room).await.map_err(|_ledger_down| Refusal::StoreDown)?;
    let Some((ledger, key)) = entity else { return Ok(false) };
    ledger.look(move |ledger| ledger.is_gone(&key)).await.map_err(|_ledger_down| Refusal::StoreDown)
}

/// Returns what a document holds now, as its room says: so nothing is shown that is not durable.
pub(super) async fn content(caller: &Caller, room: &RoomKey) -> Result<Content, Refusal> {
    let (done, content) = oneshot::channel();
    Registry::tell(&caller.epoch, room, ToRoom::Read { have: None, done }).await?;
    match content.await {
        Ok(content) => Ok(content),
        Err(_room_ended) => Err(ended(caller, room).await),
    }
}

/// Returns why a room has ended that was asked something.
pub(super) async fn ended(caller: &Caller, room: &RoomKey) -> Refusal {
    let (tenant, name) = (room.tenant.id(), room.name.clone());
    let look = move |store: &dyn Store| {
        Ok((records::named(store, tenant, &name)?, records::former(store, tenant, &name)?))
    };
    let found: Result<Result<_, RecordError>, _> = caller.epoch.storage.read(look).await;
    match found {
        Err(down) => down.into(),
        Ok(Err(error)) => unreadable(error),
        Ok(Ok((_, Former::Everyone))) => Refusal::Deleted,
        // It was deleted meanwhile.
        Ok(Ok((None, _))) => Refusal::Absent,
        Ok(Ok((Some(_), _))) => match is_gone(caller, room).await {
            Ok(true) => Refusal::Absent,
            Ok(false) => Refusal::Broken,
            Err(refusal) => refusal,
        },
    }
}

/// Has the room take in an update of a kind, and waits until it is durable. Returns whether it changed anything.
pub(super) async fn absorb(
    caller: &Caller,
    room: &RoomKey,
    engine: Engine,
    update: Bytes,
    made_for: Option<Revision>,
) -> Result<bool, Refusal> {
    bring(caller, room, (engine, caller.author().into(), update), made_for).await
}

/// Does what [`absorb`] does with an update that others may have written.
pub(super) async fn bring(
    caller: &Caller,
    room: &RoomKey,
    (engine, credit, update): (Engine, Credit, Bytes),
    made_for: Option<Revision>,
) -> Result<bool, Refusal> {
    caller.check_lease()?;
    if engine == Engine::Automerge {
        caller.pay_for_ops(&update);
    }
    let (done, absorbed) = oneshot::channel();
    let message = ToRoom::Absorb { engine, credit, update, made_for, done };
    Registry::tell(&caller.epoch, room, message).await?;
    let Ok(absorbed) = absorbed.await else { return Err(ended(caller, room).await) };
    changed(absorbed)
}

/// Returns whether what a room has taken in has changed anything.
pub(super) fn changed(absorbed: Absorbed) -> Result<bool, Refusal> {
    match absorbed {
        Absorbed::New => Ok(true),
        Absorbed::Known => Ok(false),
        Absorbed::Changed => Err(Refusal::Changed),
        Absorbed::Refused { reason: "other-kind" } => Err(Refusal::OtherKind(ANOTHER)),
        Absorbed::Refused { reason } => Err(Refusal::Refused(reason)),
        Absorbed::Broke => Err(Refusal::Broken),
    }
}

/// Returns the document as it is now.
pub(super) async fn now(caller: &Caller, room: &RoomKey) -> Result<State, Refusal> {
    let Named { document, engine } = existing(caller, room).await?;
    let content = content(caller, room).await?;
    let revised = Revised { document, revision: content.revision };
    Ok(State { document: blocking(move || decoded(engine, &content.update)).await?, revised })
}

/// Returns everything that is kept of a document's past.
pub(super) async fn past(caller: &Caller, room: &RoomKey) -> Result<(Named, Past), Refusal> {
    let named = existing(caller, room).await?;
    Ok((named, history::read(&caller.epoch.storage, room.tenant.id(), named.document).await?))
}

/// Returns the document as it was, or is.
pub(super) async fn at(caller: &Caller, room: &RoomKey, when: &When) -> Result<State, Refusal> {
    if when.is_now() {
        return now(caller, room).await;
    }
    if let Some(number) = when.version {
        return of_version(caller, room, number).await;
    }
    let (Named { document: id, engine }, past) = past(caller, room).await?;
    let commit = match (&when.at, when.commit) {
        (Some(at), None) => past.commit_at(time(at)?),
        (None, Some(commit)) => CommitNumber(commit),
        _ => return Err(Refusal::Malformed("name one of `commit`, `at` and `version`".to_owned())),
    };
    let document = blocking(move || Ok(past.any_at(engine, commit)?)).await?;
    let revised = Revised { document: id, revision: Revision { commit, gathered: 0 } };
    Ok(State { document, revised })
}

async fn of_version(caller: &Caller, room: &RoomKey, number: u64) -> Result<State, Refusal> {
    let Named { document, engine } = existing(caller, room).await?;
    let version = version(caller, room, document, number).await?;
    let revised = Revised { document, revision: Revision { commit: version.commit, gathered: 0 } };
    let document = blocking(move || decoded(engine, &version.entry.update)).await?;
    Ok(State { document, revised })
}

/// Returns a named version, which has to be there.
pub(super) async fn version(
    caller: &Caller,
    room: &RoomKey,
    document: DocumentId,
    number: u64,
) -> Result<records::Version, Refusal> {
    let tenant = room.tenant.id();
    let read =
        caller.epoch.storage.read(move |store| records::version(store, tenant, document, number)).await?;
    let version = read.map_err(|error| {
        tracing::error!(%error, "a version of a document cannot be read");
        Refusal::Broken
    })?;
    version.ok_or(Refusal::NoVersion)
}

/// Reads a time.
fn time(text: &str) -> Result<WallMs, Refusal> {
    time_of(text).ok_or_else(|| Refusal::Malformed("`at` is a time as 2027-01-31T00:00:00.000Z".to_owned()))
}

fn decoded(engine: Engine, update: &Bytes) -> Result<AnyDocument, Refusal> {
    AnyDocument::decode(engine, update).map_err(|error: ReplayError| {
        tracing::error!(%error, "a state of a document cannot be taken up");
        Refusal::Broken
    })
}

/// Runs what takes as long as a document is.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|_panicked| Refusal::Broken)?
}

/// Writes at a time as someone as whom nobody has written; who was drawn and is taken is drawn again.
pub(super) fn drawn<T, E>(at: WallMs, write: impl Fn(Hand) -> Result<T, E>) -> Result<T, Refusal>
where
    Refusal: From<E>,
    E: AsTaken,
{
    const DRAWS: usize = 4;
    for _ in 1..DRAWS {
        match write(draw(at)?) {
            Err(error) if error.is_taken() => {}
            written => return Ok(written?),
        }
    }
    Ok(write(draw(at)?)?)
}

/// Tells the one error after which another client is drawn.
pub(super) trait AsTaken {
    fn is_taken(&self) -> bool;
}

impl AsTaken for WriteError {
    fn is_taken(&self) -> bool {
        matches!(self, Self::ClientTaken(_))
    }
}

impl AsTaken for syncline_core::doc::EditError {
    fn is_taken(&self) -> bool {
        matches!(self, Self::Write(error) if error.is_taken())
    }
}

fn draw(at: WallMs) -> Result<Hand, Refusal> {
    Ok(Hand { drawn: random()?, at })
}

/// Draws random bytes.
pub(super) fn random<const N: usize>() -> Result<[u8; N], Refusal> {
    let mut random = [0; N];
    getrandom::fill(&mut random).map_err(|error| {
        tracing::error!(%error, "the system gives no random bytes");
        Refusal::Broken
    })?;
    Ok(random)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_read_as_it_is_written() {
        for gathered in [0, 3] {
            let revision = Revision { commit: CommitNumber(12), gathered };
            let revised = Revised { document: DocumentId([0x0a; 16]), revision };
            assert_eq!(revised.to_string().parse(), Ok(revised));
        }
        for wrong in ["", "\"\"", "x", "\"0a-1", "\"0a\"", "\"0a-1.\"", "\"0a--1\"", "\"zz-1\""] {
            assert_eq!(wrong.parse::<Revised>(), Err(()), "{wrong}");
        }
    }
}
