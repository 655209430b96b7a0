//! What a hook could not be told, as far as it is kept.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::{
    hook::{HookEvent, HookMark, HookMarkId},
    id::{CommitNumber, DocumentId, TenantId},
    limits::HOOK_DEAD_MAX,
    time::WallMs,
};

/// The dead letters of one hook.
#[derive(Debug, Default)]
pub(super) struct DeadLetters {
    marks: BTreeMap<HookMarkId, HookMark>,
    by_age: BTreeSet<(WallMs, HookMarkId)>,
}

impl DeadLetters {
    /// Keeps a mark that is one. Returns those that are too many by that, the oldest.
    pub(super) fn put(&mut self, mark: HookMark) -> Vec<HookMark> {
        self.remove(&mark.id);
        self.by_age.insert((died_at(&mark), mark.id));
        self.marks.insert(mark.id, mark);
        let mut dropped = Vec::new();
        while self.marks.len() > HOOK_DEAD_MAX {
            let Some(&(_, oldest)) = self.by_age.first() else { break };
            dropped.extend(self.remove(&oldest));
        }
        dropped
    }

    /// Takes out those of the same event of the document that are older than this.
    pub(super) fn overtaken_by(&mut self, id: &HookMarkId) -> Vec<HookMark> {
        let of_document = self.of(id.tenant, id.document);
        let old = of_document.into_iter().filter(|dead| dead.event == id.event && dead.commit < id.commit);
        old.filter_map(|dead| self.remove(&dead)).collect()
    }

    /// Takes out one, or all of a tenant, the oldest first.
    pub(super) fn take(&mut self, tenant: TenantId, which: Option<&HookMarkId>) -> Vec<HookMark> {
        let is_meant = |id: &&HookMarkId| id.tenant == tenant && which.is_none_or(|which| which == *id);
        let all: Vec<_> = self.by_age.iter().map(|(_, id)| id).filter(is_meant).copied().collect();
        all.iter().filter_map(|id| self.remove(id)).collect()
    }

    /// Takes out those of a document that is gone, but that it was deleted.
    pub(super) fn gone(&mut self, tenant: TenantId, document: DocumentId) -> Vec<HookMark> {
        let all = self.of(tenant, document).into_iter().filter(|id| id.event != HookEvent::Deleted);
        all.filter_map(|id| self.remove(&id)).collect()
    }

    /// Returns them, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &HookMark> {
        self.by_age.iter().filter_map(|(_, id)| self.marks.get(id))
    }

    pub(super) fn len(&self) -> usize {
        self.marks.len()
    }

    fn of(&self, tenant: TenantId, document: DocumentId) -> Vec<HookMarkId> {
        let at = |commit, event| HookMarkId { tenant, document, commit: CommitNumber(commit), event };
        let [first, .., last] = HookEvent::ALL;
        self.marks.range(at(0, first)..=at(u64::MAX, last)).map(|(id, _)| *id).collect()
    }

    fn remove(&mut self, id: &HookMarkId) -> Option<HookMark> {
        let mark = self.marks.remove(id)?;
        self.by_age.remove(&(died_at(&mark), *id));
        Some(mark)
    }
}

fn died_at(mark: &HookMark) -> WallMs {
    mark.dead.map(|dead| dead.at).unwrap_or_default()
}
