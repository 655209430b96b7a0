//! What the list shows of one open room, kept by the room itself.

use std::sync::{Mutex, PoisonError};

use syncline_core::{person::Person, time::WallMs};

/// How large a room's document is, and when it was last changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// About what the store holds of it, in bytes.
    pub(crate) bytes: u64,
    /// When the last commit was made, if that is known.
    pub(crate) edited: Option<WallMs>,
}

/// What is known of a room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) size: Size,
    /// Whether the store knows the room.
    pub(crate) stored: bool,
    pub(crate) connections: usize,
    /// As they were when [`described`](Self::described) presence changes had been counted.
    pub(crate) people: Vec<Person>,
    pub(crate) presence_changes: u64,
    pub(crate) described: u64,
}

/// The facts of an open room: the room writes them, the list reads them.
#[derive(Debug, Default)]
pub(crate) struct Card(Mutex<Facts>);

impl Card {
    /// Changes the facts.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Returns the facts as they are.
    pub(crate) fn facts(&self) -> Facts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
