//! How long between two attempts.

use syncline_core::limits::HOOK_RETRY_FACTOR;

/// Returns the pause after so many failures in a row, in milliseconds. The first is `retry_ms`, each is [`HOOK_RETRY_FACTOR`] times as long as the one before,
/// by a quarter more or less as chance has it, so that what failed together does not come back together.
pub(super) fn pause_ms(retry_ms: u64, failures: u32, chance: u32) -> u64 {
    let factor = HOOK_RETRY_FACTOR.saturating_pow(failures.saturating_sub(1));
    // As long as it can be without the sum below running over; nobody waits for so long.
    let pause_ms = retry_ms.saturating_mul(factor).min(u64::from(u32::MAX));
    let drawn = (pause_ms / 2 * u64::from(chance)) >> u32::BITS;
    pause_ms - pause_ms / 4 + drawn
}

#[cfg(test)]
mod tests {
    use syncline_core::limits::{HOOK_ATTEMPTS, HOOK_RETRY_MS};

    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        for (failures, want) in [(1, 7_500..=12_500), (2, 22_500..=37_500), (9, 49_207_500..=82_012_500)] {
            for chance in [0, 1, u32::MAX / 2, u32::MAX] {
                let pause = pause_ms(HOOK_RETRY_MS, failures, chance);
                assert!(want.contains(&pause), "{pause} ms after {failures}");
            }
            assert_eq!(pause_ms(HOOK_RETRY_MS, failures, 0), *want.start());
            assert!(pause_ms(HOOK_RETRY_MS, failures, u32::MAX) >= want.end() - 1);
        }
        assert!(pause_ms(u64::MAX, u32::MAX, u32::MAX) > pause_ms(HOOK_RETRY_MS, 9, 0), "nothing runs over");
    }

    /// What `limits` says of it.
    #[test]
    fn an_application_may_be_away_overnight() {
        let middle = u32::MAX / 2;
        let all: u64 = (1..HOOK_ATTEMPTS).map(|failures| pause_ms(HOOK_RETRY_MS, failures, middle)).sum();
        assert_eq!(all / 3_600_000, 27);
    }
}
