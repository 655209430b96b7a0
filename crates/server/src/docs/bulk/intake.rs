//! What becomes of the lines of an import: one result each, and a sum.

use serde::{Deserialize, Serialize};
use syncline_core::id::RoomName;

use super::line::{LineFault, Misread};
use crate::lines::Passed;

/// What becomes of documents that are there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Existing {
    /// They take in what they lack: the merge of their kind, which loses nothing and does nothing the second time.
    #[default]
    Merge,
    /// They stay as they are.
    Skip,
    /// They stay as they are, and each is an error.
    Fail,
}

/// What became of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Taken {
    /// There was none of the name.
    Created,
    /// There was one, which has taken in what it lacked.
    Merged,
    /// There was one that lacked nothing.
    Unchanged,
    /// There was one, which was not looked at.
    Skipped,
}

/// Why something became of no document, or of no line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// A stable word.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

/// One line of an import, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedLine {
    /// Its number, counted from 1.
    pub line: u64,
    /// The name in it, if it could be read.
    pub name: Option<RoomName>,
    /// How long the state in it is, in bytes.
    pub bytes: u64,
    /// What became of it.
    pub outcome: Result<Taken, NotTaken>,
}

/// What became of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DocumentsImported {
    /// Whether the export came whole: its last line was there, and as many lines before it as it says.
    pub whole: bool,
    /// How many documents were created.
    pub created: u64,
    /// How many were there and have taken in what they lacked.
    pub merged: u64,
    /// How many were there and lacked nothing.
    pub unchanged: u64,
    /// How many were there and were left as they are.
    pub skipped: u64,
    /// How many lines were not taken.
    pub failed: u64,
}

impl DocumentsImported {
    /// What is said of an export that did not come [whole](Self::whole).
    pub const CUT_OFF: &'static str = "the export is not whole: its last line is missing, or lines before it";
}

/// Counts what comes.
#[derive(Debug, Default)]
pub(super) struct Intake {
    tally: DocumentsImported,
    /// Lines of documents, good or not.
    came: u64,
    /// How many the last line says that there are, if it has come.
    stated: Option<u64>,
}

/// What is said of what could not be read when it was exported.
const UNREADABLE: &str = "it could not be read when it was exported";

impl Intake {
    /// Counts a line.
    pub(super) fn count(&mut self, line: &ImportedLine) {
        self.came += 1;
        let counted = match line.outcome {
            Ok(Taken::Created) => &mut self.tally.created,
            Ok(Taken::Merged) => &mut self.tally.merged,
            Ok(Taken::Unchanged) => &mut self.tally.unchanged,
            Ok(Taken::Skipped) => &mut self.tally.skipped,
            Err(_) => &mut self.tally.failed,
        };
        *counted += 1;
    }

    /// Notes the last line of an export, which says how many came before it.
    pub(super) fn end(&mut self, lines: u64) {
        self.stated = Some(lines);
    }

    /// Returns what became of all that came.
    pub(super) fn sum(&self) -> DocumentsImported {
        let whole = self.stated.is_some_and(|stated| self.came >= stated);
        DocumentsImported { whole, ..self.tally }
    }
}

impl ImportedLine {
    /// Returns what is said of the line of a document that could not be read when it was exported.
    pub(super) fn unreadable(line: u64, name: RoomName) -> Self {
        let why = NotTaken { code: "unreadable", message: UNREADABLE.to_owned() };
        Self { line, name: Some(name), bytes: 0, outcome: Err(why) }
    }

    /// Returns what is said of a line that is not understood.
    pub(super) fn misread(line: u64, Misread { name, fault }: Misread) -> Self {
        Self { line, name, bytes: 0, outcome: Err((&fault).into()) }
    }

    /// Returns what is said of a line that was not held.
    pub(super) fn passed(line: u64, passed: Passed) -> Self {
        let code = match passed {
            Passed::TooLong => "too-large",
            Passed::NoRoom => "overloaded",
        };
        let why = NotTaken { code, message: passed.to_string() };
        Self { line, name: None, bytes: 0, outcome: Err(why) }
    }
}

impl From<&LineFault> for NotTaken {
    fn from(fault: &LineFault) -> Self {
        Self { code: fault.code(), message: fault.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(outcome: Result<Taken, NotTaken>) -> ImportedLine {
        ImportedLine { line: 2, name: None, bytes: 0, outcome }
    }

    #[test]
    fn an_import_is_whole_if_all_lines_of_the_export_came() {
        let check = |came: u64, stated: Option<u64>, want: bool| {
            let mut intake = Intake::default();
            (0..came).for_each(|_| intake.count(&line(Ok(Taken::Created))));
            stated.into_iter().for_each(|lines| intake.end(lines));
            assert_eq!(intake.sum(), DocumentsImported { whole: want, created: came, ..Default::default() });
        };
        check(0, Some(0), true);
        check(2, Some(2), true);
        check(2, None, false);
        check(1, Some(2), false);
        check(3, Some(2), true);
    }

    #[test]
    fn each_line_counts_once() {
        let mut intake = Intake::default();
        let refused = Err(NotTaken { code: "bad-request", message: String::new() });
        for outcome in
            [Ok(Taken::Created), Ok(Taken::Merged), Ok(Taken::Unchanged), Ok(Taken::Skipped), refused]
        {
            intake.count(&line(outcome));
        }
        intake.end(5);
        let want =
            DocumentsImported { whole: true, created: 1, merged: 1, unchanged: 1, skipped: 1, failed: 1 };
        assert_eq!(intake.sum(), want);
    }
}
