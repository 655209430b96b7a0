//! What waits for one reader: the newest change of each document and what was deleted, as far as that is bounded.

use std::collections::{BTreeMap, VecDeque};

use syncline_core::id::RoomName;

use super::{Change, Gone, News, Position};
use crate::limits::CHANGES_WAITING_MAX;

/// What a reader is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Something has become of a document.
    Told(Position, News),
    /// There may have been news that the reader was not told of, up to here.
    Missed(Position),
}

/// What waits for one reader.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    missed: Option<Position>,
    /// Each with where its last change stands.
    changes: BTreeMap<RoomName, (Position, Change)>,
    /// Positions ascend. The name may mean another document, of which there are changes.
    deleted: VecDeque<(Position, Gone)>,
}

impl Waiting {
    /// Has news wait. Positions ascend.
    pub(super) fn take_in(&mut self, position: Position, news: &News) {
        match news {
            News::Changed(change) => self.change(position, change),
            News::Deleted(gone) => {
                // What had changed in it nobody can read any more.
                self.changes.remove(&gone.name);
                if self.is_full() {
                    self.miss(position);
                } else {
                    self.deleted.push_back((position, gone.clone()));
                }
            }
        }
    }

    fn change(&mut self, position: Position, change: &Change) {
        if let Some((last, waiting)) = self.changes.get_mut(&change.name) {
            *last = position;
            waiting.join(change);
        } else if self.is_full() {
            self.miss(position);
        } else {
            self.changes.insert(change.name.clone(), (position, change.clone()));
        }
    }

    fn is_full(&self) -> bool {
        self.changes.len() + self.deleted.len() >= CHANGES_WAITING_MAX
    }

    /// Gives up what waits: the reader has to look for themselves.
    pub(super) fn miss(&mut self, position: Position) {
        self.changes.clear();
        self.deleted.clear();
        self.missed = Some(position);
    }

    /// Returns what the reader is told next, in the order of positions.
    pub(super) fn next(&mut self) -> Option<Heard> {
        if let Some(position) = self.missed.take() {
            return Some(Heard::Missed(position));
        }
        let first = self.changes.iter().min_by_key(|(_, (position, _))| *position);
        let first = first.map(|(name, (position, _))| (*position, name.clone()));
        let deleted = self.deleted.front().map(|(position, _)| *position);
        match (first, deleted) {
            (Some((changed, name)), deleted) if deleted.is_none_or(|deleted| changed < deleted) => {
                let (position, change) = self.changes.remove(&name)?;
                Some(Heard::Told(position, News::Changed(change)))
            }
            (_, _) => {
                let (position, gone) = self.deleted.pop_front()?;
                Some(Heard::Told(position, News::Deleted(gone)))
            }
        }
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

    fn told(number: u64, change: Change) -> Option<Heard> {
        Some(Heard::Told(at(number), News::Changed(change)))
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
        waiting.change(at(1), &change("a", 1, "ann"));
        waiting.change(at(2), &change("b", 1, "ann"));
        waiting.change(at(3), &change("a", 2, "bob"));
        let mut joined = change("a", 2, "bob");
        joined.authors.extend(change("a", 1, "ann").authors);
        assert_eq!(waiting.next(), told(2, change("b", 1, "ann")));
        assert_eq!(waiting.next(), told(3, joined));
        assert_eq!(waiting.next(), None);
        // Of a new document of the same name the commits count from the beginning again.
        waiting.change(at(4), &change("a", 3, "ann"));
        let anew = Change { document: DocumentId([2; 16]), ..change("a", 1, "bob") };
        waiting.change(at(5), &anew);
        assert_eq!(waiting.next(), told(5, anew));
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut waiting = Waiting::default();
        let documents = CHANGES_WAITING_MAX as u64;
        for number in 1..=documents {
            waiting.change(at(number), &change(&number.to_string(), 1, "ann"));
        }
        for commit in 2..=2 * CHANGE_AUTHORS_MAX as u64 {
            waiting.change(at(documents + commit), &change("1", commit, &commit.to_string()));
        }
        let (_, many) = &waiting.changes[&RoomName::new("1").expect("a name")];
        assert_eq!(many.authors.len(), CHANGE_AUTHORS_MAX);
        waiting.change(at(999_999), &change("one more", 1, "ann"));
        waiting.change(at(1_000_000), &change("1", 99, "ann"));
        assert_eq!(waiting.next(), Some(Heard::Missed(at(999_999))));
        assert_eq!(waiting.next(), told(1_000_000, change("1", 99, "ann")));
        assert_eq!(waiting.next(), None);
    }
}
