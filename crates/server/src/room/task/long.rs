//! Long work of a room, for which nobody else waits.

use bytes::Bytes;
use syncline_core::{guard::automerge::may_hold_document, log::Engine};
use syncline_protocol::{Hosted, Input, Request};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::block_in_place,
};

/// Bytes of an input from which on its work is long: about a millisecond.
const LONG_INPUT_BYTES: usize = 64 << 10;

/// Bytes in memory from which on an Automerge document is long: it is encoded as a whole for whoever comes.
const LONG_DOCUMENT_BYTES: usize = 1 << 20;

/// Returns whether a room may be at work on an input for longer than others should wait.
pub(super) fn is_long(machine: &Hosted, input: &Input) -> bool {
    let nothing = Bytes::new();
    let bytes = match input {
        Input::Request { request: Request::Update { update, .. }, .. }
        | Input::Merge { update, .. }
        | Input::Absorb { update, .. } => update,
        Input::Request { request: Request::Dialogue { message, .. }, .. } => message,
        _ => &nothing,
    };
    let is_long = match machine.engine() {
        Engine::Yjs => false,
        // The changes of a whole document need next to no bytes.
        Engine::Automerge => machine.memory_bytes() >= LONG_DOCUMENT_BYTES || may_hold_document(bytes),
    };
    is_long || bytes.len() >= LONG_INPUT_BYTES
}

/// Does some work. If it may be long another thread goes on with the other tasks of this one, where there are others.
pub(super) fn work<T>(is_long: bool, work: impl FnOnce() -> T) -> T {
    let has_others = || Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
    if is_long && has_others() { block_in_place(work) } else { work() }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc::channel, time::Duration};

    use super::*;

    /// A runtime with one worker, as on a machine with one core.
    #[test]
    fn nobody_waits_for_long_work() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("it starts");
        let (done, told) = channel();
        let long = runtime.spawn(async move {
            tokio::spawn(async move { done.send(()).expect("somebody waits for it") });
            work(true, || {
                told.recv_timeout(Duration::from_secs(30)).expect("the other task goes on meanwhile")
            });
        });
        runtime.block_on(long).expect("the other task was not waited for in vain");
    }
}
