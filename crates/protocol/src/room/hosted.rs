//! A room of either kind.

use std::collections::BTreeSet;

use syncline_core::{
    id::ClientId,
    log::{Engine, Former},
    person::Person,
    time::{MonotonicMs, Now},
};

use super::{AutomergeRoom, Effect, Input, LoadError, Loaded, Revision, Room, RoomLimits, Stats};

/// A room of whichever kind its document is.
#[derive(Debug)]
pub enum Hosted {
    /// Of a Yjs document.
    Yjs(Box<Room>),
    /// Of an Automerge document.
    Automerge(Box<AutomergeRoom>),
}

/// Calls the same method of either.
macro_rules! either {
    ($hosted:expr, $room:ident => $call:expr) => {
        match $hosted {
            Hosted::Yjs($room) => $call,
            Hosted::Automerge($room) => $call,
        }
    };
}

impl Hosted {
    /// Loads a room from what the store holds of its document.
    ///
    /// # Errors
    /// [`LoadError`] names what could not be taken up.
    pub fn load(now: Now, engine: Engine, loaded: &Loaded, limits: &RoomLimits) -> Result<Self, LoadError> {
        Ok(match engine {
            Engine::Yjs => Self::Yjs(Box::new(Room::load_with(now, loaded, limits)?)),
            Engine::Automerge => Self::Automerge(Box::new(AutomergeRoom::load(now, loaded, limits)?)),
        })
    }

    /// See [`Room::set_storage_full`].
    pub fn set_storage_full(&mut self, full: bool) {
        either!(self, room => room.set_storage_full(full));
    }

    /// See [`Room::set_former`]. Automerge documents have no names that were used before.
    pub fn set_former(&mut self, clients: BTreeSet<ClientId>) {
        match self {
            Self::Yjs(room) => room.set_former(clients),
            Self::Automerge(_) => {}
        }
    }

    /// Takes one input and queues its effects.
    pub fn handle(&mut self, now: Now, input: Input) {
        either!(self, room => room.handle(now, input));
    }

    /// Returns the next effect; the order is the order in which they must happen.
    #[must_use]
    pub fn poll_effect(&mut self) -> Option<Effect> {
        either!(self, room => room.poll_effect())
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        either!(self, room => room.handle_timeout(now));
    }

    /// Returns when [`Hosted::handle_timeout`] wants to be called. It may change with every call of the other methods.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<MonotonicMs> {
        either!(self, room => room.poll_timeout())
    }

    /// Returns what kind of document it is.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        match self {
            Self::Yjs(_) => Engine::Yjs,
            Self::Automerge(_) => Engine::Automerge,
        }
    }

    /// See [`Room::former`]. The name of an Automerge document is its id, which clients draw and never use again: nobody else
    /// does, either.
    #[must_use]
    pub fn former(&self) -> Former {
        match self {
            Self::Yjs(room) => room.former(),
            Self::Automerge(_) => Former::Everyone,
        }
    }

    /// See [`Room::revision`].
    #[must_use]
    pub fn revision(&self) -> Revision {
        either!(self, room => room.revision())
    }

    /// See [`Room::is_saturated`].
    #[must_use]
    pub fn is_saturated(&self) -> bool {
        either!(self, room => room.is_saturated())
    }

    /// See [`Room::is_idle`].
    #[must_use]
    pub fn is_idle(&self) -> bool {
        either!(self, room => room.is_idle())
    }

    /// See [`Room::memory_bytes`].
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        either!(self, room => room.memory_bytes())
    }

    /// See [`Room::connections`].
    #[must_use]
    pub fn connections(&self) -> usize {
        either!(self, room => room.connections())
    }

    /// See [`Room::stored_bytes`].
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        either!(self, room => room.stored_bytes())
    }

    /// See [`Room::people`]. What is in the presence of Automerge clients is for themselves.
    #[must_use]
    pub fn people(&self, max: usize) -> Vec<Person> {
        match self {
            Self::Yjs(room) => room.people(max),
            Self::Automerge(_) => Vec::new(),
        }
    }

    /// See [`Room::presence_changes`].
    #[must_use]
    pub fn presence_changes(&self) -> u64 {
        match self {
            Self::Yjs(room) => room.presence_changes(),
            Self::Automerge(_) => 0,
        }
    }

    /// See [`Room::stats`].
    #[must_use]
    pub fn stats(&self) -> Stats {
        either!(self, room => room.stats())
    }
}
