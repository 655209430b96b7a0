//! How much the marks of a document overlap, told before automerge takes more of them in.
//!
//! Where a mark begins or ends automerge makes a set of all that are open there by their names, and while it takes changes in it keeps
//! each: 2,000 marks that overlap, a change of 33 KB, take 400 MB, and 5 s where they are read. Marks are never removed, nor do
//! changes say where in a text they are. So their number and their names are counted as changes come in, which bounds the sets;
//! where that is too much, the document is encoded, in which all stand in their order, and the sets are counted.

use std::collections::BTreeMap;

use automerge::{Automerge, Change, ChangeHash, SaveOptions};

use super::{AutomergeDocument, AutomergeError, Failed, graph::Needs};
use crate::{
    guard::automerge::{ChunkKind, Marks, marks_in},
    limits::AUTOMERGE_MARK_ENTRIES_MAX,
};

/// The most entries that the sets of a document have.
#[derive(Clone, Debug)]
pub(super) struct MarkBound {
    /// What they may have.
    entries_max: u64,
    /// What was counted; nothing while nobody has looked.
    counted: Option<Counted>,
    /// The marks that came since.
    since: Marks,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    entries: u64,
    begun: u64,
    names: u64,
}

impl Default for MarkBound {
    /// Of a document without marks.
    fn default() -> Self {
        Self {
            entries_max: AUTOMERGE_MARK_ENTRIES_MAX,
            counted: Some(Counted::default()),
            since: Marks::default(),
        }
    }
}

impl MarkBound {
    /// Forgets what is known, of a document that has become another.
    pub(super) fn forget(&mut self) {
        (self.counted, self.since) = (None, Marks::default());
    }

    /// Counts the marks of a document.
    fn look(&mut self, doc: &Automerge) -> Result<(), Failed> {
        let whole = doc.save_with_options(SaveOptions { deflate: false, retain_orphans: false });
        // What was encoded here is a document.
        let Marks { begun, names, entries } = marks_in(ChunkKind::Document, &whole).map_err(|_| Failed)?;
        self.counted = Some(Counted { entries, begun, names: names.len() as u64 });
        self.since = Marks::default();
        Ok(())
    }

    /// Returns the most entries with these marks, too.
    fn most_with(&self, new: &Marks) -> Option<u64> {
        let Counted { entries, begun, names } = self.counted?;
        let new_begun = self.since.begun + new.begun;
        let new_names = self.since.names.union(&new.names).count() as u64;
        // Wherever one of the old ones begins or ends each of the new ones may be open, and where one of those does, all.
        let in_old = begun.saturating_mul(new_begun.min(new_names));
        let in_new = new_begun.saturating_mul((begun + new_begun).min(names + new_names));
        Some(entries.saturating_add(in_old.saturating_add(in_new).saturating_mul(2)))
    }

    fn has_room_for(&self, new: &Marks) -> bool {
        self.most_with(new).is_some_and(|most| most <= self.entries_max)
    }

    /// Notes these marks, if there is room for them in a document, which is looked at if need be.
    fn admit(&mut self, doc: &Automerge, new: &Marks) -> Result<bool, Failed> {
        if new.begun == 0 {
            return Ok(true);
        }
        if !self.has_room_for(new) {
            self.look(doc)?;
        }
        let has_room = self.has_room_for(new);
        if has_room {
            self.since.add(new);
        }
        Ok(has_room)
    }
}

impl AutomergeDocument {
    /// Says whether there is room for the marks of these changes. `new` holds those that are new, and those that they may release.
    pub(super) fn check_marks(
        &mut self,
        changes: &[Change],
        new: &BTreeMap<ChangeHash, Needs>,
    ) -> Result<(), AutomergeError> {
        let mut all = Marks::default();
        new.values().for_each(|needs| all.add(&needs.marks));
        let (marks, orphans) = (&mut self.marks, &self.orphans);
        let has_room = self.doc.read(|doc| {
            if marks.admit(doc, &all)? {
                return Ok(true);
            }
            // Together they may overlap too much, for all that is known. In a copy it is seen, one after the other.
            let (mut with, mut bound) = (doc.clone(), marks.clone());
            let mut waiting = Marks::default();
            orphans.values().for_each(|needs| waiting.add(&needs.marks));
            if !bound.admit(&with, &waiting)? {
                return Ok(false);
            }
            for change in changes {
                let Some(needs) = new.get(&change.hash()) else { continue };
                if !bound.admit(&with, &needs.marks)? {
                    return Ok(false);
                }
                with.apply_changes([change.clone()]).map_err(|_| Failed)?;
            }
            *marks = bound;
            Ok(true)
        });
        match has_room? {
            Ok(true) => Ok(()),
            Ok(false) => Err(AutomergeError::Marks),
            // In the copy.
            Err(Failed) => Err(AutomergeError::Refused),
        }
    }
}

#[cfg(test)]
mod tests {
    use automerge::{
        AutoCommit, ObjId, ObjType, ROOT, ReadDoc,
        iter::Span,
        marks::{ExpandMark, Mark},
        transaction::Transactable,
    };
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn with_text(len: usize) -> (AutoCommit, ObjId) {
        let mut doc = AutoCommit::new();
        let text = doc.put_object(ROOT, "t", ObjType::Text).expect("a map");
        doc.splice_text(&text, 0, 0, &"a".repeat(len)).expect("a text");
        doc.commit();
        (doc, text)
    }

