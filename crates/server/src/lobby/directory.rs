//! The stored rooms of one epoch: how many there are, and the ones that were edited last.
//!
//! Rooms that close tell it what became of them. All others it learns from one pass over the names in the store, which
//! begins when somebody first asks for the list.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use syncline_core::id::{RoomName, TenantId};

use super::card::Size;
use crate::limits::LISTED_ROOMS_MAX;

/// The directories of the tenants of one epoch, by their numbers: of those that have stored a room, or look for one.
#[derive(Debug, Default)]
pub(crate) struct Directories(Mutex<BTreeMap<TenantId, Arc<Directory>>>);

impl Directories {
    /// Returns the directory of a tenant.
    pub(crate) fn of(&self, tenant: TenantId) -> Arc<Directory> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(tenant).or_default())
    }
}

/// What is known of the rooms of a tenant that are not open. Short sections, no `await` inside.
#[derive(Debug, Default)]
pub(crate) struct Directory(Mutex<Known>);

/// What is known of the stored rooms.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// The rooms that were edited last, at most [`LISTED_ROOMS_MAX`].
    pub(super) recent: BTreeMap<RoomName, Size>,
    /// Names in the store, as far as they were counted.
    pub(super) total: usize,
    pub(super) pass: Pass,
}

/// How far the pass over the names has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Pass {
    #[default]
    NotBegun,
    /// Everything up to this name is counted.
    Behind(Option<RoomName>),
    Done,
}

impl Directory {
    /// Notes that a room became known to the store. A pass that has still to come by counts it itself. The count is one
    /// too many if a pass came by between the commit and this call; nothing but a number shown to people rests on it.
    pub(crate) fn created(&self, name: &RoomName) {
        let mut known = self.known();
        known.total += usize::from(known.has_counted(name));
    }

    /// Notes what a stored room was when it closed.
    pub(crate) fn closed(&self, name: &RoomName, size: Size) {
        self.known().keep(name, size);
    }

    /// Notes that the store knows a room no more. A pass that has still to come by does not find it.
    pub(crate) fn deleted(&self, name: &RoomName) {
        let mut known = self.known();
        known.recent.remove(name);
        let counted = usize::from(known.has_counted(name));
        known.total = known.total.saturating_sub(counted);
    }

    /// Returns whether the caller has to make the pass.
    pub(super) fn begin_pass(&self) -> bool {
        let mut known = self.known();
        let begins = known.pass == Pass::NotBegun;
        if begins {
            known.pass = Pass::Behind(None);
        }
        begins
    }

    /// Notes a room that the pass found. What a room said itself is newer.
    pub(super) fn found(&self, name: &RoomName, size: Size) {
        let mut known = self.known();
        known.total += 1;
        known.pass = Pass::Behind(Some(name.clone()));
        if !known.recent.contains_key(name) {
            known.keep(name, size);
        }
    }

    /// Notes that the pass has come to the end.
    pub(super) fn end_pass(&self) {
        self.known().pass = Pass::Done;
    }

    /// Returns what is known.
    pub(super) fn known_now(&self) -> Known {
        self.known().clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Returns whether the pass has come by a name.
    fn has_counted(&self, name: &RoomName) -> bool {
        match &self.pass {
            Pass::NotBegun | Pass::Behind(None) => false,
            Pass::Behind(Some(last)) => name <= last,
            Pass::Done => true,
        }
    }

    fn keep(&mut self, name: &RoomName, size: Size) {
        self.recent.insert(name.clone(), size);
        if self.recent.len() > LISTED_ROOMS_MAX {
            let oldest = self.recent.iter().min_by_key(|(_, size)| size.edited).map(|(name, _)| name.clone());
            oldest.and_then(|oldest| self.recent.remove(&oldest));
        }
    }
}

#[cfg(test)]
mod tests {
    use syncline_core::time::WallMs;

    use super::*;

    fn name(number: usize) -> RoomName {
        RoomName::new(&format!("room {number:04}")).unwrap()
    }

    fn edited(at: u64) -> Size {
        Size { bytes: 1, edited: Some(WallMs(at)) }
    }

    #[test]
    fn the_rooms_that_were_edited_last_are_kept() {
        let directory = Directory::default();
        assert!(directory.begin_pass() && !directory.begin_pass());
        for number in 0..LISTED_ROOMS_MAX + 50 {
            // The later in the alphabet, the longer ago.
            directory.found(&name(number), edited(9_999 - number as u64));
        }
        directory.end_pass();
        let known = directory.known_now();
        assert_eq!(known.total, LISTED_ROOMS_MAX + 50);
        assert_eq!(known.recent.len(), LISTED_ROOMS_MAX);
        assert!(known.recent.contains_key(&name(0)) && !known.recent.contains_key(&name(LISTED_ROOMS_MAX)));
    }

    #[test]
    fn a_room_counts_once_whether_it_or_the_pass_comes_first() {
        let directory = Directory::default();
        directory.created(&name(1));
        assert_eq!(directory.known_now().total, 0, "the pass will find it");
        directory.begin_pass();
        directory.closed(&name(1), edited(5));
        directory.found(&name(1), edited(3));
        directory.created(&name(0));
        directory.created(&name(2));
        directory.found(&name(2), edited(4));
        directory.end_pass();
        directory.created(&name(3));
        directory.deleted(&name(0));
        directory.created(&name(0));
        let known = directory.known_now();
        assert_eq!(known.total, 4);
        assert_eq!(known.recent[&name(1)], edited(5), "what the room said is newer");
    }
}
