//! Branches: where documents come from, and which have to do with each other.

use syncline_core::{
    doc::{AnyDocument, Change},
    id::{DocumentId, RoomName, TenantId},
    log::{Author, Engine},
};
use syncline_protocol::{
    Absorbed, Hosted, Loaded, RoomLimits,
    ledger::entity_of,
    wire::automerge::{document_name, is_document_name},
};
use syncline_store::{
    Store,
    records::{self, Branch, RecordError},
};

use super::{Moment, OfflineHistory, OfflineHistoryError, Past, PastError, offline::draw_hand};
use crate::{
    clock::Clock,
    entities::OfflineLedger,
    loader::new_document_id,
    room::{Place, absorb_alone},
};

/// Where a document comes from, if it began as a branch, and which are branches of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kin {
    /// Where it comes from.
    pub origin: Option<Branch>,
    /// Its branches.
    pub branches: Vec<Branch>,
}

/// Reads where a document comes from, and which branches it has.
pub(crate) fn kin(store: &dyn Store, tenant: TenantId, document: DocumentId) -> Result<Kin, RecordError> {
    let origin = records::branch(store, tenant, document)?;
    let mut own = records::branches(store, tenant)?;
    own.retain(|(_, branch)| branch.of == document);
    let mut branches = Vec::new();
    for (document, branch) in own {
        // Its name may mean nothing any more, or another document.
        if records::name(store, tenant, &branch.name)? == Some(document) {
            branches.push(branch);
        }
    }
    Ok(Kin { origin, branches })
}

/// Returns whether one of two documents began as a branch of the other: what others hold has nothing to do with each other.
pub(crate) fn are_related(
    store: &dyn Store,
    tenant: TenantId,
    one: DocumentId,
    other: DocumentId,
) -> Result<bool, RecordError> {
    let is_of = |branch: DocumentId, of: DocumentId| {
        let branch = records::branch(store, tenant, branch)?;
        Ok::<_, RecordError>(branch.is_some_and(|branch| branch.of == of))
    };
    Ok(is_of(one, other)? || is_of(other, one)?)
}

impl OfflineHistory<'_> {
    /// Reads where the document comes from, and which branches it has.
    ///
    /// # Errors
    /// [`OfflineHistoryError::Record`].
    pub fn kin(&self) -> Result<Kin, OfflineHistoryError> {
        Ok(kin(self.store, self.tenant, self.document)?)
    }

    /// Creates a document that begins with a state of this one, so that it can be merged into it later. If that is an Automerge document
    /// it needs no name: one is drawn.
    ///
    /// # Errors
    /// [`OfflineHistoryError`]: `Taken` if there is a document of the name, `Unnamed` if it has none and needs one, `NoId` if no Automerge
    /// document can have it; nothing was stored.
    pub fn branch(
        &mut self,
        to: Option<RoomName>,
        moment: Moment,
        author: Author,
    ) -> Result<Branch, OfflineHistoryError> {
        let to = self.name_of_branch(to)?;
        if records::named(self.store, self.tenant, &to)?.is_some() {
            return Err(OfflineHistoryError::Taken(to));
        }
        if let Some(key) = entity_of(&to)
            && OfflineLedger::open(self.store, self.tenant)?.ledger().has_documents(&key.kind)
        {
            return Err(OfflineHistoryError::EntityName(to));
        }
        let (commit, document) = self.state(moment)?;
        let update = document.encode()?;
        let credit = self.known_past()?.credit(self.engine, author, &update)?;
        let (now, tenant, document) = (Clock::start().now(), self.tenant, new_document_id());
        let branch = Branch { of: self.document, commit, at: now.wall, name: to, of_name: self.name.clone() };
        let mut room = Hosted::load(now, self.engine, &Loaded::default(), &RoomLimits::default())?;
        self.set_former(&mut room, &branch.name)?;
        let place = Place { tenant, name: &branch.name, document, named: false };
        let absorbed = absorb_alone(now, room, &place, credit, update, |mut batch| {
            records::put_branch(&mut batch, tenant, document, &branch);
            Ok::<_, OfflineHistoryError>(self.store.commit(batch)?)
        });
        if changed(absorbed?)? { Ok(branch) } else { Err(OfflineHistoryError::NothingThen) }
    }

    /// Returns what would differ if [`merge`](Self::merge) were called; nothing if nothing is new.
    ///
    /// # Errors
    /// As [`merge`](Self::merge).
    pub fn merging(&mut self, from: &RoomName) -> Result<Option<Vec<Change>>, OfflineHistoryError> {
        let (now, branch) = self.both(from)?;
        match now.lacks_of(&branch)? {
            Some(update) => Ok(Some(now.changes_with(&update)?)),
            None => Ok(None),
        }
    }

    /// Brings what a branch of the document holds, or the document that it is a branch of, into it, by a new commit of `author`. What
    /// was written in it meanwhile stays. Returns whether anything was new.
    ///
    /// # Errors
    /// [`OfflineHistoryError`]: `Unrelated` if neither is a branch of the other; the document is as it was.
    pub fn merge(&mut self, from: &RoomName, author: Author) -> Result<bool, OfflineHistoryError> {
        let (now, branch) = self.both(from)?;
        let Some(update) = now.lacks_of(&branch)? else { return Ok(false) };
        let past = OfflineHistory::open(self.store, self.tenant, from.clone())?.known_past()?;
        let credit = past.credit(self.engine, author, &update)?;
        changed(self.absorb(credit, update)?)
    }

    /// Returns what is kept of the document's past; nothing where that is too long to be read: then nobody knows who wrote what.
    fn known_past(&self) -> Result<Past, OfflineHistoryError> {
        match self.past() {
            Err(OfflineHistoryError::Past(PastError::TooLong)) => Ok(Past::default()),
            past => past,
        }
    }

    /// Returns the document, and another that has to do with it.
    fn both(&mut self, from: &RoomName) -> Result<(AnyDocument, AnyDocument), OfflineHistoryError> {
        let other = OfflineHistory::open(self.store, self.tenant, from.clone())?;
        let (id, (_, branch)) = (other.document, other.state(Moment::Now)?);
        if !are_related(self.store, self.tenant, self.document, id)? {
            return Err(OfflineHistoryError::Unrelated(from.clone()));
        }
        let (_, now) = self.state(Moment::Now)?;
        Ok((now, branch))
    }

    /// Returns the name of a branch that may have been given one.
    fn name_of_branch(&self, to: Option<RoomName>) -> Result<RoomName, OfflineHistoryError> {
        match (self.engine, to) {
            (Engine::Yjs, Some(to)) => Ok(to),
            (Engine::Yjs, None) => Err(OfflineHistoryError::Unnamed),
            (Engine::Automerge, Some(to)) if is_document_name(to.as_str()) => Ok(to),
            (Engine::Automerge, Some(to)) => Err(OfflineHistoryError::NoId(to)),
            (Engine::Automerge, None) => {
                let hand = draw_hand(Clock::start().now().wall).map_err(OfflineHistoryError::Random)?;
                Ok(RoomName::new(&document_name(hand.drawn)).expect("it is short and plain"))
            }
        }
    }
}

/// Returns whether what a room has taken in was new.
pub(super) fn changed(absorbed: Option<Absorbed>) -> Result<bool, OfflineHistoryError> {
    match absorbed {
        Some(Absorbed::New) => Ok(true),
        Some(Absorbed::Known) => Ok(false),
        Some(Absorbed::Refused { reason }) => Err(OfflineHistoryError::Refused(reason)),
        Some(Absorbed::Changed | Absorbed::Broke) | None => Err(OfflineHistoryError::Refused("broken")),
    }
}
