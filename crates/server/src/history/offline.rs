//! What a document was, in a data folder that no server has open: what commands look at, and bring back.

use syncline_core::{
    doc::{AnyDocument, Broken, Hand, MergeError, ReplayError, WriteError},
    id::{CommitNumber, DocumentId, RoomName, TenantId},
    log::{Author, Credit, Engine, Former},
    time::WallMs,
};
use syncline_protocol::{Absorbed, Hosted, LoadError as RoomError, Loaded, RoomLimits, ledger::entity_of};
use syncline_store::{
    CommitError, ReadError, RecordTooLong, Store,
    records::{self, LoadError, Named, RecordError, Version},
};

use super::{Past, PastError, branches::changed};
use crate::{
    clock::Clock,
    entities::{BulkError, OfflineError, OfflineLedger},
    room::{Place, absorb_alone},
};

/// How often a client is drawn of which the document knows nothing.
const DRAWS: usize = 4;

/// Which state of a document is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The newest.
    Now,
    /// After a commit.
    Commit(CommitNumber),
    /// At a time.
    At(WallMs),
    /// As a named version shows it.
    Version(u64),
}

/// A document of a tenant in a store that nobody else uses.
pub struct OfflineHistory<'s> {
    pub(super) store: &'s mut dyn Store,
    pub(super) tenant: TenantId,
    pub(super) name: RoomName,
    pub(super) document: DocumentId,
    pub(super) engine: Engine,
}

