//! A Yjs document on yrs.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use yrs::{ReadTxn, StateVector};

use super::{
    contain::{Changes, Contained, Failed, decode},
    index::{Plan, StructIndex, Unfit},
    originals::Originals,
    slices::{self, cut},
};
use crate::{
    guard::{
        ClientBuckets, CrowdedClients, DeleteRange, Fidelity, Malformed, ScannedUpdate, scan_state_vector,
        scan_update, write_var_uint,
    },
    id::ClientId,
};

/// A Yjs document that holds nothing but integrated structs.
///
/// An update that overtook what it rests on is taken as far as it goes; the rest is reported as a gap and not kept, for
/// whoever sent it will send it again when asked. Of a struct that the document holds already the first content stays.
#[derive(Debug)]
pub struct YjsDocument {
    doc: Contained,
    index: StructIndex,
    clients: ClientBuckets,
    originals: Originals,
    /// Bytes of all updates that were integrated.
    integrated_bytes: usize,
}

/// What became of an update.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// What the document did not have before, as an update; nothing if it brought nothing new.
    pub update: Option<Bytes>,
    /// Whether a part was left out because what it rests on is missing. Its sender has to be asked for a full answer.
    pub gap: bool,
    /// Structs that the document held already and that were left out.
    pub known: u64,
    /// For every client that the update moved on, the document's clock before.
    pub before: Vec<(ClientId, u32)>,
}

/// Why an update was refused. But for `Broken`, its sender is at fault and the document is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The bytes are not an update.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Shared types would nest deeper than [`crate::limits::TYPE_DEPTH_MAX`].
    #[error("shared types nest too deeply")]
    TooDeep,
    /// An item stands where no client puts one: an entry of a map has several values at once, a value stands beside an element of a
    /// list, or the left neighbour is on the right of the right one.
    #[error("an item stands where no client puts one")]
    Misplaced,
    /// Items were put into one place by so many who did not know of each other that finding their order takes more than
    /// [`crate::limits::CONTEST_STEPS_MAX`] steps.
    #[error("too many items were put into one place without knowledge of each other")]
    TooConcurrent,
    /// There is a new weak link. Only yrs knows this type: yjs 13 throws when it reads one, whatever else is in the
    /// update. Those that are stored already are loaded and passed on.
    #[error("weak links break documents for yjs 13")]
    WeakLink,
    /// Client ids share too many low bits to have been drawn at random.
    #[error("client ids are crowded")]
    CrowdedClients,
    /// yrs reads the bytes in another way than the guard, or not at all.
    #[error("the decoder disagrees with the scanner")]
    Disagreement,
    /// yrs failed on the update. The document is of no further use and has to be built anew without it.
    #[error("the document broke on the update")]
    Broken,
}

impl From<Unfit> for ApplyError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::TooDeep => Self::TooDeep,
            Unfit::Misplaced => Self::Misplaced,
        }
    }
}

impl ApplyError {
    /// Returns a short stable word for close reasons and metrics.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(malformed) => malformed.reason(),
            Self::TooDeep => "too-deep",
            Self::Misplaced => "misplaced",
            Self::TooConcurrent => "too-concurrent",
            Self::WeakLink => "weak-link",
            Self::CrowdedClients => "crowded-clients",
            Self::Disagreement => "disagreement",
            Self::Broken => "broken",
        }
    }
}

/// Why a difference could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiffError {
    /// The bytes are not a state vector. Their sender is at fault.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The document is of no further use.
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// The document is of no further use and has to be built anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the document broke")]
pub struct Broken;

impl From<Failed> for Broken {
    fn from(Failed: Failed) -> Self {
        Self
    }
}

