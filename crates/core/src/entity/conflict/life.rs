//! The life of a conflict.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Candidate, Choice, ConflictKind, Draft, Method, Request, Resolution, Resolved};
use crate::entity::{Action, Actors, EntityKey, Fallback, Policy, Record};
use crate::limits::{CONFLICT_CANDIDATES_MAX, FAULTS_TOLD_MAX, SOURCES_MIN};
use crate::time::WallMs;

/// Where a conflict stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ConflictState {
    /// A policy decided; this keeps what lost.
    Auto,
    /// It waits.
    Open,
    /// Someone has it.
    Assigned,
    /// A deadline has passed, and others have it.
    Escalated,
    /// It is settled.
    Resolved,
    /// No one settled it in time.
    Expired,
}

/// Who is to have a conflict, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Level {
    /// Who.
    pub assignee: String,
    /// How long, in milliseconds.
    pub within_ms: u64,
}

/// A conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Conflict {
    entity: EntityKey,
    policy: Policy,
    detected_at: WallMs,
    rev: u64,
    state: ConflictState,
    draft: Draft,
    /// Candidates that came when there were too many.
    candidates_beyond: u64,
    assignee: Option<String>,
    deadline: Option<WallMs>,
    /// How many levels it has been through.
    level: usize,
    resolution: Option<Resolution>,
}

/// Why a conflict is not changed. Who asks is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConflictError {
    /// It is closed.
    #[error("the conflict is closed")]
    Closed,
    /// It, or the entity, has changed since.
    #[error("the conflict has changed since revision {seen}, and is at {rev}")]
    Stale {
        /// The revision that was seen.
        seen: u64,
        /// The present one.
        rev: u64,
    },
    /// The id of the request was used for another one.
    #[error("another request has the same resolution id")]
    Reused,
    /// There is no such candidate.
    #[error("there are {count} candidates")]
    NoCandidate {
        /// How many there are.
        count: usize,
    },
    /// The merged value is not a write.
    #[error("a merged value sets and unsets fields")]
    NotAValue,
}

impl Conflict {
    /// Returns the conflict that a decision has found.
    #[must_use]
    pub fn new(draft: Draft, entity: EntityKey, policy: Policy, detected_at: WallMs) -> Self {
        let closed = || Resolution { method: Method::Policy, request: None, action: None, at: detected_at };
        let mut conflict = Self {
            entity,
            policy,
            detected_at,
            rev: 1,
            state: if draft.open { ConflictState::Open } else { ConflictState::Auto },
            resolution: (!draft.open).then(closed),
            draft,
            candidates_beyond: 0,
            assignee: None,
            deadline: None,
            level: 0,
        };
        conflict.shorten();
        conflict
    }

    /// Returns the conflict with a deadline some milliseconds after it has arisen, if it waits for anyone.
    #[must_use]
    pub fn due_within(self, deadline_ms: Option<u64>) -> Self {
        let within = deadline_ms.filter(|_| self.is_open());
        Self { deadline: within.map(|ms| WallMs(self.detected_at.0.saturating_add(ms))), ..self }
    }

    /// Takes in what another op wants of the same entity: there is at most one open conflict for each. Where writes of three
    /// devices meet in a field, that of the record as it is now included, its kind becomes [`ConflictKind::MultiSource`], if it
    /// was about updates or creations.
    ///
    /// # Errors
    /// [`ConflictError::Closed`].
    pub fn join(&mut self, draft: Draft, record: Option<&Record>) -> Result<(), ConflictError> {
        self.change()?;
        self.draft.fields.extend(draft.fields);
        for (name, value) in draft.standing {
            self.draft.standing.entry(name).or_insert(value);
        }
        for (name, value) in draft.base {
            self.draft.base.entry(name).or_insert(value);
        }
        self.draft.candidates.extend(draft.candidates);
        self.draft.others.extend(draft.others);
        if self.kind().is_of_writes() && self.has_many_sources(record) {
            self.draft.kind = ConflictKind::MultiSource;
        }
        self.shorten();
        Ok(())
    }

    /// Gives the conflict to someone, until another deadline if one is given.
    ///
    /// # Errors
    /// [`ConflictError::Closed`].
    pub fn assign(&mut self, assignee: String, deadline: Option<WallMs>) -> Result<(), ConflictError> {
        self.change()?;
        self.state = self.state.max(ConflictState::Assigned);
        self.assignee = Some(assignee);
        self.deadline = deadline.or(self.deadline);
        Ok(())
    }

