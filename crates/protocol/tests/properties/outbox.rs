//! An outbox between a room that commits and a writer that is sometimes slow.
//!
//! Goal: whoever is resumed has been handed batches that cover every commit in order, within the bound. Method: the frames
//! say what they are, and a client on the other side keeps the last commit up to which it has everything.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use syncline_core::id::CommitNumber;
use syncline_protocol::{Batch, CloseReason, Outbox, Written};

const BOUND: usize = 100;
/// Least bytes of a frame: what it is and two commits.
const FRAME_BYTES_MIN: usize = 3;

/// What happens. Sizes are in bytes.
#[derive(Clone, Copy, Debug)]
enum Event {
    Commit(usize),
    Answer(usize),
    Note(usize),
    /// The room answers the question for what is missing, if it was asked.
    Resume,
    Poll,
    /// The writer is quick until nothing waits.
    Drain,
    Close(CloseReason),
}

fn events() -> impl Strategy<Value = Event> {
    let bytes = || prop_oneof![9 => FRAME_BYTES_MIN..40, 1 => FRAME_BYTES_MIN..3 * BOUND];
    prop_oneof![
        8 => bytes().prop_map(Event::Commit),
        2 => bytes().prop_map(Event::Answer),
        2 => bytes().prop_map(Event::Note),
        3 => Just(Event::Resume),
        6 => Just(Event::Poll),
        2 => Just(Event::Drain),
    ]
}

/// What a batch is, by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Commit,
    Answer,
    Note,
    CatchUp,
}

/// Makes a batch that brings whoever has everything up to `since` to `upto`. Numbers stay below 256 here.
fn batch(kind: Kind, since: u64, upto: u64, bytes: usize) -> Arc<Batch> {
    let mut frame = vec![kind as u8, since as u8, upto as u8];
    frame.resize(bytes.max(FRAME_BYTES_MIN), 0);
    Batch::new(CommitNumber(upto), vec![Bytes::from(frame)])
}

fn kind(batch: &Batch) -> (Kind, u64) {
    let frame = &batch.frames()[0];
    let kind = [Kind::Commit, Kind::Answer, Kind::Note, Kind::CatchUp][usize::from(frame[0])];
    (kind, frame[1].into())
}

/// The room, the client and what is between them.
struct World {
    outbox: Outbox,
    durable: u64,
    /// The commit up to which the client has everything, and the greatest that a batch has claimed.
    has: u64,
    /// What the room was asked to resume from.
    asked: Option<u64>,
    /// An answer was queued and not handed out yet: what it covers, and its length.
    answer: Option<(u64, usize)>,
    last_live_bytes: usize,
    closed: Option<CloseReason>,
}

impl World {
    fn new() -> Self {
        Self {
            outbox: Outbox::with_bound(BOUND),
            durable: 0,
            has: 0,
            // A new outbox waits for the line to be opened.
            asked: Some(0),
            answer: None,
            last_live_bytes: 0,
            closed: None,
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Commit(bytes) => {
                self.durable += 1;
                self.last_live_bytes = bytes;
                self.outbox.publish(&batch(Kind::Commit, self.durable - 1, self.durable, bytes));
            }
            Event::Answer(bytes) => {
                self.answer = Some((self.durable, bytes));
                self.outbox.answer(batch(Kind::Answer, 0, self.durable, bytes));
            }
            Event::Note(bytes) => {
                self.last_live_bytes = bytes;
                self.outbox.note(&batch(Kind::Note, 0, 0, bytes));
            }
            Event::Resume => {
                if let Some(since) = self.asked.take() {
                    self.outbox.resume(batch(Kind::CatchUp, since, self.durable, 2 * BOUND));
                }
            }
            Event::Poll => drop(self.poll()),
            Event::Drain => self.drain(),
            Event::Close(reason) => {
                self.closed.get_or_insert(reason);
                self.outbox.close(reason);
            }
        }
        let live_bytes = self.outbox.live_bytes();
        assert!(
            live_bytes <= BOUND || live_bytes == self.last_live_bytes,
            "{live_bytes} bytes wait, which are more than one batch"
        );
    }

    /// Lets the writer go on. Returns what the batch was that it was handed, and its length.
    fn poll(&mut self) -> Option<(Kind, usize)> {
        match self.outbox.poll() {
            Written::Batch(batch) => {
                let (kind, since) = kind(&batch);
                assert!(since <= self.has, "{kind:?} begins at {since}, and the client has {}", self.has);
                if kind == Kind::Answer {
                    let want = self.answer.take();
                    assert_eq!(
                        Some((batch.upto().0, batch.bytes())),
                        want,
                        "the newest answer goes out, once"
                    );
                }
                self.has = self.has.max(batch.upto().0);
                return Some((kind, batch.bytes()));
            }
            Written::AskResume(CommitNumber(since)) => {
                assert_eq!(since, self.has, "the room is asked for what the client lacks, and no more");
                assert_eq!(self.asked.replace(since), None, "the room is asked once");
                assert_eq!(self.closed, None, "nothing is asked for a connection that closes");
                assert!(self.answer.is_none(), "everything was written before");
            }
            Written::Close(reason) => assert_eq!(Some(reason), self.closed, "the first reason counts"),
            _ => {}
        }
        None
    }

    fn drain(&mut self) {
        let mut live_bytes = self.outbox.live_bytes();
        while let Some((kind, bytes)) = self.poll() {
            if let Kind::Commit | Kind::Note = kind {
                live_bytes = live_bytes.checked_sub(bytes).expect("what waits was counted");
            }
        }
        assert_eq!((live_bytes, self.outbox.live_bytes()), (0, 0), "all that was counted waited");
        assert_eq!(self.answer, None, "an answer is not lost");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_is_resumed_has_everything_in_order(happened in prop::collection::vec(events(), 0..120)) {
        let mut world = World::new();
        happened.into_iter().for_each(|event| world.happen(event));
        // Once to end what is under way, and once for a lag that only shows now.
        for event in [Event::Drain, Event::Resume, Event::Drain, Event::Resume, Event::Drain] {
            world.happen(event);
        }
        prop_assert_eq!(world.has, world.durable);
        prop_assert_eq!(world.asked, None);
    }

    #[test]
    fn a_connection_closes_after_what_waits(
        before in prop::collection::vec(events(), 0..60),
        after in prop::collection::vec(events(), 0..20),
    ) {
        let mut world = World::new();
        before.into_iter().for_each(|event| world.happen(event));
        world.happen(Event::Close(CloseReason::TooLarge));
        world.happen(Event::Close(CloseReason::Internal));
        after.into_iter().for_each(|event| world.happen(event));
        world.happen(Event::Drain);
        prop_assert!(matches!(world.outbox.poll(), Written::Close(CloseReason::TooLarge)));
    }
}
