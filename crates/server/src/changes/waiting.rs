//! What waits for one reader: the newest change of each document, as far as that is bounded.

use std::collections::BTreeMap;

use syncline_core::id::RoomName;

use super::{Change, Position};
use crate::limits::CHANGES_WAITING_MAX;

/// What a reader is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A document has changed.
    Changed(Position, Change),
    /// Documents may have changed that the reader was not told of, up to here.
    Missed(Position),
}

/// What waits for one reader.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    missed: Option<Position>,
    /// Each with where its last change stands.
    changes: BTreeMap<RoomName, (Position, Change)>,
}

impl Waiting {
    /// Has a change wait. Positions ascend.
    pub(super) fn take_in(&mut self, position: Position, change: &Change) {
        if let Some((last, waiting)) = self.changes.get_mut(&change.name) {
            *last = position;
            waiting.join(change);
        } else if self.changes.len() < CHANGES_WAITING_MAX {
            self.changes.insert(change.name.clone(), (position, change.clone()));
        } else {
            self.miss(position);
        }
    }

    /// Gives up what waits: the reader has to look for themselves.
    pub(super) fn miss(&mut self, position: Position) {
        self.changes.clear();
        self.missed = Some(position);
    }

    /// Returns what the reader is told next, in the order of positions.
    pub(super) fn next(&mut self) -> Option<Heard> {
        if let Some(position) = self.missed.take() {
            return Some(Heard::Missed(position));
        }
        let first = self.changes.iter().min_by_key(|(_, (position, _))| *position);
        let name = first.map(|(name, _)| name.clone())?;
        let (position, change) = self.changes.remove(&name)?;
        Some(Heard::Changed(position, change))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use syncline_core::{
        id::{CommitNumber, DocumentId},
        log::Author,
        time::WallMs,
    };

    use super::*;
    use crate::limits::CHANGE_AUTHORS_MAX;

    fn at(number: u64) -> Position {
        Position { epoch: DocumentId([1; 16]), number }
    }

    fn change(name: &str, commit: u64, user: &str) -> Change {
        let author = Author { user: Some(user.into()), device: None };
        let (document, authors) = (DocumentId([1; 16]), BTreeSet::from([author]));
        let name = RoomName::new(name).expect("a name");
        Change { name, document, commit: CommitNumber(commit), at: WallMs(commit), authors }
    }

    #[test]
    fn commits_of_one_document_become_one_change() {
        let mut waiting = Waiting::default();
        waiting.take_in(at(1), &change("a", 1, "ann"));
        waiting.take_in(at(2), &change("b", 1, "ann"));
        waiting.take_in(at(3), &change("a", 2, "bob"));
        let mut joined = change("a", 2, "bob");
        joined.authors.extend(change("a", 1, "ann").authors);
        assert_eq!(waiting.next(), Some(Heard::Changed(at(2), change("b", 1, "ann"))));
        assert_eq!(waiting.next(), Some(Heard::Changed(at(3), joined)));
        assert_eq!(waiting.next(), None);
        // Of a new document of the same name the commits count from the beginning again.
        waiting.take_in(at(4), &change("a", 3, "ann"));
        let anew = Change { document: DocumentId([2; 16]), ..change("a", 1, "bob") };
        waiting.take_in(at(5), &anew);
        assert_eq!(waiting.next(), Some(Heard::Changed(at(5), anew)));
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut waiting = Waiting::default();
        let documents = CHANGES_WAITING_MAX as u64;
        for number in 1..=documents {
            waiting.take_in(at(number), &change(&number.to_string(), 1, "ann"));
        }
        for commit in 2..=2 * CHANGE_AUTHORS_MAX as u64 {
            waiting.take_in(at(documents + commit), &change("1", commit, &commit.to_string()));
        }
        let (_, many) = &waiting.changes[&RoomName::new("1").expect("a name")];
        assert_eq!(many.authors.len(), CHANGE_AUTHORS_MAX);
        waiting.take_in(at(999_999), &change("one more", 1, "ann"));
        waiting.take_in(at(1_000_000), &change("1", 99, "ann"));
        assert_eq!(waiting.next(), Some(Heard::Missed(at(999_999))));
        assert_eq!(waiting.next(), Some(Heard::Changed(at(1_000_000), change("1", 99, "ann"))));
        assert_eq!(waiting.next(), None);
    }
}
