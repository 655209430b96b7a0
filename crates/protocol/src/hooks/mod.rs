//! What one hook is told, and when: the machine behind the requests to an application.
//!
//! A mark of each event waits in the store. [`Hook`] holds those that it knows of in memory, as many as may be: it lets a document become
//! quiet, tells its events one at a time and in order, tries again with growing pauses, and gives up what cannot be told.
//!
//! * `machine`: [`Hook`]; `queue`: what waits of one name; `pause`: how long between two attempts; `dead`: what was given up.
//!
//! An application knows a document by its name, and a name may mean one document after another. So the order is that of names: what happened
//! to a later document of a name waits until it was told that the earlier one was deleted, or that is a dead letter, which holds up nothing.
//!
//! Invariants:
//! * of one name one request is under way at a time, and of all at most [`HOOK_CALLS_MAX`];
//! * a mark is forgotten when it was taken, when a newer one of the same event is there, or as the oldest of too many dead letters;
//! * whatever fails, each name that waits gets its turn: the one that is due first is next;
//! * what is in memory is bounded, and what is left out is read when there is room. Meanwhile nothing new is told of a name of which
//!   something earlier may have been left out.
//!
//! [`HOOK_CALLS_MAX`]: syncline_core::limits::HOOK_CALLS_MAX

mod dead;
mod machine;
mod pause;
mod queue;

use syncline_core::{
    hook::{HookFailure, HookMark, HookMarkId},
    id::{RoomName, TenantId},
    limits::{HOOK_ATTEMPTS, HOOK_QUIET_MS, HOOK_RETRY_MS, HOOK_WAIT_MS},
};

pub use self::{machine::Hook, queue::Debounce};

/// What an application knows documents by. It means one at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Topic {
    /// Whose documents.
    pub tenant: TenantId,
    /// What they are called.
    pub name: RoomName,
}

/// How a hook is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long a document that changes is left to become quiet.
    pub debounce: Debounce,
    /// How often something is tried before it is a dead letter.
    pub attempts: u32,
    /// Pause after the first attempt that fails, in milliseconds.
    pub retry_ms: u64,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was taken.
    Taken,
    /// It was not sent: the application is left in peace for a while.
    Held {
        /// How long that is, in milliseconds.
        retry_after_ms: u64,
    },
    /// It was not taken.
    Failed {
        /// Why.
        failure: HookFailure,
        /// How long the application asks to be left in peace, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The application wants nothing more (status 410).
    Unwanted,
    /// It was not sent: there is no such document any more.
    Gone,
}

/// What the machine wants done, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Tell the application, and say what becomes of it by [`Hook::answered`].
    Send(HookMark),
    /// Store a mark, in place of the one of its id.
    Keep(HookMark),
    /// Remove a mark from the store.
    Forget(HookMarkId),
    /// Once all that is to be stored and removed before is, read marks from the store: first all that documents were deleted, then the
    /// others, from where reading has stopped. Hand them in by [`Hook::load`] as long as [`Hook::has_room`], then, by [`Hook::note`], what
    /// has become durable meanwhile, and call [`Hook::loaded`].
    Load,
}

/// How far the store was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// From its beginning to its end.
    Whole,
    /// Not all of it: there was no more room, or it began where it had stopped before.
    InPart,
    /// Something cannot be read now. What comes meanwhile is told all the same, also if it is behind what was not read.
    Failed,
}

/// What has happened so far, and what waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HookStats {
    /// Requests that were taken.
    pub delivered: u64,
    /// Requests that were not.
    pub failed: u64,
    /// Marks that became dead letters.
    pub buried: u64,
    /// Dead letters that were forgotten because there were too many.
    pub dropped: u64,
    /// Names in memory of which something waits.
    pub waiting: usize,
    /// Dead letters.
    pub dead: usize,
}

impl Topic {
    /// Returns what a mark is about.
    #[must_use]
    pub fn of(mark: &HookMark) -> Self {
        Self { tenant: mark.id.tenant, name: mark.name.clone() }
    }
}

impl Default for Rules {
    fn default() -> Self {
        let debounce = Debounce { quiet_ms: HOOK_QUIET_MS, longest_ms: HOOK_WAIT_MS };
        Self { debounce, attempts: HOOK_ATTEMPTS, retry_ms: HOOK_RETRY_MS }
    }
}
