//! Gathers who wrote what, text by text.

use super::history::{Written, WrittenRange};

/// The ranges of texts, in order; neighbours by one author in one commit are one.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    ranges: Vec<WrittenRange>,
    /// Where the last one ends, in UTF-16 code units, while what comes next may be part of it.
    end: Option<u32>,
}

impl Ranges {
    /// Begins another text.
    pub(super) fn begin(&mut self) {
        self.end = None;
    }

    /// Takes so many UTF-16 code units of the text at `path`, which begin at `at`.
    pub(super) fn push(&mut self, path: &str, at: u32, units: u32, text: &str, written: Option<&Written>) {
        match self.ranges.last_mut() {
            Some(last) if self.end == Some(at) && last.written.as_ref() == written => {
                last.text.push_str(text)
            }
            _ => {
                let (path, text, written) = (path.to_owned(), text.to_owned(), written.cloned());
                self.ranges.push(WrittenRange { path, at, text, written });
            }
        }
        self.end = Some(at + units);
    }

    pub(super) fn into_vec(self) -> Vec<WrittenRange> {
        self.ranges
    }
}
