//! Who brought which elements of a document.
//!
//! An id says which client or actor made an element; only a log says who that was. Of what came from a branch the log keeps who wrote it
//! there ([`Origins`]), so that it is known when the branch is there no more.

use std::{collections::BTreeMap, sync::Arc};

#[cfg(feature = "automerge")]
use super::AutomergeError;
use super::Written;
use crate::{
    guard::{Malformed, scan_update},
    limits::ORIGINS_MAX,
    log::{Engine, LogRecord, Maker, Origin, Origins},
};

/// How far apart in time, in milliseconds, may be what one user has written in a row and is kept as one stretch, as long as there are too
/// many stretches: a minute, a day, anything.
const JOINED_MS: [u64; 4] = [0, 60_000, 86_400_000, u64::MAX];

/// Who brought which elements of a document.
#[derive(Clone, Debug, Default)]
pub struct Authorship {
    engine: Engine,
    /// By maker, where a stretch of numbers begins: where it ends and who wrote it.
    stretches: BTreeMap<Maker, BTreeMap<u64, (u64, Written)>>,
}

/// Why nobody knows which elements an update brings: it is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorshipError {
    /// It is none of Yjs, or no chunks of Automerge.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Its changes are none.
    #[cfg(feature = "automerge")]
    #[error(transparent)]
    Changes(#[from] AutomergeError),
}

/// Elements of one maker, one behind the other; at least one.
pub(super) struct Made {
    pub(super) maker: Maker,
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Authorship {
    /// Begins with nothing, for a document of a kind.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self { engine, stretches: BTreeMap::new() }
    }

    /// Takes in one commit; commits come in order.
    ///
    /// # Errors
    /// [`AuthorshipError`] if an update of it is damaged.
    pub fn take(&mut self, record: &LogRecord) -> Result<(), AuthorshipError> {
        for entry in &record.entries {
            for made in made_in(self.engine, &entry.update)? {
                let Some(origins) = &entry.origins else {
                    let written =
                        Written { author: entry.author.clone(), at: entry.at, commit: record.number };
                    self.note(made, written);
                    continue;
                };
                for origin in within(origins, &made) {
                    let (start, end) = (origin.start.max(made.start), origin.end().min(made.end));
                    let (author, at) = (origin.author.clone(), origin.at);
                    let made = Made { maker: made.maker.clone(), start, end };
                    self.note(made, Written { author, at, commit: record.number });
                }
            }
        }
        Ok(())
    }

    /// Returns who wrote what an update brings that is made of elements of this document, as far as it is known.
    ///
    /// # Errors
    /// [`AuthorshipError`] if the update is damaged.
    pub fn origins_of(&self, update: &[u8]) -> Result<Origins, AuthorshipError> {
        let mut origins = Vec::new();
        for Made { maker, start, end } in made_in(self.engine, update)? {
            let mut at = start;
            while at < end {
                let (written, len) = self.of(&maker, at);
                let until = end.min(at.saturating_add(len));
                if let Some(Written { author, at: time, .. }) = written {
                    let (maker, author, len) = (maker.clone(), author.clone(), until - at);
                    origins.push(Origin { maker, start: at, len, author, at: *time });
                }
                at = until;
            }
        }
        origins.sort_by(|one, other| (&one.maker, one.start).cmp(&(&other.maker, other.start)));
        Ok(Some(bounded(origins).into()))
    }

    fn note(&mut self, Made { maker, start, end }: Made, written: Written) {
        let stretches = self.stretches.entry(maker).or_default();
        match stretches.last_entry() {
            // Letter by letter, it is one stretch.
            Some(mut last) if last.get().0 == start && last.get().1 == written => last.get_mut().0 = end,
            _ => drop(stretches.insert(start, (end, written))),
        }
    }

