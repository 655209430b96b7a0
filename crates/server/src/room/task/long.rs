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
        Engine::Automerge => is_long_for_automerge(machine.memory_bytes(), bytes),
    };
    is_long || bytes.len() >= LONG_INPUT_BYTES
}

/// Returns whether an input may be long although it is short, on a document that takes so many bytes.
fn is_long_for_automerge(document_bytes: usize, input: &[u8]) -> bool {
    // The changes of a whole document need next to no bytes.
    document_bytes >= LONG_DOCUMENT_BYTES || may_hold_document(input)
}

/// Does some work. If it may be long another thread goes on with the other tasks of this one, where there are others.
pub(super) fn work<T>(is_long: bool, work: impl FnOnce() -> T) -> T {
    let has_others = || Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
    if is_long && has_others() { block_in_place(work) } else { work() }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc::channel, time::Duration};

    use syncline_core::{log::Author, time::Now};
    use syncline_protocol::{Loaded, RoomLimits, ledger::MergeId};

    use super::*;

    fn is_long_merge(engine: Engine, update: Bytes) -> bool {
        let machine = Hosted::load(Now::default(), engine, &Loaded::default(), &RoomLimits::default());
        is_long(
            &machine.expect("it is empty"),
            &Input::Merge { merge: MergeId(1), author: Author::default(), update },
        )
    }

    /// The header of an Automerge document says that many changes may come of a few bytes; one of a change does not.
    #[test]
    fn inputs_are_long_by_their_bytes_or_their_kind() {
        let chunk = |kind: u8| Bytes::copy_from_slice(&[b'-', 0x85, 0x6f, 0x4a, 0x83, 1, 2, 3, 4, kind]);
        for engine in [Engine::Yjs, Engine::Automerge] {
            assert!(is_long_merge(engine, vec![7; LONG_INPUT_BYTES].into()));
            assert!(!is_long_merge(engine, vec![7; LONG_INPUT_BYTES - 1].into()));
            assert!(!is_long_merge(engine, chunk(1)));
            assert_eq!(is_long_merge(engine, chunk(0)), engine == Engine::Automerge);
        }
        assert!(
            is_long_for_automerge(LONG_DOCUMENT_BYTES, b"")
                && !is_long_for_automerge(LONG_DOCUMENT_BYTES - 1, b"")
        );
    }

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
