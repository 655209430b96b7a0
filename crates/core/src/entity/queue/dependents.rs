//! Which ops wait for which.
//!
//! An op depends on those that it names, on the creation of what it refers to, on the creation of its own record, and on the
//! others of its transaction. It does not depend on other ops on its record: after a refused update the next one is decided on
//! what its author saw.

use alloc::collections::BTreeSet;

use crate::entity::EntityKey;

/// What an op says of others. Ops of one device, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linked {
    /// Its number.
    pub n: u64,
    /// Its entity.
    pub entity: EntityKey,
    /// Whether it creates the entity.
    pub creates: bool,
    /// The numbers that it names.
    pub deps: BTreeSet<u64>,
    /// The entities that it refers to.
    pub refs: BTreeSet<EntityKey>,
    /// Its transaction.
    pub tx: Option<u64>,
}

/// What became of an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was decided and not refused.
    Done,
    /// It is tried again later.
    Deferred,
    /// It was refused.
    Rejected,
}

/// Whether an op can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can.
    Free,
    /// It waits for this op.
    Waits {
        /// The number of the op.
        on: u64,
    },
    /// It fails, since this op was refused.
    Fails {
        /// The number of the op.
        with: u64,
    },
    /// It names an op that does not come before it.
    Misnamed,
}

/// Returns whether an op can be decided, given what became of earlier ops of its device, by ascending number.
///
/// An op that is not among `earlier` counts as done.
#[must_use]
pub fn standing<'a>(op: &Linked, earlier: impl IntoIterator<Item = (&'a Linked, Fate)>) -> Standing {
    if op.deps.iter().any(|&dep| dep >= op.n) {
        return Standing::Misnamed;
    }
    let mut waits = None;
    let mut fails = None;
    let mut created = alloc::collections::BTreeMap::new();
    for (other, fate) in earlier.into_iter().filter(|(other, _)| other.n < op.n) {
        let is_member = op.tx.is_some() && op.tx == other.tx;
        if op.deps.contains(&other.n) || is_member {
            note(&mut waits, &mut fails, other.n, fate);
        }
        if other.creates && (op.refs.contains(&other.entity) || op.entity == other.entity) {
            // A later creation stands for the entity: its author may have mended the one that was refused.
            created.insert(&other.entity, (other.n, fate));
        }
    }
    for (entity, (n, fate)) in created {
        if !(op.creates && *entity == op.entity) {
            note(&mut waits, &mut fails, n, fate);
        }
    }
    match (fails, waits) {
        (Some(with), _) => Standing::Fails { with },
        (None, Some(on)) => Standing::Waits { on },
        (None, None) => Standing::Free,
    }
}

fn note(waits: &mut Option<u64>, fails: &mut Option<u64>, n: u64, fate: Fate) {
    match fate {
        Fate::Done => {}
        Fate::Deferred => *waits = waits.or(Some(n)),
        Fate::Rejected => *fails = fails.or(Some(n)),
    }
}
