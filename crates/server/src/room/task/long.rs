//! Long work of a room, for which nobody else waits.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread::available_parallelism,
};

use bytes::Bytes;
use syncline_core::{
    guard::automerge::{may_unpack, ops_in, scan_sync_message},
    log::Engine,
};
use syncline_protocol::{Hosted, Input, Request};
use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::block_in_place,
};

/// Bytes of an input from which on its work is long: about a millisecond.
const LONG_INPUT_BYTES: usize = 64 << 10;

/// Bytes in memory from which on an Automerge document is long: it is encoded as a whole for whoever comes.
const LONG_DOCUMENT_BYTES: usize = 1 << 20;

/// Ops from which on an input of Automerge is long, however few bytes they have.
const LONG_OPS: u64 = 250;

/// Returns whether a room may be at work on an input for longer than others should wait.
pub(super) fn is_long(machine: &Hosted, input: &Input) -> bool {
    let nothing = Bytes::new();
    let (bytes, is_dialogue) = match input {
        Input::Request { request: Request::Update { update, .. }, .. }
        | Input::Merge { update, .. }
        | Input::Absorb { update, .. } => (update, false),
        Input::Request { request: Request::Dialogue { message, .. }, .. } => (message, true),
        _ => (&nothing, false),
    };
    if bytes.len() >= LONG_INPUT_BYTES {
        return true;
    }
    match machine.engine() {
        Engine::Yjs => false,
        Engine::Automerge => is_long_for_automerge(machine.memory_bytes(), bytes, is_dialogue),
    }
}

/// Returns whether an input may be long although it is short, on a document that takes so many bytes.
fn is_long_for_automerge(document_bytes: usize, input: &[u8], is_dialogue: bool) -> bool {
    // The changes of a whole document need next to no bytes, and the ops of a change.
    let brings_much = || {
        let ops = if is_dialogue { scan_sync_message(input).map(|read| read.ops) } else { ops_in(input) };
        // What is refused is refused at once.
        ops.unwrap_or(0) >= LONG_OPS
    };
    document_bytes >= LONG_DOCUMENT_BYTES || may_unpack(input) || brings_much()
}

/// Where rooms do their long work: as many at a time as there are cores, for each may take a gigabyte while it lasts.
#[derive(Debug)]
pub(crate) struct LongWork {
    places: Mutex<usize>,
    left: Condvar,
}

impl LongWork {
    pub(crate) fn new() -> Self {
        Self::with_places(available_parallelism().map_or(1, usize::from))
    }

    fn with_places(places: usize) -> Self {
        Self { places: Mutex::new(places), left: Condvar::new() }
    }

    /// Does some work. If it may be long another thread goes on with the other tasks of this one, where there are others.
    pub(super) fn work<T>(&self, is_long: bool, work: impl FnOnce() -> T) -> T {
        let has_others = || Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
        if is_long && has_others() {
            block_in_place(|| {
                let _place = self.enter();
                work()
            })
        } else {
            work()
        }
    }

    /// Waits for a place, on a thread for which nobody waits.
    fn enter(&self) -> Place<'_> {
        let places = self.left.wait_while(self.places(), |places| *places == 0);
        *places.unwrap_or_else(PoisonError::into_inner) -= 1;
        Place(self)
    }

    /// A number is whole whoever panicked with it.
    fn places(&self) -> MutexGuard<'_, usize> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Place<'a>(&'a LongWork);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.places() += 1;
        self.0.left.notify_one();
    }
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
            for kind in [0, 2] {
                assert_eq!(is_long_merge(engine, chunk(kind)), engine == Engine::Automerge);
            }
        }
        assert!(is_long_for_automerge(LONG_DOCUMENT_BYTES, b"", false));
        assert!(!is_long_for_automerge(LONG_DOCUMENT_BYTES - 1, b"", false));
    }

    /// A change of some bytes with so many ops: a column that says one value as often.
    #[test]
    fn inputs_are_long_by_their_ops() {
        let change = |ops: u64| {
            let times = [0x80 | (ops & 0x7f) as u8, (ops >> 7) as u8];
            let body = [&[0, 1, 7, 1, 1, 0, 0, 0, 1, 0x42, 3], &times[..], &[1]].concat();
            [&[0x85, 0x6f, 0x4a, 0x83, 1, 2, 3, 4, 1, body.len() as u8], &body[..]].concat()
        };
        let message = |change: Vec<u8>| [&[0x43, 0, 0, 0, 1, change.len() as u8], &change[..]].concat();
        for (ops, is_long) in [(LONG_OPS, true), (LONG_OPS - 1, false)] {
            assert_eq!(is_long_for_automerge(0, &change(ops), false), is_long);
            assert_eq!(is_long_for_automerge(0, &message(change(ops)), true), is_long);
        }
    }

    /// Goal: no more of it is done at a time than there are places, and whoever waits comes when one has left, panicking or not.
    #[test]
    fn long_work_has_so_many_places() {
        let long = LongWork::with_places(2);
        let (entered, told) = channel();
        std::thread::scope(|scope| {
            let first = long.enter();
            let second = long.enter();
            let entered = &entered;
            for _ in 0..3 {
                let long = &long;
                scope.spawn(move || {
                    let _place = long.enter();
                    entered.send(()).expect("somebody waits for it");
                });
            }
            assert!(told.try_recv().is_err() && *long.places() == 0);
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let _place = first;
                panic!("in the middle of it");
            }));
            assert!(panicked.is_err());
            for _ in 0..3 {
                told.recv_timeout(Duration::from_secs(30)).expect("one after the other they enter");
            }
            drop(second);
        });
        assert_eq!(*long.places(), 2);
    }

    /// A runtime with one worker, as on a machine with one core.
    #[test]
    fn nobody_waits_for_long_work() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("it starts");
        let (done, told) = channel();
        let long = runtime.spawn(async move {
            tokio::spawn(async move { done.send(()).expect("somebody waits for it") });
            LongWork::new().work(true, || {
                told.recv_timeout(Duration::from_secs(30)).expect("the other task goes on meanwhile")
            });
        });
        runtime.block_on(long).expect("the other task was not waited for in vain");
    }
}