/// Why a document was not looked at or brought back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfflineHistoryError {
    /// No document has this name.
    #[error("there is no room {:?}", .0.as_str())]
    NoDocument(RoomName),
    /// The document has no such version.
    #[error("there is no version {0}")]
    NoVersion(u64),
    /// What it was is not known.
    #[error(transparent)]
    Past(#[from] PastError),
    /// A branch of a Yjs document has no name.
    #[error("a branch of a Yjs document needs a name")]
    Unnamed,
    /// No Automerge document can have the name.
    #[error(
        "no Automerge document is called {:?}: its name is what follows `automerge:` in its URL", .0.as_str()
    )]
    NoId(RoomName),
    /// There is a document of this name already.
    #[error("there is a room {:?} already", .0.as_str())]
    Taken(RoomName),
    /// The name is one of an entity.
    #[error("{:?} is the name of an entity: a branch is none", .0.as_str())]
    EntityName(RoomName),
    /// The document held nothing at that time.
    #[error("the document held nothing then: there is no branch to begin")]
    NothingThen,
    /// Neither document began as a branch of the other.
    #[error("neither is a branch of the other: {:?} has nothing to do with it", .0.as_str())]
    Unrelated(RoomName),
    /// What two documents hold does not go together.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A record is damaged.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A state cannot be taken up.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A stored document makes no room.
    #[error("the document cannot be loaded")]
    Unloadable(#[from] RoomError),
    /// What was cannot be written anew.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A document is of no further use.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// A document is not read.
    #[error(transparent)]
    Unread(#[from] syncline_core::doc::ReadError),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// The change is too long to be stored.
    #[error(transparent)]
    TooLong(#[from] RecordTooLong),
    /// The store does not take the change.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The entities of the tenant cannot be loaded.
    #[error(transparent)]
    Entities(#[from] OfflineError),
    /// The entity that the document is does not take the change.
    #[error(transparent)]
    Entity(#[from] BulkError),
    /// The entity that the document is was deleted.
    #[error("the entity was deleted")]
    Deleted,
    /// The room does not take the change.
    #[error("the document does not take the change: {0}")]
    Refused(&'static str),
}

impl From<LoadError> for OfflineHistoryError {
    fn from(error: LoadError) -> Self {
        Self::Past(error.into())
    }
}

impl<'s> OfflineHistory<'s> {
    /// Finds a document.
    ///
    /// # Errors
    /// [`OfflineHistoryError::NoDocument`], or [`OfflineHistoryError::Record`] if that cannot be read.
    pub fn open(
        store: &'s mut dyn Store,
        tenant: TenantId,
        name: RoomName,
    ) -> Result<Self, OfflineHistoryError> {
        match records::named(store, tenant, &name)? {
            Some(Named { document, engine }) => Ok(Self { store, tenant, name, document, engine }),
            None => Err(OfflineHistoryError::NoDocument(name)),
        }
    }

    /// Brings the document to what it was, by a new commit of `author`: nothing is rewound. Returns whether anything differed.
    ///
    /// # Errors
    /// [`OfflineHistoryError`]; the document is as it was.
    pub fn restore(&mut self, moment: Moment, author: Author) -> Result<bool, OfflineHistoryError> {
        let (_, target) = self.state(moment)?;
        let (_, now) = self.state(Moment::Now)?;
        let (mut update, at) = (Err(WriteError::Unwritable), Clock::start().now().wall);
        for _ in 0..DRAWS {
            update = now.restore(&target, draw_hand(at).map_err(OfflineHistoryError::Random)?);
            if !matches!(update, Err(WriteError::ClientTaken(_))) {
                break;
            }
        }
        let Some(update) = update? else { return Ok(false) };
        changed(self.absorb(author.into(), update)?)
    }

    /// Reads everything that is kept of the document's past.
    ///
    /// # Errors
    /// [`OfflineHistoryError::Past`].
    pub fn past(&self) -> Result<Past, OfflineHistoryError> {
        Ok(Past::load(self.store, self.tenant, self.document)?)
    }

    /// Returns a state with the commit that it is of.
    ///
    /// # Errors
    /// [`OfflineHistoryError::NoVersion`], and [`OfflineHistoryError::Past`] if it is not kept.
    pub fn state(&self, moment: Moment) -> Result<(CommitNumber, AnyDocument), OfflineHistoryError> {
        if let Moment::Version(number) = moment {
            let version = self.version(number)?.ok_or(OfflineHistoryError::NoVersion(number))?;
            return Ok((version.commit, AnyDocument::decode(self.engine, &version.entry.update)?));
        }
        let past = self.past()?;
        let commit = match moment {
            Moment::Commit(commit) => commit,
            Moment::At(at) => past.commit_at(at),
            Moment::Now | Moment::Version(_) => past.last(),
        };
        Ok((commit, past.any_at(self.engine, commit)?))
    }

    /// Returns the states that were given a name, in order of their numbers.
    ///
    /// # Errors
    /// [`OfflineHistoryError::Past`] if one is damaged, [`OfflineHistoryError::Read`] if the store cannot be read.
    pub fn versions(&self) -> Result<Vec<Version>, OfflineHistoryError> {
        let numbers = records::version_numbers(self.store, self.tenant, self.document)?;
        numbers.into_iter().filter_map(|number| self.version(number).transpose()).collect()
    }

    fn version(&self, number: u64) -> Result<Option<Version>, OfflineHistoryError> {
        Ok(records::version(self.store, self.tenant, self.document, number)?)
    }

    /// The document may be an entity: then the change of its record goes with it.
    pub(super) fn absorb(
        &mut self,
        credit: Credit,
        update: bytes::Bytes,
    ) -> Result<Option<Absorbed>, OfflineHistoryError> {
        if let Some(key) = entity_of(&self.name) {
            let mut entities = OfflineLedger::open(self.store, self.tenant)?;
            if entities.ledger().has_documents(&key.kind) {
                if entities.ledger().is_gone(&key) {
                    return Err(OfflineHistoryError::Deleted);
                }
                return Ok(entities.absorb_as(credit, &key, update)?);
            }
        }
        let records::Loaded { snapshot, log, .. } = records::load(self.store, self.tenant, self.document)?;
        let now = Clock::start().now();
        let mut room = Hosted::load(now, self.engine, &Loaded { snapshot, log }, &RoomLimits::default())?;
        self.set_former(&mut room, &self.name)?;
        let place = Place { tenant: self.tenant, name: &self.name, document: self.document, named: true };
        absorb_alone(now, room, &place, credit, update, |batch| Ok(self.store.commit(batch)?))
    }

    /// Tells a room who wrote in deleted documents of a name: what is theirs does not come back.
    pub(super) fn set_former(&self, room: &mut Hosted, name: &RoomName) -> Result<(), OfflineHistoryError> {
        match records::former(self.store, self.tenant, name)? {
            Former::Clients(clients) => room.set_former(clients),
            Former::Everyone => return Err(OfflineHistoryError::Refused("deleted")),
        }
        Ok(())
    }
}

/// Draws whom something is written as at a time that no person writes. Of these bytes Yjs takes 32 bits, as it does itself: who is
/// taken is drawn again.
pub(super) fn draw_hand(at: WallMs) -> Result<Hand, getrandom::Error> {
    let mut drawn = [0; 16];
    getrandom::fill(&mut drawn)?;
    Ok(Hand { drawn, at })
}
