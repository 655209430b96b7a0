//! The budget of memory that loaded documents may hold, and who is asked to leave when it is passed.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use tokio::sync::watch;

/// Sums up what rooms hold. While the sum is above the budget, rooms without subscribers unload at once.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    bytes_max: usize,
    used: AtomicUsize,
    pressed: watch::Sender<bool>,
}

impl MemoryBudget {
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, used: AtomicUsize::new(0), pressed: watch::Sender::new(false) })
    }

    /// Returns the bytes that loaded documents are estimated to hold.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn change(&self, from: usize, to: usize) {
        let used = if to >= from {
            self.used.fetch_add(to - from, Ordering::Relaxed) + (to - from)
        } else {
            self.used.fetch_sub(from - to, Ordering::Relaxed) - (from - to)
        };
        let pressed = used > self.bytes_max;
        self.pressed.send_if_modified(|was| std::mem::replace(was, pressed) != pressed);
    }
}

/// What one room, or one export, holds of the budget; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct MemoryShare {
    budget: Arc<MemoryBudget>,
    bytes: usize,
    pressed: watch::Receiver<bool>,
}

impl MemoryShare {
    pub(crate) fn new(budget: &Arc<MemoryBudget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0, pressed: budget.pressed.subscribe() }
    }

    /// Says that so many bytes are held now.
    pub(crate) fn set(&mut self, bytes: usize) {
        let before = std::mem::replace(&mut self.bytes, bytes);
        if before != bytes {
            self.budget.change(before, bytes);
        }
    }

    /// Waits until rooms hold more than the budget.
    pub(crate) async fn pressed(&mut self) {
        // The sender lives in the budget that this share keeps alive, so waiting cannot fail.
        let _ = self.pressed.wait_for(|&pressed| pressed).await;
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// A state of a document that is held for someone who takes it slowly. It counts as long as it is there.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    _share: MemoryShare,
}

impl Held {
    pub(crate) fn new(budget: &Arc<MemoryBudget>, bytes: Bytes) -> Self {
        let mut share = MemoryShare::new(budget);
        share.set(bytes.len());
        Self { bytes, _share: share }
    }
}

/// Returns half of the machine's memory, in bytes, or 1 GiB where it cannot be found out.
pub(crate) fn default_budget_bytes() -> usize {
    const FALLBACK_BYTES: usize = 1 << 30;
    let total = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| total_bytes(&text));
    total.map_or(FALLBACK_BYTES, |bytes| bytes / 2)
}

fn total_bytes(meminfo: &str) -> Option<usize> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn pressure_follows_the_sum_of_all_shares() {
        let budget = MemoryBudget::new(100);
        let (mut small, mut large) = (MemoryShare::new(&budget), MemoryShare::new(&budget));
        small.set(40);
        large.set(60);
        assert!(small.pressed().now_or_never().is_none(), "the budget itself is allowed");

        large.set(61);
        assert!(small.pressed().now_or_never().is_some());
        drop(large);
        assert!(small.pressed().now_or_never().is_none());
        assert_eq!(budget.used(), 40);
    }

    #[test]
    fn the_total_is_read_from_meminfo() {
        let check = |text: &str, want: Option<usize>| assert_eq!(total_bytes(text), want, "{text:?}");
        check("MemTotal:       16384 kB\nMemFree:        1 kB\n", Some(16 << 20));
        check("MemFree:        1 kB\n", None);
        check("MemTotal:       lots\n", None);
    }
}