/// Why a stored update could not be taken up again. The store, or an older version of this engine, is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The update is refused.
    #[error(transparent)]
    Refused(#[from] ApplyError),
    /// The update of an Automerge document is refused.
    #[cfg(feature = "automerge")]
    #[error(transparent)]
    Automerge(#[from] super::AutomergeError),
    /// The update rests on something that is not stored before it.
    #[error("a stored update rests on a missing one")]
    Gap,
}

impl Default for YjsDocument {
    fn default() -> Self {
        Self {
            doc: Contained::new(),
            index: StructIndex::default(),
            clients: ClientBuckets::default(),
            originals: Originals::default(),
            integrated_bytes: 0,
        }
    }
}

impl YjsDocument {
    /// Makes an empty document that can write as this client.
    pub(super) fn of(author: ClientId) -> Self {
        Self { doc: Contained::of(author), ..Self::default() }
    }

    /// Takes in an update from outside.
    ///
    /// # Errors
    /// [`ApplyError`] says why it is refused. After [`ApplyError::Broken`] the document is of no further use.
    pub fn apply(&mut self, update: &Bytes) -> Result<Applied, ApplyError> {
        let scanned = scan_update(update)?;
        let mut plan = self.index.plan(&scanned).map_err(ApplyError::from)?;
        if plan.weak_link {
            return Err(ApplyError::WeakLink);
        }
        self.check_contest(&scanned, &mut plan)?;
        let newcomers = plan.newcomers();
        self.clients.admit(&newcomers).map_err(|CrowdedClients { .. }| ApplyError::CrowdedClients)?;
        let taken = self.take_in(update, &scanned, plan);
        if taken.is_err() {
            self.clients.forget(&newcomers);
        }
        taken
    }

    /// Returns whether an update rests on something that the document does not hold. Then [`apply`](Self::apply) would take in
    /// only a part of it.
    ///
    /// # Errors
    /// [`ApplyError`] says why it would be refused.
    pub fn has_gap(&self, update: &[u8]) -> Result<bool, ApplyError> {
        let scanned = scan_update(update)?;
        let plan = self.index.plan(&scanned).map_err(ApplyError::from)?;
        Ok(plan.gap || self.reachable_deletes(&scanned, &plan).trimmed)
    }

    /// Takes in an update that this engine stored before. The rules on client ids, weak links and concurrency do not apply, so
    /// that whatever was once accepted can always be loaded.
    ///
    /// # Errors
    /// [`ReplayError`] says why it cannot be. The document is then of no further use.
    pub fn replay(&mut self, update: &Bytes) -> Result<(), ReplayError> {
        let scanned = scan_update(update).map_err(ApplyError::from)?;
        let plan = self.index.plan(&scanned).map_err(ApplyError::from)?;
        self.clients.count(&plan.newcomers());
        if self.take_in(update, &scanned, plan)?.gap {
            return Err(ReplayError::Gap);
        }
        Ok(())
    }

    pub(super) fn take_in(
        &mut self,
        update: &Bytes,
        scanned: &ScannedUpdate<'_>,
        mut plan: Plan,
    ) -> Result<Applied, ApplyError> {
        if !self.doc.is_sound() {
            return Err(ApplyError::Broken);
        }
        let mut applied = Applied { known: plan.known, gap: plan.gap, ..Applied::default() };
        let deletes = self.reachable_deletes(scanned, &plan);
        applied.gap |= deletes.trimmed;
        if plan.sections.is_empty() && deletes.ranges.is_empty() {
            return Ok(applied);
        }
        let whole = (!plan.trimmed && !deletes.trimmed).then(|| update.clone());
        let (part, mut changes) = match &plan.slices {
            None => self.integrate(update, scanned, whole, &plan, &deletes.ranges)?,
            Some(slices) => {
                let changes = slices::integrate(&mut self.doc, update, &plan, slices, &deletes.ranges)?;
                (whole, changes)
            }
        };
        self.keep_originals(scanned, &plan, &mut changes).map_err(|_| {
            self.doc.give_up();
            ApplyError::Broken
        })?;
        applied.before = plan.sections.iter().map(|take| (take.client, take.from)).collect();
        plan.contest.delete(changes.deleted.len());
        applied.update = new_part(update, part, &plan, &deletes.ranges, changes);
        self.index.commit(plan);
        self.integrated_bytes += applied.update.as_ref().map_or(0, Bytes::len);
        Ok(applied)
    }

    /// Remembers what yrs does not keep of an update that it has integrated, and puts it into the encoded change. It
    /// fails only where yrs writes what the guard refuses.
    fn keep_originals(
        &mut self,
        scanned: &ScannedUpdate<'_>,
        plan: &Plan,
        changes: &mut Changes,
    ) -> Result<(), Malformed> {
        if plan.fidelity == Fidelity::Lost {
            self.originals.remember(scanned, &plan.sections)?;
        }
        if let Some(encoded) = changes.encoded.take() {
            changes.encoded = Some(self.originals.restore(encoded)?);
        }
        self.originals.forget(&changes.deleted);
        Ok(())
    }

    /// Integrates a plan at once. Returns what went in too.
    fn integrate(
        &mut self,
        update: &Bytes,
        scanned: &ScannedUpdate<'_>,
        whole: Option<Bytes>,
        plan: &Plan,
        deletes: &[DeleteRange],
    ) -> Result<(Option<Bytes>, Changes), ApplyError> {
        let (part, decoded) = match whole {
            Some(whole) => (whole, decode(scanned, plan.fidelity)),
            None => {
                let part = cut(update, &plan.sections, deletes);
                let decoded = decode(&scan_update(&part)?, plan.fidelity);
                (part, decoded)
            }
        };
        let decoded = decoded.ok_or(ApplyError::Disagreement)?;
        let changes = self.doc.integrate(decoded, plan.straddles).map_err(|Failed| ApplyError::Broken)?;
        Ok((Some(part), changes))
    }

    /// Returns the ranges, or their beginnings, that lie below the clocks that the document will have.
    fn reachable_deletes(&self, scanned: &ScannedUpdate<'_>, plan: &Plan) -> Deletes {
        let reached: BTreeMap<ClientId, u32> =
            plan.sections.iter().map(|take| (take.client, take.to)).collect();
        let mut deletes = Deletes::default();
        for &range in scanned.deletes() {
            let clock = reached.get(&range.client).copied().unwrap_or_else(|| self.index.clock(range.client));
            let len = range.len.min(clock.saturating_sub(range.clock));
            deletes.trimmed |= len < range.len;
            if len > 0 {
                deletes.ranges.push(DeleteRange { len, ..range });
            }
        }
        deletes
    }

    /// Returns the state vector: for every client the clock after its last struct.
    #[must_use]
    pub fn state_vector(&self) -> Bytes {
        let clocks = self.index.clocks();
        let mut out = Vec::with_capacity(clocks.len() * 10 + 4);
        write_var_uint(&mut out, clocks.len() as u64);
        for (client, clock) in clocks {
            write_var_uint(&mut out, client.0);
            write_var_uint(&mut out, clock.into());
        }
        out.into()
    }

    /// Returns who has written in the document.
    #[must_use]
    pub fn writers(&self) -> BTreeSet<ClientId> {
        self.index.clocks().map(|(client, _)| client).collect()
    }

    /// Returns the clock after the last struct of `client`.
    #[must_use]
    pub fn clock(&self, client: ClientId) -> u32 {
        self.index.clock(client)
    }

    /// Returns what a document with the encoded state vector `known` lacks, as an update. It holds every deletion,
    /// since a state vector does not tell which are known.
    ///
    /// # Errors
    /// [`DiffError`]: the state vector is malformed, or the document broke.
    pub fn diff(&self, known: &[u8]) -> Result<Bytes, DiffError> {
        let clocks = scan_state_vector(known)?;
        Ok(self.diff_from(clocks)?)
    }

    /// Returns what was added since the clocks of these clients, which moved on, were as given; see [`Self::diff`].
    ///
    /// # Errors
    /// [`Broken`] if the document is of no further use.
    pub fn diff_since(&self, before: &BTreeMap<ClientId, u32>) -> Result<Bytes, Broken> {
        let clocks =
            self.index.clocks().map(|(client, clock)| (client, *before.get(&client).unwrap_or(&clock)));
        self.diff_from(clocks)
    }

    /// Returns the whole document as one update.
    ///
    /// # Errors
    /// [`Broken`] if the document is of no further use.
    pub fn encode(&self) -> Result<Bytes, Broken> {
        self.diff_from([])
    }

    fn diff_from(&self, clocks: impl IntoIterator<Item = (ClientId, u32)>) -> Result<Bytes, Broken> {
        let state = self.known_of(clocks);
        let encoded = self.doc.read(|txn| txn.encode_state_as_update_v1(&state))?;
        // What yrs writes the guard accepts.
        self.originals.restore(encoded.into()).map_err(|_| Broken)
    }

    /// Keeps the clients that the document holds structs of. yrs hashes client ids by identity: 20,000 that collide cost
    /// it seconds, and whoever asks makes them up.
    pub(super) fn known_of(&self, clocks: impl IntoIterator<Item = (ClientId, u32)>) -> StateVector {
        let mut state = StateVector::default();
        let known = clocks.into_iter().filter(|&(client, _)| self.index.clock(client) > 0);
        known.for_each(|(client, clock)| state.set_max(yrs::ClientID::new(client.0), clock));
        state
    }

    /// Estimates what the document holds in memory, in bytes: yrs keeps about 200 bytes for a character that was typed
    /// at a random place, whose update has about 25.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.integrated_bytes.saturating_mul(8) + self.originals.memory_bytes()
    }

    /// Returns the bytes of all updates that were integrated.
    #[must_use]
    pub fn integrated_bytes(&self) -> usize {
        self.integrated_bytes
    }

    pub(super) fn index(&self) -> &StructIndex {
        &self.index
    }

    pub(super) fn contained(&self) -> &Contained {
        &self.doc
    }

    pub(super) fn contained_mut(&mut self) -> &mut Contained {
        &mut self.doc
    }

    pub(super) fn originals(&self) -> &Originals {
        &self.originals
    }

    /// Makes the document break, as a panic inside yrs would.
    #[cfg(any(test, feature = "testing"))]
    pub fn break_for_test(&mut self) {
        self.doc.give_up();
    }
}

#[derive(Debug, Default)]
struct Deletes {
    ranges: Vec<DeleteRange>,
    trimmed: bool,
}

/// Returns what of an integrated update was new. `part` is what went in, if it is at hand.
fn new_part(
    update: &Bytes,
    part: Option<Bytes>,
    plan: &Plan,
    deletes: &[DeleteRange],
    changes: Changes,
) -> Option<Bytes> {
    if plan.sections.is_empty() && changes.deleted.is_empty() {
        return None;
    }
    if let Some(encoded) = changes.encoded {
        return Some(encoded);
    }
    // An answer to a sync request repeats every deletion that its sender knows of.
    if deletes.len() > changes.deleted.len() {
        return Some(cut(update, &plan.sections, &changes.deleted));
    }
    Some(part.unwrap_or_else(|| cut(update, &plan.sections, deletes)))
}
