//! The meters of many.

use alloc::collections::BTreeMap;

use super::{Allowance, Meter};
use crate::time::MonotonicMs;

/// Least time between two looks at which meters can be forgotten, in milliseconds: each goes through all of them.
const SWEEP_MS: u64 = 1_000;

/// The meters of many, of which there are never more than a number.
///
/// Those from which nothing is missing are forgotten: nobody can tell. While there are as many others as there may be, whoever comes
/// new is not counted here.
#[derive(Debug)]
pub struct Meters<K> {
    allowance: Allowance,
    count_max: usize,
    known: BTreeMap<K, Meter>,
    sweep_at: MonotonicMs,
}

impl<K: Ord + Clone> Meters<K> {
    /// Gives everyone the same allowance.
    #[must_use]
    pub fn new(allowance: Allowance, count_max: usize) -> Self {
        Self { allowance, count_max, known: BTreeMap::new(), sweep_at: MonotonicMs(0) }
    }

    /// Takes it that someone has sent so much.
    pub fn spend(&mut self, now: MonotonicMs, who: &K, messages: u64, bytes: u64) {
        if self.allowance == Allowance::default() {
            return;
        }
        if let Some(meter) = self.known.get_mut(who) {
            return meter.spend(now, messages, bytes);
        }
        if self.known.len() >= self.count_max && now >= self.sweep_at {
            self.known.retain(|_, meter| !meter.is_full(now));
            self.sweep_at = now.after(SWEEP_MS);
        }
        if self.known.len() < self.count_max {
            let mut meter = Meter::new(self.allowance, now);
            meter.spend(now, messages, bytes);
            self.known.insert(who.clone(), meter);
        }
    }

    /// Takes it that someone wants to send so much, if they may now.
    ///
    /// # Errors
    /// How long it is until they may, in milliseconds; nothing is taken then.
    pub fn admit(&mut self, now: MonotonicMs, who: &K, messages: u64, bytes: u64) -> Result<(), u64> {
        match self.ready_at(now, who).since(now) {
            0 => {
                self.spend(now, who, messages, bytes);
                Ok(())
            }
            wait_ms => Err(wait_ms),
        }
    }

    /// Returns when someone may send more: a time that has passed by `now` if that is now.
    #[must_use]
    pub fn ready_at(&self, now: MonotonicMs, who: &K) -> MonotonicMs {
        self.known.get(who).map_or(now, |meter| meter.ready_at(now))
    }

    /// Returns how many meters are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Returns whether nobody is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Rate, *};

    fn at_most(count_max: usize) -> Meters<u8> {
        let messages = Some(Rate { burst: 2, per_second: 1 });
        Meters::new(Allowance { messages, bytes: None }, count_max)
    }

    #[test]
    fn each_has_a_meter_of_their_own() {
        let (mut meters, now) = (at_most(9), MonotonicMs(0));
        assert_eq!(
            [1, 1, 1, 2].map(|who| meters.admit(now, &who, 1, 0)),
            [Ok(()), Ok(()), Err(1_000), Ok(())]
        );
        assert_eq!(meters.admit(MonotonicMs(1_000), &1, 1, 0), Ok(()));
    }

    /// The map is bounded; what is full is forgotten, what is not stays known.
    #[test]
    fn only_full_meters_are_forgotten() {
        let mut meters = at_most(2);
        let now = MonotonicMs(5_000);
        meters.spend(now, &1, 1, 0);
        meters.spend(now, &2, 9, 0);
        meters.spend(now, &3, 9, 0);
        assert_eq!(meters.len(), 2);
        assert_eq!(meters.ready_at(now, &3), now, "there was no place for them");

        let later = now.after(1_000);
        meters.spend(later, &3, 9, 0);
        assert_eq!(meters.len(), 2);
        assert!(meters.ready_at(later, &2) > later && meters.ready_at(later, &3) > later);
    }

    #[test]
    fn without_bounds_nobody_is_remembered() {
        let mut meters = Meters::new(Allowance::default(), 2);
        meters.spend(MonotonicMs(0), &1, 9, 9);
        assert!(meters.is_empty());
    }
}
