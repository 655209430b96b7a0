//! How much of an import is under way at the same time.

use std::collections::VecDeque;

use crate::limits::{IMPORT_DOCUMENTS_MAX, IMPORT_UNDER_WAY_BYTES_MAX};

/// The lines that are under way, by their lengths, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Window {
    lengths: VecDeque<usize>,
    bytes: usize,
}

impl Window {
    /// Notes a line that has come.
    pub(super) fn begin(&mut self, bytes: usize) {
        self.lengths.push_back(bytes);
        self.bytes += bytes;
    }

    /// Notes that the line is done that came first.
    pub(super) fn end(&mut self) {
        self.bytes -= self.lengths.pop_front().unwrap_or(0);
    }

    /// Returns whether another line may come, of whatever length.
    pub(super) fn has_room(&self) -> bool {
        self.lengths.len() < IMPORT_DOCUMENTS_MAX && self.bytes < IMPORT_UNDER_WAY_BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{docs::bulk::line::LINE_BYTES_MAX, limits::IMPORT_INBOUND_BYTES_MAX};

    proptest! {
        /// One import alone never finds that too much is sent at the same time, however long its lines are.
        #[test]
        fn an_import_alone_finds_room(lengths in prop::collection::vec(0..=LINE_BYTES_MAX, 0..60)) {
            let mut window = Window::default();
            for bytes in lengths {
                while !window.has_room() {
                    window.end();
                }
                let under_way: usize = window.lengths.iter().sum();
                prop_assert!(under_way + bytes < IMPORT_INBOUND_BYTES_MAX);
                prop_assert!(window.lengths.len() < IMPORT_DOCUMENTS_MAX);
                window.begin(bytes);
            }
            while !window.is_empty() {
                window.end();
            }
            prop_assert_eq!(window.bytes, 0);
        }
    }
}
