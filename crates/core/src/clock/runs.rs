//! A list of runs that takes no memory of its own while it has at most one.

use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::ops::Deref;

use super::Run;

/// Runs in a row. The context of a change has one as a rule, and changes are made all the time.
#[derive(Clone, Debug)]
pub(super) enum Runs {
    One(Run),
    /// Any number of runs, also one.
    Many(Vec<Run>),
}

impl Runs {
    pub(super) const fn new() -> Self {
        Self::Many(Vec::new())
    }

    /// Returns the runs as a vector, to which others may be added.
    pub(super) fn to_mut(&mut self) -> &mut Vec<Run> {
        match self {
            Self::Many(runs) => runs,
            Self::One(run) => {
                *self = Self::Many(Vec::from([*run]));
                self.to_mut()
            }
        }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [Run] {
        match self {
            Self::One(run) => core::slice::from_mut(run),
            Self::Many(runs) => runs,
        }
    }

    pub(super) fn insert(&mut self, at: usize, run: Run) {
        match self {
            Self::Many(runs) if runs.capacity() == 0 => *self = Self::One(run),
            Self::One(_) | Self::Many(_) => self.to_mut().insert(at, run),
        }
    }
}

impl From<Vec<Run>> for Runs {
    fn from(runs: Vec<Run>) -> Self {
        Self::Many(runs)
    }
}

impl Deref for Runs {
    type Target = [Run];

    fn deref(&self) -> &[Run] {
        match self {
            Self::One(run) => core::slice::from_ref(run),
            Self::Many(runs) => runs,
        }
    }
}

impl Default for Runs {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for Runs {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Runs {}

impl Hash for Runs {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}
