//! A clock that follows the wall clock and respects cause and effect.

use super::{HybridTime, ReplicaId, Timestamp};
use crate::time::WallMs;

/// How far ahead of the wall clock a mark is set, in milliseconds. A restart may stamp up to this far ahead of the wall
/// clock; a tenth of it would mean a write to disk for every second of work.
const MARK_AHEAD_MS: u64 = 10_000;

/// A hybrid logical clock: stamps are close to the wall clock, and each is later than all that its clock has seen.
///
/// (S. Kulkarni et al., "Logical physical clocks and consistent snapshots in globally distributed databases", 2014.)
///
/// * The wall clock may jump or stand still: stamps go on from the last one, counting within its millisecond and, when
///   the counter of 65,536 is used up, in the next.
/// * A stamp from elsewhere that is further ahead of the wall clock than the drift bound is refused, so that one broken
///   clock does not pull all others with it.
/// * A process may end at any time. Stamps are drawn only below a mark that the caller has stored, and a clock that is
///   resumed from the mark begins behind it: no stamp is drawn twice, even if the wall clock was set back meanwhile.
///
/// # Examples
///
/// ```
/// use syncline_core::clock::{HybridClock, ReplicaId};
/// use syncline_core::time::WallMs;
///
/// let mut stored = None; // stands for the disk
/// let mut clock = HybridClock::new(ReplicaId(1), 60_000);
/// let now = WallMs(1_700_000_000_000);
/// if let Some(mark) = clock.mark_wanted(now) {
///     stored = Some(mark); // written and flushed first
///     clock.raise_mark(mark);
/// }
/// let a = clock.tick(now)?;
/// let b = clock.tick(now)?;
/// assert!(a < b);
///
/// // The process ended, and the wall clock was set back by an hour.
/// let mut again = HybridClock::resume(ReplicaId(1), 60_000, stored.expect("it was stored"));
/// let earlier = WallMs(now.0 - 3_600_000);
/// again.mark_wanted(earlier).into_iter().for_each(|mark| again.raise_mark(mark));
/// assert!(again.tick(earlier)? > b);
/// # Ok::<(), syncline_core::clock::ClockError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HybridClock {
    replica: ReplicaId,
    drift_ms_max: u64,
    last: HybridTime,
    mark: HybridTime,
}

/// Why a clock does not do what it is asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClockError {
    /// A stamp lies too far in the future. The peer is at fault, or our own wall clock.
    #[error("a stamp is {ahead_ms} ms ahead of the wall clock (at most {drift_ms_max} ms are accepted)")]
    Drift {
        /// How far ahead of the wall clock it is, in milliseconds.
        ahead_ms: u64,
        /// The bound of this clock.
        drift_ms_max: u64,
    },
    /// The next stamp would not lie below the stored mark. The caller is at fault: see [`HybridClock::mark_wanted`].
    #[error("the next stamp, {next}, is not below the stored mark {mark}")]
    Mark {
        /// The stamp that would be drawn.
        next: HybridTime,
        /// The mark as it was last raised.
        mark: HybridTime,
    },
    /// The last time that there is has been drawn or seen.
    #[error("the clock is at the end of its range")]
    Exhausted,
}

impl HybridClock {
    /// Returns the clock of a replica that has never drawn a stamp. It draws none until its mark is raised.
    ///
    /// `drift_ms_max`: how far a stamp from elsewhere may be ahead of the wall clock, in milliseconds.
    #[must_use]
    pub const fn new(replica: ReplicaId, drift_ms_max: u64) -> Self {
        Self::resume(replica, drift_ms_max, HybridTime::from_bits(0))
    }

    /// Returns the clock of a replica that stored `mark`: all its stamps will be later than those before.
    #[must_use]
    pub const fn resume(replica: ReplicaId, drift_ms_max: u64, mark: HybridTime) -> Self {
        Self { replica, drift_ms_max, last: mark, mark }
    }

    /// Draws the stamp of a new event.
    ///
    /// # Errors
    /// [`ClockError::Mark`] if a higher mark must be stored first; [`ClockError::Exhausted`] at the end of the range.
    pub fn tick(&mut self, now: WallMs) -> Result<Timestamp, ClockError> {
        let next = self.upcoming(now).ok_or(ClockError::Exhausted)?;
        if next >= self.mark {
            return Err(ClockError::Mark { next, mark: self.mark });
        }
        self.last = next;
        Ok(Timestamp::new(next, self.replica))
    }

    /// Notes a stamp from elsewhere, so that all stamps drawn from now on are later.
    ///
    /// # Errors
    /// [`ClockError::Drift`] if it is too far ahead of the wall clock; the clock is unchanged then.
    pub fn observe(&mut self, seen: Timestamp, now: WallMs) -> Result<(), ClockError> {
        let ahead_ms = seen.time.wall().0.saturating_sub(now.0);
        if ahead_ms > self.drift_ms_max {
            return Err(ClockError::Drift { ahead_ms, drift_ms_max: self.drift_ms_max });
        }
        self.last = self.last.max(seen.time);
        Ok(())
    }

    /// Notes that `mark` is stored: stamps below it may be drawn. A mark lower than the last one changes nothing.
    pub fn raise_mark(&mut self, mark: HybridTime) {
        self.mark = self.mark.max(mark);
    }

    /// Returns the mark to store before more stamps are drawn, or none while the present one is far enough ahead.
    ///
    /// Ask before each [`tick`](Self::tick), or from a timer every second.
    #[must_use]
    pub fn mark_wanted(&self, now: WallMs) -> Option<HybridTime> {
        let next = self.upcoming(now)?;
        let ahead = |ms: u64| HybridTime::new(WallMs(next.wall().0.saturating_add(ms)), 0);
        // In the last seconds of the range the mark cannot be ahead; it is then the end itself.
        let wanted =
            if next.wall() < HybridTime::MAX.wall() { ahead(MARK_AHEAD_MS) } else { HybridTime::MAX };
        (self.mark < ahead(MARK_AHEAD_MS / 2) && self.mark < wanted).then_some(wanted)
    }

    /// Returns the last time drawn or seen.
    #[must_use]
    pub const fn last(&self) -> HybridTime {
        self.last
    }

    /// Returns the replica that the stamps name.
    #[must_use]
    pub const fn replica(&self) -> ReplicaId {
        self.replica
    }

    fn upcoming(&self, now: WallMs) -> Option<HybridTime> {
        Some(self.last.next()?.max(HybridTime::new(now, 0)))
    }
}
