//! The only place that reads clocks.

use std::{
    future::pending,
    time::{SystemTime, UNIX_EPOCH},
};

use syncline_core::time::{MonotonicMs, Now, WallMs};
use tokio::time::{Duration, Instant, sleep_until};

/// The clocks of this process. Its monotonic time counts from [`Clock::start`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    zero: Instant,
}

impl Clock {
    /// Starts the monotonic time.
    pub(crate) fn start() -> Self {
        Self { zero: Instant::now() }
    }

    /// Reads both clocks.
    pub(crate) fn now(self) -> Now {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { monotonic: self.monotonic(), wall: WallMs(millis(since_epoch)) }
    }

    /// Reads the monotonic clock.
    pub(crate) fn monotonic(self) -> MonotonicMs {
        MonotonicMs(millis(self.zero.elapsed()))
    }

    /// Returns when the wall clock will show `at`, if nobody sets it.
    pub(crate) fn monotonic_at(self, at: WallMs) -> MonotonicMs {
        let now = self.now();
        now.monotonic.after(at.0.saturating_sub(now.wall.0))
    }

    /// Returns the instant for a timer that is due when the wall clock shows `at`, if nobody sets it.
    pub(crate) fn wall_instant(self, at: WallMs) -> Instant {
        self.instant(self.monotonic_at(at))
    }

    /// Returns the instant for a timer that is due at `at`; at the latest 100 years from now.
    pub(crate) fn instant(self, at: MonotonicMs) -> Instant {
        const CENTURY_MS: u64 = 100 * 366 * 86_400 * 1_000;
        self.zero + Duration::from_millis(at.0.min(CENTURY_MS))
    }
}

/// Waits until a time; for ever if there is none.
pub(crate) async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    begun: Instant,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { begun: Instant::now() }
    }

    pub(crate) fn seconds(self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_due_when_the_clock_says_so() {
        let clock = Clock::start();
        assert_eq!(clock.instant(MonotonicMs(250)) - clock.zero, Duration::from_millis(250));
        assert!(clock.instant(MonotonicMs(u64::MAX)) > clock.instant(MonotonicMs(u64::MAX >> 32)));
        assert!(clock.now().wall.0 > 1_600_000_000_000, "the wall clock counts from 1970");
    }
}
