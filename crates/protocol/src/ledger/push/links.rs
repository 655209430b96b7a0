//! Which earlier ops of its device an op waits for, or fails with.

use std::collections::BTreeMap;

use syncline_core::entity::Outcome;
use syncline_core::entity::queue::{Fate, Linked, Standing, standing};

use super::temporary::creates;
use super::view::View;
use crate::ledger::message::{Kept, PushOp};

impl View<'_> {
    /// Returns whether an op can be decided, given what became of those that it depends on.
    ///
    /// The others of its transaction are no matter here: the first that fails ends it.
    pub(super) fn standing(&self, op: &PushOp) -> Standing {
        let own = Linked {
            n: op.numbered.n,
            entity: op.entity.clone(),
            creates: creates(&op.action),
            deps: op.deps.clone(),
            refs: op.refs.clone(),
            tx: None,
        };
        let touched = || op.refs.iter().chain([&op.entity]);
        let mut earlier: BTreeMap<u64, (Linked, Fate)> = BTreeMap::new();
        let created = touched().filter_map(|key| self.device.refused.get(key));
        for n in op.deps.iter().chain(created) {
            if let Some(kept) = self.device.kept.get(n) {
                let kept = kept.read();
                earlier.insert(*n, (linked(*n, &kept.result.entity, kept.creates), fate(&kept)));
            }
        }
        for (n, hole) in self.device.numbers.holes() {
            let created = hole.creates.as_ref().filter(|creates| touched().any(|key| key == *creates));
            let created = created.filter(|key| !self.device.is_created_behind(n, key));
            if op.deps.contains(&n) || created.is_some() {
                let linked = linked(n, created.unwrap_or(&op.entity), created.is_some());
                earlier.insert(n, (linked, Fate::Deferred));
            }
        }
        // What was a hole may have been decided just now.
        for other in self.decided() {
            earlier.insert(other.n(), (linked(other.n(), &other.key, other.creates), other.fate()));
        }
        standing(&own, earlier.values().map(|(linked, fate)| (linked, *fate)))
    }
}

fn linked(n: u64, entity: &syncline_core::entity::EntityKey, creates: bool) -> Linked {
    let (deps, refs) = Default::default();
    Linked { n, entity: entity.clone(), creates, deps, refs, tx: None }
}

const fn fate(kept: &Kept) -> Fate {
    match kept.result.outcome {
        Outcome::Rejected(_) => Fate::Rejected,
        Outcome::Applied | Outcome::Merged | Outcome::Superseded | Outcome::Conflict => Fate::Done,
    }
}
