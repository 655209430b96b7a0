//! How long every update of a document is kept.

use syncline_core::{id::RoomName, time::WallMs};

/// How long every update of a document is kept, with who made it and when. The document itself, and its named versions, stay in
/// any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryRetention {
    /// For ever.
    All,
    /// For so many days.
    Days(u32),
    /// Not at all: only until the log is folded.
    Nothing,
}

impl Default for HistoryRetention {
    /// A month.
    fn default() -> Self {
        Self::Days(30)
    }
}

impl HistoryRetention {
    /// Returns since when updates are kept; nothing if that is no question of time.
    pub(crate) fn horizon(self, now: WallMs) -> Option<WallMs> {
        const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
        match self {
            Self::All | Self::Nothing => None,
            Self::Days(days) => Some(WallMs(now.0.saturating_sub(u64::from(days) * DAY_MS))),
        }
    }
}

/// Which documents keep their history for how long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryRules {
    /// Of documents that no rule names.
    pub others: HistoryRetention,
    /// By name, or by what names begin with, which then ends in `*`; the first that fits counts.
    pub rooms: Vec<(String, HistoryRetention)>,
}

impl HistoryRules {
    /// Returns how long the history of a document is kept.
    #[must_use]
    pub fn of(&self, room: &RoomName) -> HistoryRetention {
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(beginning) => room.as_str().starts_with(beginning),
            None => room.as_str() == pattern,
        };
        let rule = self.rooms.iter().find(|(pattern, _)| fits(pattern));
        rule.map_or(self.others, |(_, retention)| *retention)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_fits_counts() {
        let rule = |pattern: &str, retention| (pattern.to_owned(), retention);
        let rules = HistoryRules {
            others: HistoryRetention::Days(7),
            rooms: vec![
                rule("drafts/mine", HistoryRetention::All),
                rule("drafts/*", HistoryRetention::Nothing),
            ],
        };
        let of = |room| rules.of(&RoomName::new(room).expect("a name"));
        assert_eq!(of("drafts/mine"), HistoryRetention::All);
        assert_eq!(of("drafts/other"), HistoryRetention::Nothing);
        assert_eq!(of("drafts"), HistoryRetention::Days(7));
    }

    #[test]
    fn a_day_is_a_day() {
        let now = WallMs(100_000_000);
        assert_eq!(HistoryRetention::Days(1).horizon(now), Some(WallMs(13_600_000)));
        assert_eq!(HistoryRetention::Days(u32::MAX).horizon(now), Some(WallMs(0)));
        assert_eq!(HistoryRetention::All.horizon(now), None);
    }
}
