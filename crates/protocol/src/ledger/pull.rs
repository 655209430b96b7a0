//! How a ledger answers a pull.

use std::sync::Arc;

use syncline_core::clock::{HybridTime, ReplicaId};
use syncline_core::entity::{
    ActorName, EntityKey, Epoch, Outcome, Policy, Record, Sequence, TypeName, UserName,
};
use syncline_core::limits::{PULL_RECORDS_MAX, PULL_RESULTS_MAX};
use syncline_core::time::WallMs;

use super::cursor::{Cursor, Reset};
use super::device::Device;
use super::message::{Answer, OpResult, Refused, Write};
use super::scope::Scope;
use super::shelf::{Checksum, Standing};
use super::{Ledger, Packed};

/// One scope of a pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullScope {
    /// The scope.
    pub scope: Scope,
    /// Where the device is; none if it begins, or begins again by itself.
    pub cursor: Option<Cursor>,
    /// How many changes at most; more than [`PULL_RECORDS_MAX`] are that many, none is one.
    pub count_max: usize,
    /// Whether changes are left out that the device has made itself and knows to be as it meant. In a full pass none are: there
    /// what is not told is dropped.
    pub without_own: bool,
}

/// What has changed, all of it at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The life of the log.
    pub epoch: Epoch,
    /// The end of the log.
    pub as_of: Sequence,
    /// The latest time that was given or taken.
    pub hlc: HybridTime,
    /// The greatest number below which all of the device's ops have results.
    pub last_n: u64,
    /// The greatest number of the device.
    pub high_n: u64,
    /// The scopes, in the order of the pull.
    pub scopes: Vec<PulledScope>,
    /// The oldest results that the device has not acknowledged.
    pub results: Vec<OpResult>,
    /// How many conflicts wait for people.
    pub conflicts_open: u64,
}

/// What has changed in a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PulledScope {
    /// Its name.
    pub name: TypeName,
    /// Why the device begins again, if it does.
    pub reset: Option<Reset>,
    /// What has changed, by the places of the changes.
    pub changes: Vec<PullChange>,
    /// How many changes of the device itself are left out.
    pub own: usize,
    /// Where the page begins.
    pub from: Cursor,
    /// Where to go on.
    pub cursor: Cursor,
    /// Whether there is more; if not, the device is up to date.
    pub has_more: bool,
    /// The records that the device has by then, if it is up to date and no two buckets of the scope share records.
    pub checksum: Option<Checksum>,
    /// How many records are in the scope.
    pub total: u64,
    /// In a full pass, how many of them the device has read; it may be less than before where records have changed meanwhile,
    /// which are read again.
    pub done: Option<u64>,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullChange {
    /// It is this now.
    Put(EntityKey, Packed<Record>),
    /// It was deleted.
    Delete(EntityKey, Packed<Record>),
    /// It is this now, and the document behind it, which its key names, may have changed.
    Document(EntityKey, Arc<Record>),
    /// It is no longer in the scope.
    Evict(EntityKey),
}

impl PulledScope {
    /// Ends the page before one of its changes, if that is one of a document: the page is too long with it.
    pub fn cut(&mut self, at: usize) {
        let Some(PullChange::Document(_, record)) = self.changes.get(at) else { return };
        let pos = Sequence(record.seq.0.saturating_sub(1));
        self.cursor = Cursor { pos: pos.max(self.from.pos), ..self.from };
        let is_live = |change: &&PullChange| matches!(change, PullChange::Put(..) | PullChange::Document(..));
        let unread = self.changes[at..].iter().filter(is_live).count() as u64;
        self.done = self.done.map(|done| done.saturating_sub(unread));
        self.changes.truncate(at);
        self.has_more = true;
        self.checksum = None;
    }
}

impl Ledger {
    pub(super) fn pull(
        &mut self,
        now: WallMs,
        name: &ActorName,
        asked: &[PullScope],
    ) -> Result<Answer, Refused> {
        let is_known =
            |scope: &Scope| scope.sections.iter().all(|section| self.types.contains_key(&section.kind));
        if let Some(unknown) = asked.iter().find(|asked| !is_known(&asked.scope)) {
            return Err(Refused::UnknownScope { scope: unknown.scope.name.clone() });
        }
        let actor = self.number(name);
        let scopes = asked.iter().map(|asked| self.pull_scope(actor, asked)).collect();
        let device = self.devices.entry(actor).or_default();
        let pulled =
            asked.iter().map(|asked| (asked.scope.name.clone(), (asked.scope.sections.clone(), now)));
        device.pulled.extend(pulled);
        Ok(Answer::Pulled(Box::new(Pulled {
            epoch: self.epoch,
            as_of: self.log.head(),
            hlc: self.hlc,
            last_n: device.numbers.last(),
            high_n: device.numbers.high(),
            scopes,
            results: device.unacknowledged().take(PULL_RESULTS_MAX).map(|kept| kept.read().result).collect(),
            conflicts_open: self.open.len() as u64,
        })))
    }

