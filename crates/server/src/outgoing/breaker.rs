//! A circuit breaker: when a handler that fails is left in peace.

use syncline_core::time::MonotonicMs;

use crate::limits::{HANDLER_FAILURES_MAX, HANDLER_PAUSE_MS};

/// Counts failures in a row, and says when it is worth another try.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    failures: u32,
    open: Option<Open>,
}

/// Nobody is asked.
#[derive(Debug)]
struct Open {
    until: MonotonicMs,
    pause_ms: u64,
}

/// A question that may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// One of many.
    Usual,
    /// The only one in a while, to see whether the handler is back.
    Trial,
}

impl Breaker {
    /// Returns whether to ask now, or how long not to, in milliseconds.
    pub(super) fn admit(&mut self, now: MonotonicMs) -> Result<Attempt, u64> {
        let Some(open) = &mut self.open else { return Ok(Attempt::Usual) };
        if now < open.until {
            return Err(open.until.0 - now.0);
        }
        // Of a trial that never ends nothing more is heard: the next one comes in time.
        open.until = after(now, open.pause_ms);
        Ok(Attempt::Trial)
    }

    /// Notes an answer. Returns whether the handler was given up before.
    pub(super) fn succeeded(&mut self) -> bool {
        self.failures = 0;
        self.open.take().is_some()
    }

    /// Notes a failure. Returns for how long nobody asks now, in milliseconds, if this is new.
    pub(super) fn failed(&mut self, attempt: Attempt, now: MonotonicMs) -> Option<u64> {
        let pause_ms = match (&self.open, attempt) {
            (Some(open), Attempt::Trial) => open.pause_ms.saturating_mul(2).min(*HANDLER_PAUSE_MS.end()),
            // It was asked before the others failed.
            (Some(_), Attempt::Usual) => return None,
            (None, Attempt::Usual | Attempt::Trial) => {
                self.failures = self.failures.saturating_add(1);
                if self.failures < HANDLER_FAILURES_MAX {
                    return None;
                }
                *HANDLER_PAUSE_MS.start()
            }
        };
        self.open = Some(Open { until: after(now, pause_ms), pause_ms });
        Some(pause_ms)
    }
}

fn after(now: MonotonicMs, pause_ms: u64) -> MonotonicMs {
    MonotonicMs(now.0.saturating_add(pause_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A breaker that has just opened, at time 0.
    fn open() -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 1..HANDLER_FAILURES_MAX {
            assert_eq!(breaker.failed(Attempt::Usual, MonotonicMs(0)), None);
            assert_eq!(breaker.admit(MonotonicMs(0)), Ok(Attempt::Usual));
        }
        assert_eq!(breaker.failed(Attempt::Usual, MonotonicMs(0)), Some(10_000));
        breaker
    }

    #[test]
    fn only_failures_in_a_row_count() {
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            for _ in 1..HANDLER_FAILURES_MAX {
                assert_eq!(breaker.failed(Attempt::Usual, MonotonicMs(0)), None);
            }
            assert!(!breaker.succeeded());
        }
        assert_eq!(breaker.admit(MonotonicMs(0)), Ok(Attempt::Usual));
    }

    #[test]
    fn the_pause_doubles_until_a_trial_is_answered() {
        let mut breaker = open();
        let mut now = 0;
        for pause_ms in [10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000] {
            assert_eq!(breaker.admit(MonotonicMs(now + 1)), Err(pause_ms - 1));
            assert_eq!(breaker.failed(Attempt::Usual, MonotonicMs(now + 1)), None, "one of before");
            now += pause_ms;
            assert_eq!(breaker.admit(MonotonicMs(now - 1)), Err(1));
            assert_eq!(breaker.admit(MonotonicMs(now)), Ok(Attempt::Trial));
            assert!(breaker.admit(MonotonicMs(now)).is_err(), "one at a time");
            breaker.failed(Attempt::Trial, MonotonicMs(now));
        }
        assert!(breaker.succeeded());
        assert_eq!(breaker.admit(MonotonicMs(now)), Ok(Attempt::Usual));
    }

    #[test]
    fn a_trial_that_is_never_heard_of_again_is_not_the_last() {
        let mut breaker = open();
        assert_eq!(breaker.admit(MonotonicMs(10_000)), Ok(Attempt::Trial));
        assert_eq!(breaker.admit(MonotonicMs(19_999)), Err(1));
        assert_eq!(breaker.admit(MonotonicMs(20_000)), Ok(Attempt::Trial));
    }
}