    /// Gives the conflict to the next level.
    ///
    /// # Errors
    /// [`ConflictError::Closed`].
    pub fn escalate(&mut self, to: &Level, now: WallMs) -> Result<(), ConflictError> {
        self.change()?;
        self.state = ConflictState::Escalated;
        self.level = self.level.saturating_add(1);
        self.assignee = Some(to.assignee.clone());
        self.deadline = Some(WallMs(now.0.saturating_add(to.within_ms)));
        Ok(())
    }

    /// Does what a deadline asks for if it has passed: the next level gets the conflict, or behind the last one it expires,
    /// and the fallback says what is to be done to the record.
    pub fn pass_deadline(
        &mut self,
        now: WallMs,
        levels: &[Level],
        fallback: Option<Fallback>,
        (actors, record): (&Actors, &Record),
    ) -> Option<Action> {
        if !self.is_open() || self.deadline.is_none_or(|deadline| now < deadline) {
            return None;
        }
        if let Some(level) = levels.get(self.level) {
            self.escalate(level, now).ok();
            return None;
        }
        let chosen = match fallback {
            Some(Fallback::Client) => self.draft.candidates.first(),
            Some(Fallback::Lww) => {
                let latest = self.draft.candidates.iter().max_by(|a, b| actors.compare(a.stamp, b.stamp));
                latest.filter(|latest| actors.compare(latest.stamp, record.stamp()).is_gt())
            }
            Some(Fallback::Server | Fallback::Manual) | None => None,
        };
        let action = chosen.map(|candidate| candidate.wish.clone());
        self.rev = self.rev.saturating_add(1);
        self.close(ConflictState::Expired, Method::Deadline, None, action.clone(), now);
        action
    }

    /// Closes the conflict because its entity was deleted.
    ///
    /// # Errors
    /// [`ConflictError::Closed`].
    pub fn delete(&mut self, now: WallMs) -> Result<(), ConflictError> {
        self.change()?;
        self.close(ConflictState::Resolved, Method::Deleted, None, None, now);
        Ok(())
    }

    /// Removes all values and what people have said of them, as the entity is erased. What collided, when, and who decided stays.
    /// It is not a change: a closed conflict is emptied, too.
    pub fn empty(&mut self) {
        self.draft.empty();
        if let Some(resolution) = &mut self.resolution {
            resolution.empty();
        }
    }

    /// Returns whether someone has it, or has settled it.
    #[must_use]
    pub fn names(&self, person: &str) -> bool {
        let request = self.resolution.as_ref().and_then(|resolution| resolution.request.as_ref());
        self.assignee.as_deref() == Some(person) || request.is_some_and(|request| request.by == person)
    }

    /// Calls someone otherwise, as the person is erased. It is not a change, as [`empty`](Self::empty) is none.
    pub fn rename(&mut self, person: &str, known_as: &str) {
        let request = self.resolution.as_mut().and_then(|resolution| resolution.request.as_mut());
        let by = request.map(|request| &mut request.by);
        for name in self.assignee.iter_mut().chain(by).filter(|name| *name == person) {
            known_as.clone_into(name);
        }
    }

    /// Closes the conflict as a person asks for, and says what is to be done to the record for it.
    ///
    /// # Errors
    /// In this order: [`ConflictError::Reused`] if another request with its id has closed it, [`ConflictError::Closed`],
    /// [`ConflictError::Stale`] if the conflict, or one of its fields since the version seen, has changed,
    /// [`ConflictError::NoCandidate`] and [`ConflictError::NotAValue`].
    pub fn resolve(
        &mut self,
        request: Request,
        record: &Record,
        now: WallMs,
    ) -> Result<Resolved, ConflictError> {
        let before = self.resolution.as_ref().and_then(|resolution| resolution.request.as_ref());
        if let Some(before) = before.filter(|before| before.resolution_id == request.resolution_id) {
            return if *before == request { Ok(Resolved::Before) } else { Err(ConflictError::Reused) };
        }
        if !self.is_open() {
            return Err(ConflictError::Closed);
        }
        let fields = || self.draft.fields.iter().filter_map(|name| record.fields.get(name));
        if request.conflict_rev != self.rev || fields().any(|slot| slot.ver > request.entity_ver) {
            return Err(ConflictError::Stale { seen: request.conflict_rev, rev: self.rev });
        }
        let action = self.chosen(&request.choice)?;
        self.rev = self.rev.saturating_add(1);
        self.close(ConflictState::Resolved, Method::Person, Some(request), action.clone(), now);
        Ok(Resolved::Now(action))
    }

