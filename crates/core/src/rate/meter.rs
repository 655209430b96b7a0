//! Messages and their bytes, together.

use super::{Rate, TokenBucket};
use crate::time::MonotonicMs;

/// How fast someone may send; what is missing has no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Messages.
    pub messages: Option<Rate>,
    /// Their bytes.
    pub bytes: Option<Rate>,
}

/// What someone has left of an [`Allowance`].
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    messages: Option<TokenBucket>,
    bytes: Option<TokenBucket>,
}

impl Meter {
    /// Returns the meter of someone who has sent nothing yet.
    #[must_use]
    pub fn new(allowance: Allowance, now: MonotonicMs) -> Self {
        let full = |rate: Option<Rate>| rate.map(|rate| TokenBucket::full(rate, now));
        Self { messages: full(allowance.messages), bytes: full(allowance.bytes) }
    }

    /// Takes it that so much was sent.
    pub fn spend(&mut self, now: MonotonicMs, messages: u64, bytes: u64) {
        for (bucket, tokens) in [(&mut self.messages, messages), (&mut self.bytes, bytes)] {
            if let Some(bucket) = bucket {
                bucket.spend(now, tokens);
            }
        }
    }

    /// Returns when more may be sent: a time that has passed by `now` if that is now.
    #[must_use]
    pub fn ready_at(&self, now: MonotonicMs) -> MonotonicMs {
        self.buckets().map(|bucket| bucket.ready_at(now)).max().unwrap_or(now)
    }

    /// Returns whether nothing is missing.
    #[must_use]
    pub fn is_full(&self, now: MonotonicMs) -> bool {
        self.buckets().all(|bucket| bucket.is_full(now))
    }

    fn buckets(&self) -> impl Iterator<Item = &TokenBucket> {
        [&self.messages, &self.bytes].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scarcer_of_both_counts() {
        let now = MonotonicMs(0);
        let rate = |burst| Some(Rate { burst, per_second: 1 });
        let mut meter = Meter::new(Allowance { messages: rate(2), bytes: rate(100) }, now);
        meter.spend(now, 1, 100);
        assert_eq!(meter.ready_at(now), MonotonicMs(1_000));
        meter.spend(now, 2, 0);
        assert_eq!(meter.ready_at(now), MonotonicMs(2_000));
        assert!(!meter.is_full(MonotonicMs(99_999)) && meter.is_full(MonotonicMs(100_000)));

        let mut free = Meter::new(Allowance::default(), now);
        free.spend(now, u64::MAX, u64::MAX);
        assert!(free.ready_at(now) == now && free.is_full(now));
    }
}