    /// Returns who wrote the element and how many elements behind it are of the same stretch, it included.
    pub(super) fn of(&self, maker: &Maker, number: u64) -> (Option<&Written>, u64) {
        let Some(stretches) = self.stretches.get(maker) else { return (None, u64::MAX) };
        match stretches.range(..=number).next_back() {
            Some((_, (end, written))) if *end > number => (Some(written), end - number),
            _ => {
                let next = stretches.range(number..).next().map_or(u64::MAX, |(start, _)| *start);
                (None, next - number)
            }
        }
    }
}

/// Returns the elements that an update brings.
fn made_in(engine: Engine, update: &[u8]) -> Result<Vec<Made>, AuthorshipError> {
    match engine {
        Engine::Yjs => {
            let scanned = scan_update(update)?;
            let sections = scanned.sections().iter().map(|section| Made {
                maker: Maker::Client(section.client),
                start: section.clock.into(),
                end: section.end().into(),
            });
            Ok(sections.collect())
        }
        #[cfg(feature = "automerge")]
        Engine::Automerge => Ok(super::automerge::made_in(update)?),
        // No such document is held here.
        #[cfg(not(feature = "automerge"))]
        Engine::Automerge => Ok(Vec::new()),
    }
}

/// Returns those that are about some of the elements. They are in order and do not overlap.
fn within<'a>(origins: &'a Arc<[Origin]>, made: &Made) -> impl Iterator<Item = &'a Origin> {
    let begin = origins.partition_point(|origin| (&origin.maker, origin.end()) <= (&made.maker, made.start));
    let (maker, end) = (made.maker.clone(), made.end);
    origins[begin..].iter().take_while(move |origin| origin.maker == maker && origin.start < end)
}

/// Joins stretches that follow each other and are by one user, of the nearest times first, until there are few enough. Beyond that
/// nobody knows who wrote what.
fn bounded(mut origins: Vec<Origin>) -> Vec<Origin> {
    for within_ms in JOINED_MS {
        origins.dedup_by(|next, last| {
            let follows = last.maker == next.maker && last.end() == next.start && last.author == next.author;
            let joins = follows && last.at.0.abs_diff(next.at.0) <= within_ms;
            if joins {
                // Whoever is to be called otherwise in what is from before a time is so in all of it.
                (last.len, last.at) = (last.len.saturating_add(next.len), last.at.min(next.at));
            }
            joins
        });
        if origins.len() <= ORIGINS_MAX {
            break;
        }
    }
    origins.truncate(ORIGINS_MAX);
    origins
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::ClientId, log::Author, time::WallMs};

    fn origin(start: u64, user: &str, at: u64) -> Origin {
        let author = Author { user: Some(user.into()), device: None };
        Origin { maker: Maker::Client(ClientId(1)), start, len: 1, author, at: WallMs(at) }
    }

    #[test]
    fn so_many_origins_are_joined_as_have_to_be() {
        let times = |gap: u64, count: usize| {
            let all = (0..).zip(0..count).map(|(number, _)| origin(number, "ann", number * gap)).collect();
            bounded(all).len()
        };
        assert_eq!(times(1, ORIGINS_MAX), ORIGINS_MAX);
        assert_eq!(times(1, ORIGINS_MAX + 1), 1, "within a minute");
        assert_eq!(times(100_000_000, ORIGINS_MAX + 1), 1, "whenever it was");
        let by_turns = (0..).zip(0..2 * ORIGINS_MAX);
        let by_turns = by_turns.map(|(number, _)| origin(number, ["ann", "bob"][number as usize % 2], 0));
        let kept = bounded(by_turns.collect());
        assert_eq!((kept.len(), kept[1].author.user.as_deref()), (ORIGINS_MAX, Some("bob")));
        let joined = bounded(vec![origin(0, "ann", 7), origin(1, "ann", 7), origin(2, "ann", 6)]);
        assert_eq!(
            joined.iter().map(|origin| (origin.start, origin.len)).collect::<Vec<_>>(),
            [(0, 2), (2, 1)]
        );
    }
}
