//! When an op counts as made.

use crate::clock::HybridTime;
use crate::time::WallMs;

/// Difference of a client's clock that is taken for the network's, in milliseconds.
const SHIFT_MS_MIN: i128 = 2_000;

/// How far ahead of the server's clock a write may count, in milliseconds.
const AHEAD_MS_MAX: u64 = 500;

/// What a client says about its clock with a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientClock {
    /// Its wall clock when it sent the request.
    pub now: Option<WallMs>,
    /// The round trip that it measured last, in milliseconds.
    pub rtt_ms: u64,
}

/// The server's clock when a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerClock {
    /// Its wall clock.
    pub now: WallMs,
    /// The latest time that it has given or taken.
    pub hlc: HybridTime,
}

/// What an op says about its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClaimedTime {
    /// The time that the client's hybrid clock gave it.
    pub hlc: Option<HybridTime>,
    /// The client's wall clock when it was made.
    pub at: Option<WallMs>,
    /// The time of the record that its author saw.
    pub seen: Option<HybridTime>,
}

impl ServerClock {
    /// Returns how far the client's clock is behind this one, in milliseconds: 0 unless it is more than 2 s either way.
    #[must_use]
    pub fn shift_ms(self, client: ClientClock) -> i64 {
        let Some(now) = client.now else { return 0 };
        let shift = i128::from(self.now.0) - i128::from(now.0) - i128::from(client.rtt_ms / 2);
        if shift.abs() <= SHIFT_MS_MIN { 0 } else { shift.clamp(i64::MIN.into(), i64::MAX.into()) as i64 }
    }

    /// Returns the time at which an op counts as made.
    ///
    /// It is what the client's clock would have shown had it been right, not in the future, and later than what its
    /// author had seen. So a wrong clock changes nothing but who wins between writes that did not see each other.
    #[must_use]
    pub fn effective(self, claimed: ClaimedTime, shift_ms: i64) -> HybridTime {
        let own = claimed.hlc.or(claimed.at.map(|at| HybridTime::new(at, 0)));
        let own = own.map_or(HybridTime::new(self.now, 0), |hlc| shifted(hlc, shift_ms));
        let latest = HybridTime::new(WallMs(self.now.0.saturating_add(AHEAD_MS_MAX)), 0);
        let after_seen = claimed.seen.map_or(HybridTime::default(), |seen| {
            let seen = seen.min(self.hlc);
            seen.next().unwrap_or(HybridTime::MAX)
        });
        own.min(latest).max(after_seen)
    }
}

fn shifted(hlc: HybridTime, shift_ms: i64) -> HybridTime {
    HybridTime::new(WallMs(hlc.wall().0.saturating_add_signed(shift_ms)), hlc.counter())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallMs = WallMs(1_000_000);
    const YEAR_MS: u64 = 31_536_000_000;

    fn server() -> ServerClock {
        ServerClock { now: NOW, hlc: HybridTime::new(NOW, 0) }
    }

    #[test]
    fn a_small_difference_is_the_networks() {
        for (client_now, rtt_ms, want) in [
            (NOW.0, 0, 0),
            (NOW.0 - 2_000, 0, 0),
            (NOW.0 - 2_001, 0, 2_001),
            (NOW.0 - 2_001, 2, 0),
            (NOW.0 + 2_001, 0, -2_001),
            (NOW.0 + YEAR_MS, 40, -(YEAR_MS as i64) - 20),
            (u64::MAX, u64::MAX, i64::MIN),
        ] {
            assert_eq!(server().shift_ms(ClientClock { now: Some(WallMs(client_now)), rtt_ms }), want);
        }
        assert_eq!(server().shift_ms(ClientClock { now: None, rtt_ms: 9_000 }), 0);
    }

    #[test]
    fn a_write_counts_when_a_right_clock_would_have_had_it() {
        let at = |ms: u64| HybridTime::new(WallMs(ms), 7);
        let check = |claimed: ClaimedTime, shift_ms, want| {
            assert_eq!(server().effective(claimed, shift_ms), want, "{claimed:?}");
        };
        let claim = |hlc| ClaimedTime { hlc: Some(hlc), ..ClaimedTime::default() };
        check(claim(at(999_000)), 0, at(999_000));
        check(claim(at(999_000)), 500, at(999_500));
        check(claim(at(999_000 + YEAR_MS)), -(YEAR_MS as i64), at(999_000));
        check(claim(at(999_000 + YEAR_MS)), 0, HybridTime::new(WallMs(1_000_500), 0));
        check(claim(HybridTime::MAX), i64::MAX, HybridTime::new(WallMs(1_000_500), 0));
        check(claim(at(5)), -9, at(0));
        check(
            ClaimedTime { at: Some(WallMs(7)), ..ClaimedTime::default() },
            2,
            HybridTime::new(WallMs(9), 0),
        );
        check(ClaimedTime::default(), 9_999, HybridTime::new(NOW, 0));
        let seen = ClaimedTime { seen: Some(at(999_500)), ..claim(at(3)) };
        check(seen, 0, HybridTime::new(WallMs(999_500), 8));
        // A client cannot move the clock with what it claims to have seen.
        let seen = ClaimedTime { seen: Some(HybridTime::MAX), ..claim(at(3)) };
        check(seen, 0, HybridTime::new(NOW, 1));
    }
}
