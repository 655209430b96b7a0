//! Tells every connection at once that it must close, and why.

use syncline_protocol::CloseReason;
use tokio::sync::watch;

/// Said once; what is said later is ignored.
#[derive(Debug)]
pub(crate) struct Halt {
    reason: watch::Sender<Option<CloseReason>>,
}

impl Halt {
    pub(crate) fn new() -> Self {
        Self { reason: watch::Sender::new(None) }
    }

    /// Tells everyone, unless they were told before.
    pub(crate) fn set(&self, reason: CloseReason) {
        self.reason.send_if_modified(|said| {
            let first = said.is_none();
            said.get_or_insert(reason);
            first
        });
    }

    /// Waits for it to be said. The future does not borrow the halt; it never ends if the halt is dropped unsaid.
    pub(crate) fn wait(&self) -> impl Future<Output = CloseReason> + Send + use<> {
        let mut reason = self.reason.subscribe();
        async move {
            let said = reason.wait_for(Option::is_some).await.ok().and_then(|said| *said);
            match said {
                Some(reason) => reason,
                None => std::future::pending().await,
            }
        }
    }

    pub(crate) fn is_set(&self) -> bool {
        self.reason.borrow().is_some()
    }
}