    /// Returns whether it waits for anyone.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        match self.state {
            ConflictState::Open | ConflictState::Assigned | ConflictState::Escalated => true,
            ConflictState::Auto | ConflictState::Resolved | ConflictState::Expired => false,
        }
    }

    /// Returns where it stands.
    #[must_use]
    pub const fn state(&self) -> ConflictState {
        self.state
    }

    /// Returns how often it has changed, counted from 1.
    #[must_use]
    pub const fn rev(&self) -> u64 {
        self.rev
    }

    /// Returns the entity.
    #[must_use]
    pub const fn entity(&self) -> &EntityKey {
        &self.entity
    }

    /// Returns what collided.
    #[must_use]
    pub const fn kind(&self) -> ConflictKind {
        self.draft.kind
    }

    /// Returns the policy of the type when it arose.
    #[must_use]
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// Returns when it arose.
    #[must_use]
    pub const fn detected_at(&self) -> WallMs {
        self.detected_at
    }

    /// Returns its fields, with what each side has of them.
    #[must_use]
    pub const fn draft(&self) -> &Draft {
        &self.draft
    }

    /// Returns what lost, or waits.
    #[must_use]
    pub fn candidates(&self) -> &[Candidate] {
        &self.draft.candidates
    }

    /// Returns how many candidates are not kept, since there were too many.
    #[must_use]
    pub const fn candidates_beyond(&self) -> u64 {
        self.candidates_beyond
    }

    /// Returns who has it.
    #[must_use]
    pub fn assignee(&self) -> Option<&str> {
        self.assignee.as_deref()
    }

    /// Returns until when. It may change with each call that changes the conflict.
    #[must_use]
    pub const fn deadline(&self) -> Option<WallMs> {
        self.deadline
    }

    /// Returns how many levels it has been through.
    #[must_use]
    pub const fn level(&self) -> usize {
        self.level
    }

    /// Returns how it was closed.
    #[must_use]
    pub const fn resolution(&self) -> Option<&Resolution> {
        self.resolution.as_ref()
    }

    fn change(&mut self) -> Result<(), ConflictError> {
        if !self.is_open() {
            return Err(ConflictError::Closed);
        }
        self.rev = self.rev.saturating_add(1);
        Ok(())
    }

    fn close(
        &mut self,
        state: ConflictState,
        method: Method,
        request: Option<Request>,
        action: Option<Action>,
        at: WallMs,
    ) {
        self.state = state;
        self.deadline = None;
        self.resolution = Some(Resolution { method, request, action, at });
    }

    fn chosen(&self, choice: &Choice) -> Result<Option<Action>, ConflictError> {
        let candidates: &Vec<Candidate> = &self.draft.candidates;
        let at = match choice {
            Choice::Server | Choice::Discard => return Ok(None),
            Choice::Merged(action @ Action::Update { .. }) => return Ok(Some(action.clone())),
            Choice::Merged(_) => return Err(ConflictError::NotAValue),
            Choice::Client => 0,
            Choice::Candidate(at) => *at,
        };
        let chosen = candidates.get(at).ok_or(ConflictError::NoCandidate { count: candidates.len() })?;
        Ok(Some(chosen.wish.clone()))
    }

    fn has_many_sources(&self, record: Option<&Record>) -> bool {
        self.draft.fields.iter().any(|name| {
            let standing = record.and_then(|record| record.fields.get(name)).map(|slot| slot.stamp);
            let wanted = self.draft.candidates.iter().filter(|it| it.wish.fields().contains(name));
            let writes = standing.into_iter().chain(wanted.map(|it| it.stamp));
            writes.map(|stamp| stamp.dot.replica).collect::<BTreeSet<_>>().len() >= SOURCES_MIN
        })
    }

    fn shorten(&mut self) {
        let beyond = self.draft.candidates.len().saturating_sub(CONFLICT_CANDIDATES_MAX);
        self.candidates_beyond = self.candidates_beyond.saturating_add(beyond as u64);
        self.draft.candidates.truncate(CONFLICT_CANDIDATES_MAX);
        while self.draft.others.len() > FAULTS_TOLD_MAX {
            self.draft.others.pop_last();
        }
    }
}
