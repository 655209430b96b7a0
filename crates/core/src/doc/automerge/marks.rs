//! How much the marks of a document overlap, told before automerge takes more of them in.
//!
//! Where a mark begins or ends automerge makes a set of all that are open there by their names, and while it takes changes in it keeps
//! each: 2,000 marks that overlap, a change of 33 KB, take 400 MB, and 5 s where they are read. Marks are never removed, nor do
//! changes say where in a text they are. So their number and their names are counted as changes come in, which bounds the sets;
//! where that is too much, the document is encoded, in which all stand in their order, and the sets are counted.

use std::collections::BTreeSet;

use super::{AutomergeDocument, AutomergeError, Broken};
use crate::{
    guard::automerge::{ChunkKind, Marks, marks_in},
    limits::AUTOMERGE_MARK_ENTRIES_MAX,
};

/// The most entries that the sets of a document have.
#[derive(Debug)]
pub(super) struct MarkBound {
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
        Self { counted: Some(Counted::default()), since: Marks::default() }
    }
}

impl MarkBound {
    /// Of a document that nobody has looked at.
    pub(super) fn unknown() -> Self {
        Self { counted: None, since: Marks::default() }
    }

    /// Returns the most entries with these marks, too.
    fn most_with(&self, new: &Marks) -> Option<u64> {
        let Counted { entries, begun, names } = self.counted?;
        let mut since = self.since.clone();
        since.add(new);
        let new_names = since.names.len() as u64;
        // Wherever one of the old ones begins or ends each of the new ones may be open, and where one of those does, all.
        let in_old = begun.saturating_mul(since.begun.min(new_names));
        let in_new = since.begun.saturating_mul((begun + since.begun).min(names + new_names));
        Some(entries.saturating_add(in_old.saturating_add(in_new).saturating_mul(2)))
    }

    fn is_within(&self, new: &Marks) -> bool {
        self.most_with(new).is_some_and(|most| most <= AUTOMERGE_MARK_ENTRIES_MAX)
    }
}

impl AutomergeDocument {
    /// Says whether the document can take these marks in, and notes them.
    pub(super) fn admit_marks(&mut self, new: &Marks) -> Result<(), AutomergeError> {
        if new.begun == 0 {
            return Ok(());
        }
        if !self.marks.is_within(new) {
            self.count_marks().map_err(|Broken| AutomergeError::Broken)?;
        }
        if !self.marks.is_within(new) {
            return Err(AutomergeError::Marks);
        }
        self.marks.since.add(new);
        Ok(())
    }

    fn count_marks(&mut self) -> Result<(), Broken> {
        let options = automerge::SaveOptions { deflate: false, retain_orphans: false };
        let whole = self.doc.read(|doc| doc.save_with_options(options))?;
        // What was encoded here is a document.
        let Marks { begun, names, entries } = marks_in(ChunkKind::Document, &whole).map_err(|_| Broken)?;
        self.marks.counted = Some(Counted { entries, begun, names: names.len() as u64 });
        self.marks.since = Marks { names: BTreeSet::new(), ..Marks::default() };
        Ok(())
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
                    document.count_marks().expect("sound");
                }
            }
            let spans = doc.spans(&text).expect("a text");
            let shown: u64 = spans.map(|span| match span {
                Span::Text { marks: Some(marks), .. } => marks.len() as u64,
                _ => 0,
            }).sum();
            let bound = document.marks.most_with(&Marks::default()).expect("it was counted once");
            document.count_marks().expect("sound");
            let counted = document.marks.counted.expect("it was counted").entries;
            prop_assert!(shown <= counted && counted <= bound, "{} shown, {} counted, bound {}", shown, counted, bound);
        }
    }

    /// Goal: marks of as many names around each other are refused, at once or one by one, and the document stays as it is.
    #[test]
    fn marks_that_overlap_have_an_end() {
        let (mut doc, text) = with_text(3_000);
        let before = changes(&mut doc);
        for number in 0..1_050 {
            mark(&mut doc, &text, &format!("m{number}"), number, 3_000 - number);
        }
        doc.commit();
        let all = changes(&mut doc);
        let mut document = AutomergeDocument::default();
        document.apply(&before).expect("honest");
        let heads = document.heads();
        assert_eq!(document.apply(&all), Err(AutomergeError::Marks));
        assert_eq!(document.heads(), heads);

        // As a document that had come to that before, and of which nobody knows when it is loaded.
        let mut loaded = AutomergeDocument::default();
        loaded.replay(&doc.save()).expect("what is stored is loaded");
        loaded.marks.counted =
            Some(Counted { entries: AUTOMERGE_MARK_ENTRIES_MAX, begun: 1_050, names: 1_050 });
        doc.splice_text(&text, 0, 0, "x").expect("a text");
        loaded.apply(&changes(&mut doc)).expect("it brings no mark");
        mark(&mut doc, &text, "one", 0, 1);
        loaded.apply(&changes(&mut doc)).expect("there are fewer than the bound says");
    }

    /// Goal: a long text with many comments, each a mark of its own name, can be commented for ever.
    #[test]
    fn marks_that_do_not_overlap_have_none() {
        let (mut doc, text) = with_text(3_000);
        let mut document = AutomergeDocument::default();
        let mut known = Vec::new();
        for number in 0..1_100 {
            mark(&mut doc, &text, &format!("comment:{number}"), 2 * number, 2 * number + 1);
            doc.commit();
            let new = doc.get_changes(&known);
            let bytes: Vec<u8> = new.iter().flat_map(|change| change.raw_bytes().to_vec()).collect();
            document.apply(&bytes).expect("honest");
            known = doc.get_heads();
        }
        let counted = document.marks.counted.expect("it was counted");
        assert!(counted.begun > 900 && counted.entries <= 4 * counted.begun, "{counted:?}");
    }
}
