//! What a task waits for besides its inbox.

use std::{future::pending, pin::Pin};

/// A piece of work under way, or none.
pub(crate) struct Work<T>(Option<Pin<Box<dyn Future<Output = T> + Send>>>);

impl<T> Work<T> {
    pub(crate) const NONE: Self = Self(None);

    /// Starts `work`, which makes progress while [`Work::done`] is polled.
    ///
    /// # Panics
    /// If another is under way.
    pub(crate) fn start(&mut self, work: impl Future<Output = T> + Send + 'static) {
        assert!(self.0.is_none(), "one at a time");
        self.0 = Some(Box::pin(work));
    }

    /// Waits for the end of what is under way; for ever if nothing is. Nothing is lost if the future is dropped.
    pub(crate) async fn done(&mut self) -> T {
        let Some(work) = &mut self.0 else { return pending().await };
        let result = work.await;
        self.0 = None;
        result
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.0.is_some()
    }
}
