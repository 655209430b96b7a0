//! The budget of bytes that were received and not yet handled, for the whole server, and parts of it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Bytes that may still be received. Nobody waits for it: who finds it used up is refused.
#[derive(Debug)]
pub(crate) struct InboundBudget {
    bytes_max: usize,
    used: AtomicUsize,
    /// The budget of which this is a part.
    of: Option<Arc<Self>>,
}

impl InboundBudget {
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, used: AtomicUsize::new(0), of: None })
    }

    /// Returns a part of the budget: what is charged to it is charged to both, and the rest is left to others.
    pub(crate) fn part(self: &Arc<Self>, bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, used: AtomicUsize::new(0), of: Some(Arc::clone(self)) })
    }

    /// Returns the bytes that are charged now.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> Result<(), BudgetSpent> {
        let within = |used: usize| used.checked_add(bytes).filter(|&used| used <= self.bytes_max);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within).map_err(|_| BudgetSpent)?;
        if let Some(of) = &self.of
            && let Err(spent) = of.take(bytes)
        {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(spent);
        }
        Ok(())
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(of) = &self.of {
            of.give_back(bytes);
        }
    }
}

/// Bytes taken from the budget; dropping it gives them back.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Arc<InboundBudget>,
    bytes: usize,
}

/// The server holds as many unhandled bytes as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many bytes wait to be handled")]
pub(crate) struct BudgetSpent;

impl Charge {
    /// Returns a charge of nothing yet.
    pub(crate) fn new(budget: &Arc<InboundBudget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Charges until `bytes` are charged; fewer than before are never given back.
    pub(crate) fn raise_to(&mut self, bytes: usize) -> Result<(), BudgetSpent> {
        let more = bytes.saturating_sub(self.bytes);
        if more > 0 {
            self.budget.take(more)?;
            self.bytes += more;
        }
        Ok(())
    }

    /// Returns a charge of nothing to the same budget.
    pub(crate) fn none(&self) -> Self {
        Self::new(&self.budget)
    }

    /// Returns the charge and leaves one of nothing in its place.
    pub(crate) fn detach(&mut self) -> Self {
        Self { budget: Arc::clone(&self.budget), bytes: std::mem::take(&mut self.bytes) }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.give_back(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_is_given_back_once() {
        let budget = InboundBudget::new(100);
        let mut assembling = Charge::new(&budget);
        assembling.raise_to(60).unwrap();
        assembling.raise_to(50).unwrap();
        assert_eq!(budget.used(), 60, "a charge does not shrink");

        let handled = assembling.detach();
        assembling.raise_to(40).unwrap();
        assert_eq!(assembling.raise_to(41), Err(BudgetSpent));
        assert_eq!(budget.used(), 100, "a refused charge takes nothing");

        drop(handled);
        assembling.raise_to(41).unwrap();
        drop(assembling);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_part_leaves_the_rest_to_others() {
        let budget = InboundBudget::new(100);
        let part = budget.part(70);
        let (mut own, mut other) = (Charge::new(&part), Charge::new(&budget));
        own.raise_to(70).unwrap();
        assert_eq!(own.raise_to(71), Err(BudgetSpent));
        other.raise_to(30).unwrap();
        assert_eq!(other.raise_to(31), Err(BudgetSpent));
        drop(own);
        other.raise_to(40).unwrap();
        let mut own = Charge::new(&part);
        assert_eq!(own.raise_to(61), Err(BudgetSpent), "there is no more of the whole");
        own.raise_to(60).unwrap();
        assert_eq!((part.used(), budget.used()), (60, 100), "a refused charge takes nothing");
        drop((own, other));
        assert_eq!((part.used(), budget.used()), (0, 0));
    }
}