    fn pull_scope(&mut self, actor: ReplicaId, asked: &PullScope) -> PulledScope {
        let scope = &asked.scope;
        let resync = self.devices.get(&actor).and_then(|device| device.resyncs.get(&scope.name)).copied();
        let reset = asked.cursor.and_then(|cursor| self.reset_of(scope, &cursor, resync));
        let from = asked.cursor.filter(|_| reset.is_none()).unwrap_or_else(|| self.first_cursor(scope));
        let count_max = asked.count_max.clamp(1, PULL_RECORDS_MAX);
        let page = self.log.page(&scope.sections, from.pos, from.full_pass, count_max);
        let is_last = page.is_last();
        // That the device has been told to begin again is certain once it goes on from there, so the pass lasts until then.
        let goes_on = asked.cursor.is_some() && reset.is_none();
        let is_over = is_last && (resync.is_none() || goes_on);
        if is_over && resync.is_some() {
            self.end_resync(actor, &scope.name);
        }
        let checksum = self.log.checksum(&scope.sections);
        let cursor = Cursor { pos: page.pos, full_pass: from.full_pass.filter(|_| !is_over), ..from };
        let changes = page.entries.into_iter().map(|(_, key, standing)| self.change(key, standing));
        let mut changes: Vec<PullChange> = changes.collect();
        let count = changes.len();
        if asked.without_own && from.full_pass.is_none() {
            changes.retain(|change| !self.is_known_to(actor, change));
        }
        PulledScope {
            name: scope.name.clone(),
            reset,
            own: count - changes.len(),
            changes,
            from,
            cursor,
            has_more: !is_last,
            checksum: (is_last && scope.is_disjoint()).then_some(checksum),
            total: checksum.count,
            done: from.full_pass.map(|_| self.log.live_up_to(&scope.sections, cursor.pos)),
        }
    }

    fn change(&self, key: EntityKey, standing: Standing) -> PullChange {
        let record = |key: &EntityKey| self.records[key].clone();
        let is_document = self.types.get(&key.kind).is_some_and(|ty| ty.policy == Policy::Crdt);
        match standing {
            Standing::Evicted => PullChange::Evict(key),
            Standing::Deleted => PullChange::Delete(key.clone(), record(&key)),
            Standing::Live if is_document => PullChange::Document(key.clone(), Arc::new(record(&key).read())),
            Standing::Live => PullChange::Put(key.clone(), record(&key)),
        }
    }

    /// Returns whether a device has what a change tells: its own op was the last, which met what its author had seen and was
    /// applied. An op that was late is `applied`, too, where all that it wrote has won; then others' values are in the record.
    fn is_known_to(&self, actor: ReplicaId, change: &PullChange) -> bool {
        let dot = match change {
            PullChange::Put(_, record) | PullChange::Delete(_, record) => record.read().dot,
            PullChange::Document(_, record) => record.dot,
            PullChange::Evict(_) => return false,
        };
        let own = self.devices.get(&actor).filter(|_| dot.replica == actor);
        let kept = own.and_then(|device| device.kept.get(&dot.counter));
        kept.is_some_and(|kept| {
            let result = kept.read().result;
            result.outcome == Outcome::Applied && result.data.is_none()
        })
    }

    /// Has a device begin a scope again when it pulls it next.
    pub(super) fn ask_resync(
        &mut self,
        name: &ActorName,
        user: Option<&UserName>,
        scope: TypeName,
        reason: Reset,
    ) -> Result<Answer, Refused> {
        self.binding(name, user)?;
        let actor = self.number(name);
        let resync = super::Resync { reason, since: self.log.head() };
        self.devices.entry(actor).or_default().resyncs.insert(scope.clone(), resync);
        self.gathered.push(Write::Resync(actor, scope, Some(resync)));
        Ok(Answer::Noted)
    }

    fn end_resync(&mut self, actor: ReplicaId, scope: &TypeName) {
        let device: &mut Device = self.devices.entry(actor).or_default();
        device.resyncs.remove(scope);
        self.gathered.push(Write::Resync(actor, scope.clone(), None));
    }
}
