//! One bucket of tokens.

use crate::time::MonotonicMs;

/// A token in the unit in which a bucket counts: a rate of one a second then brings one unit each millisecond.
const TOKEN: i64 = 1_000;

/// How much may be had at once, and how much a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens that a full bucket holds; of 0 it is as if it were 1.
    pub burst: u64,
    /// Tokens that flow in each second; of 0 it is as if it were 1.
    pub per_second: u64,
}

/// A bucket of tokens, which time fills again.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket {
    rate: Rate,
    /// In thousandths of tokens as of `at`; below 0 it is a debt.
    level: i64,
    at: MonotonicMs,
}

impl TokenBucket {
    /// Returns a full bucket.
    #[must_use]
    pub fn full(rate: Rate, now: MonotonicMs) -> Self {
        Self { rate, level: capacity(rate), at: now }
    }

    /// Takes so many tokens, also where there are fewer.
    pub fn spend(&mut self, now: MonotonicMs, tokens: u64) {
        self.level = self.level_at(now).saturating_sub(units(tokens));
        self.at = self.at.max(now);
    }

    /// Returns when it is not empty any more: a time that has passed by `now` if it is not empty.
    ///
    /// The value changes with every call of [`spend`](Self::spend).
    #[must_use]
    pub fn ready_at(&self, now: MonotonicMs) -> MonotonicMs {
        let missing = TOKEN.saturating_sub(self.level_at(now)).max(0);
        if missing == 0 {
            // Who read the clock before another who spent first waits for nothing.
            return now;
        }
        let a_millisecond = units_a_millisecond(self.rate);
        let wait_ms = missing.unsigned_abs().div_ceil(a_millisecond.unsigned_abs());
        now.max(self.at).after(wait_ms)
    }

    /// Returns whether it holds all that it can hold: whoever forgets it loses nothing.
    #[must_use]
    pub fn is_full(&self, now: MonotonicMs) -> bool {
        self.level_at(now) >= capacity(self.rate)
    }

    fn level_at(&self, now: MonotonicMs) -> i64 {
        let elapsed = i64::try_from(now.since(self.at)).unwrap_or(i64::MAX);
        let gained = elapsed.saturating_mul(units_a_millisecond(self.rate));
        self.level.saturating_add(gained).min(capacity(self.rate))
    }
}

fn units(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX).saturating_mul(TOKEN)
}

fn capacity(rate: Rate) -> i64 {
    units(rate.burst.max(1))
}

/// A thousandth of a token a millisecond is a token a second.
fn units_a_millisecond(rate: Rate) -> i64 {
    i64::try_from(rate.per_second.max(1)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: fn(u64) -> MonotonicMs = MonotonicMs;

    #[test]
    fn an_empty_bucket_is_ready_when_there_is_a_token() {
        let mut bucket = TokenBucket::full(Rate { burst: 10, per_second: 4 }, AT(1_000));
        let check = |bucket: &TokenBucket, now: u64, ready: u64| {
            assert_eq!(bucket.ready_at(AT(now)), AT(ready), "{bucket:?} at {now}");
        };
        check(&bucket, 1_000, 1_000);
        bucket.spend(AT(1_000), 9);
        check(&bucket, 1_000, 1_000);
        bucket.spend(AT(1_000), 1);
        check(&bucket, 1_000, 1_250);
        check(&bucket, 1_249, 1_250);
        check(&bucket, 1_250, 1_250);
        bucket.spend(AT(1_250), 5);
        check(&bucket, 1_250, 2_500);
        assert!(!bucket.is_full(AT(4_749)) && bucket.is_full(AT(4_750)), "a debt is paid first");
    }

    /// Threads read the clock in one order and spend in another.
    #[test]
    fn a_clock_that_was_read_earlier_holds_nobody_up() {
        let mut bucket = TokenBucket::full(Rate { burst: 10, per_second: 4 }, AT(1_000));
        bucket.spend(AT(1_003), 1);
        assert_eq!(bucket.ready_at(AT(1_000)), AT(1_000));
    }

    /// No size, rate or time makes it panic, and a clock that goes back brings nothing.
    #[test]
    fn the_ends_of_the_ranges_are_held() {
        let huge = Rate { burst: u64::MAX, per_second: u64::MAX };
        let mut bucket = TokenBucket::full(huge, AT(5));
        bucket.spend(AT(0), u64::MAX);
        bucket.spend(AT(u64::MAX), u64::MAX);
        let _ = bucket.ready_at(AT(u64::MAX));
        let mut least = TokenBucket::full(Rate { burst: 0, per_second: 0 }, AT(0));
        assert!(least.is_full(AT(0)) && least.ready_at(AT(0)) == AT(0));
        least.spend(AT(0), u64::MAX);
        let _ = least.ready_at(AT(0));
        let mut back = TokenBucket::full(Rate { burst: 1, per_second: 1 }, AT(10_000));
        back.spend(AT(10_000), 1);
        back.spend(AT(0), 0);
        assert_eq!(back.ready_at(AT(10_000)), AT(11_000));
    }

    proptest! {
        /// Goal: over no stretch of time more gets through than the burst, what the time brings and one message; and whoever
        /// comes when the bucket says so gets through. Method: costs at any times, let through when the bucket is ready.
        #[test]
        fn nobody_gets_more_than_the_rate(
            burst in 1_u64..1_000,
            per_second in 1_u64..5_000,
            steps in prop::collection::vec((0_u64..3_000, 0_u64..2_000), 1..60),
        ) {
            let mut bucket = TokenBucket::full(Rate { burst, per_second }, AT(0));
            let (mut now, mut passed) = (0, Vec::new());
            for (pause, cost) in steps {
                now += pause;
                if bucket.ready_at(AT(now)) > AT(now) {
                    let ready = bucket.ready_at(AT(now));
                    prop_assert!(bucket.ready_at(AT(ready.0 - 1)) > AT(ready.0 - 1));
                    prop_assert_eq!(bucket.ready_at(ready), ready);
                    continue;
                }
                bucket.spend(AT(now), cost);
                passed.push((now, cost));
            }
            for (first, &(from, _)) in passed.iter().enumerate() {
                let mut sum = 0;
                for &(to, cost) in &passed[first..] {
                    let bound = burst * 1_000 + (to - from) * per_second;
                    prop_assert!(sum * 1_000 <= bound, "{} before the last one, {} ms", sum, to - from);
                    sum += cost;
                }
            }
        }
    }
}
