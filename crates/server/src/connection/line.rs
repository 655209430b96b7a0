//! Whether anybody is at the other end.

use syncline_core::{limits::WRITE_STALL_MS_MAX, time::MonotonicMs};

use crate::limits::PING_MS;

/// What a connection knows of its line: when it heard of the client, and whether what it writes is taken.
#[derive(Debug)]
pub(super) struct Line {
    heard_at: MonotonicMs,
    ping_at: MonotonicMs,
    /// How much the socket had taken when it was last seen to take anything, and when that was.
    taken: u64,
    taken_at: MonotonicMs,
}

/// The client has not been heard of for two pings, or takes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dead;

impl Line {
    pub(super) fn new(now: MonotonicMs) -> Self {
        Self { heard_at: now, ping_at: now.after(PING_MS), taken: 0, taken_at: now }
    }

    /// Notes that a frame came in, or that none could because we did not read.
    pub(super) fn heard(&mut self, now: MonotonicMs) {
        self.heard_at = now;
    }

    /// Notes how much the socket has taken so far, when writing begins or goes on.
    pub(super) fn took(&mut self, now: MonotonicMs, taken: u64) {
        self.taken = taken;
        self.taken_at = now;
    }

    /// Returns when [`Line::check_writing`] is due while something is being written.
    pub(super) fn stalled_at(&self) -> MonotonicMs {
        self.taken_at.after(WRITE_STALL_MS_MAX)
    }

    /// Returns when [`Line::poll_ping`] is due.
    pub(super) fn ping_at(&self) -> MonotonicMs {
        self.ping_at
    }

    /// Checks that the client takes what is being written. `taken` is what the socket has taken so far.
    pub(super) fn check_writing(&mut self, now: MonotonicMs, taken: u64) -> Result<(), Dead> {
        if taken > self.taken {
            self.took(now, taken);
        }
        if now >= self.stalled_at() { Err(Dead) } else { Ok(()) }
    }

    /// Returns whether to ping the client now.
    pub(super) fn poll_ping(&mut self, now: MonotonicMs) -> Result<bool, Dead> {
        if now < self.ping_at {
            return Ok(false);
        }
        if now.since(self.heard_at) >= 2 * PING_MS {
            return Err(Dead);
        }
        self.ping_at = now.after(PING_MS);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_pings_without_an_answer_are_the_end() {
        let mut line = Line::new(MonotonicMs(0));
        let check = |line: &mut Line, now: u64, want: Result<bool, Dead>| {
            assert_eq!(line.poll_ping(MonotonicMs(now)), want, "at {now} ms");
        };
        check(&mut line, PING_MS - 1, Ok(false));
        check(&mut line, PING_MS, Ok(true));
        check(&mut line, PING_MS, Ok(false));
        line.heard(MonotonicMs(PING_MS + 1));
        check(&mut line, 2 * PING_MS, Ok(true));
        check(&mut line, 3 * PING_MS, Ok(true));
        check(&mut line, 4 * PING_MS, Err(Dead));
    }

    #[test]
    fn a_client_that_takes_anything_lives() {
        let mut line = Line::new(MonotonicMs(0));
        line.took(MonotonicMs(1_000), 10);
        assert_eq!(line.stalled_at(), MonotonicMs(1_000 + WRITE_STALL_MS_MAX));
        assert_eq!(line.check_writing(line.stalled_at(), 11), Ok(()));
        assert_eq!(line.check_writing(MonotonicMs(line.stalled_at().0 - 1), 11), Ok(()));
        assert_eq!(line.check_writing(line.stalled_at(), 11), Err(Dead));
    }
}