    fn mark(doc: &mut AutoCommit, text: &ObjId, name: &str, start: usize, end: usize) {
        doc.mark(text, Mark::new(name.to_owned(), true, start, end), ExpandMark::None)
            .expect("it is in the text");
    }

    fn changes(doc: &mut AutoCommit) -> Vec<u8> {
        let changes = doc.get_changes(&[]);
        changes.iter().flat_map(|change| change.raw_bytes().to_vec()).collect()
    }

    fn counted(document: &AutomergeDocument) -> Counted {
        let mut bound = MarkBound::default();
        document.doc.read(|doc| bound.look(doc)).expect("sound").expect("a document");
        bound.counted.expect("it was counted")
    }

    /// A document whose marks may have few entries.
    fn with_entries(entries_max: u64) -> AutomergeDocument {
        let mut document = AutomergeDocument::default();
        document.marks.entries_max = entries_max;
        document
    }

    proptest! {
        /// Goal: no set that automerge makes is forgotten by the count, and no entry that is counted by the bound, however the marks lie
        /// and come.
        #[test]
        fn marks_are_counted(marks in vec((0..4_u8, 0..20_usize, 1..20_usize, any::<bool>(), any::<bool>()), 0..30)) {
            let (mut doc, text) = with_text(40);
            let mut document = AutomergeDocument::default();
            for (name, start, len, ends, looks) in marks {
                if ends {
                    let unmarked = doc.unmark(&text, &format!("m{name}"), start, start + len, ExpandMark::None);
                    unmarked.expect("it is in the text");
                } else {
                    mark(&mut doc, &text, &format!("m{name}"), start, start + len);
                }
                doc.commit();
                document.apply(&changes(&mut doc)).expect("honest");
                if looks {
                    document.marks.counted = Some(counted(&document));
                    document.marks.since = Marks::default();
                }
            }
            let spans = doc.spans(&text).expect("a text");
            let shown: u64 = spans.map(|span| match span {
                Span::Text { marks: Some(marks), .. } => marks.len() as u64,
                _ => 0,
            }).sum();
            let bound = document.marks.most_with(&Marks::default()).expect("it was counted once");
            let counted = counted(&document).entries;
            prop_assert!(shown <= counted && counted <= bound, "{} shown, {} counted, bound {}", shown, counted, bound);
        }
    }

    /// Goal: marks of as many names around each other are refused, at once or one by one, and the document stays as it is.
    #[test]
    fn marks_that_overlap_have_an_end() {
        let (mut doc, text) = with_text(300);
        let before = changes(&mut doc);
        for number in 0..110 {
            mark(&mut doc, &text, &format!("m{number}"), number, 300 - number);
        }
        doc.commit();
        let all = changes(&mut doc);
        let mut document = with_entries(20_000);
        document.apply(&before).expect("honest");
        let heads = document.heads();
        assert_eq!(document.apply(&all), Err(AutomergeError::Marks));
        assert_eq!(document.heads(), heads);

        // As a document that had come to that before.
        let mut loaded = with_entries(10_000);
        loaded.replay(&doc.save()).expect("what is stored is loaded");
        doc.splice_text(&text, 0, 0, "x").expect("a text");
        loaded.apply(&changes(&mut doc)).expect("it brings no mark");
        mark(&mut doc, &text, "one", 0, 1);
        assert_eq!(loaded.apply(&changes(&mut doc)), Err(AutomergeError::Marks));
    }

    /// Goal: a long text with many comments, each a mark of its own name, can be commented for ever.
    #[test]
    fn marks_that_do_not_overlap_have_none() {
        let (mut doc, text) = with_text(1_000);
        let mut document = with_entries(20_000);
        for number in 0..300 {
            mark(&mut doc, &text, &format!("comment:{number}"), 2 * number, 2 * number + 1);
            doc.commit();
            document.apply(&changes(&mut doc)).expect("honest");
        }
        let counted = document.marks.counted.expect("it was counted");
        assert!(counted.begun > 90 && counted.entries <= 4 * counted.begun, "{counted:?}");
    }

    /// Goal: who comes back with many comments to a text with many marks is not refused, since they lie beside each other, and who comes
    /// with as many marks around all of it is.
    #[test]
    fn marks_that_come_together_are_told_apart_by_where_they_are() {
        let (mut doc, text) = with_text(600);
        for number in 0..300 {
            mark(&mut doc, &text, "bold", 2 * number, 2 * number + 1);
        }
        doc.commit();
        let (before, heads) = (changes(&mut doc), doc.get_heads());
        for (is_around, want) in [(false, Ok(true)), (true, Err(AutomergeError::Marks))] {
            let mut document = with_entries(20_000);
            document.apply(&before).expect("honest");
            let mut client = doc.fork();
            for number in 0..50 {
                let (start, end) = if is_around { (0, 600) } else { (10 * number, 10 * number + 2) };
                mark(&mut client, &text, &format!("comment:{number}"), start, end);
                client.commit();
            }
            let new = client.get_changes(&heads);
            let new: Vec<u8> = new.iter().flat_map(|change| change.raw_bytes().to_vec()).collect();
            assert_eq!(document.apply(&new).map(|update| update.is_some()), want);
            assert_eq!(document.heads() == heads, is_around);
        }
    }
}
