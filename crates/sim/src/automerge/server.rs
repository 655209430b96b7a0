//! One life of the server: the room of an Automerge document, and the outboxes that its effects go into.

use std::collections::BTreeMap;

use automerge::ChangeHash;
use bytes::Bytes;
use syncline_core::{id::ConnectionId, time::Now};
use syncline_protocol::{
    AutomergeRoom, Dialect, Effect, Guest, Input, Loaded, Outbox, Request, Written,
    wire::automerge::{Incoming, Inner, Message, decode},
};

use crate::{disk::Disk, fault::Fault, server::LIMITS};

/// A name that a document may have.
const NAME: &str = "4NMNnkMhL8jXrdJ9jamS58PAVdXu";

/// The room and its shell.
pub(crate) struct Server {
    room: AutomergeRoom,
    outboxes: BTreeMap<ConnectionId, Outbox>,
    /// Messages of the dialogue so far, for [`Fault::LoseStep`].
    steps: u64,
    fault: Option<Fault>,
}

/// What the writer of a connection was handed.
pub(crate) enum Wrote {
    /// Messages of the dialogue.
    Messages(Vec<Bytes>),
    Closed,
    Nothing,
}

impl Server {
    pub(crate) fn start(now: Now, loaded: &Loaded, fault: Option<Fault>) -> Result<Self, String> {
        let room = AutomergeRoom::load(now, loaded, &LIMITS).map_err(|error| error.to_string())?;
        Ok(Self { room, outboxes: BTreeMap::new(), steps: 0, fault })
    }

    pub(crate) fn join(&mut self, now: Now, connection: ConnectionId) {
        self.outboxes.insert(connection, Outbox::default());
        let guest = Guest { dialect: Dialect::Automerge, ..Guest::default() };
        self.input(now, Input::Join { connection, guest });
    }

    pub(crate) fn leave(&mut self, now: Now, connection: ConnectionId) {
        self.outboxes.remove(&connection);
        self.input(now, Input::Leave { connection });
    }

    /// Takes a message off the wire.
    pub(crate) fn receive(&mut self, now: Now, connection: ConnectionId, message: Bytes) {
        let request = Request::Dialogue { message, wants: false };
        self.input(now, Input::Request { connection, request });
    }

    pub(crate) fn is_saturated(&self) -> bool {
        self.room.is_saturated()
    }

    pub(crate) fn input(&mut self, now: Now, input: Input) {
        self.room.handle(now, input);
    }

    pub(crate) fn time_passed(&mut self, now: Now) {
        if self.room.poll_timeout().is_some_and(|at| at <= now.monotonic) {
            self.room.handle_timeout(now);
        }
    }

    pub(crate) fn heads(&self) -> Vec<ChangeHash> {
        self.room.document().heads()
    }

    /// Carries out one effect. Returns what it was, in a word, or nothing if there is none.
    pub(crate) fn carry_out_one(&mut self, now: Now, disk: &mut Disk) -> Option<&'static str> {
        let word = match self.room.poll_effect()? {
            Effect::Commit(record) => {
                disk.commit(record);
                if self.fault == Some(Fault::AcknowledgeBeforeFlush) {
                    self.room.handle(now, Input::Committed);
                }
                "commit"
            }
            Effect::Step(to, batch) => {
                self.steps += 1;
                if self.fault == Some(Fault::LoseStep) && self.steps.is_multiple_of(5) {
                    self.input(now, Input::Resume { connection: to, since: batch.upto() });
                } else {
                    self.with(to, |outbox| outbox.step(batch));
                }
                "step"
            }
            Effect::Ask(to, batch) => {
                self.with(to, |outbox| outbox.ask(batch));
                "ask"
            }
            Effect::Close(to, reason) => {
                self.with(to, |outbox| outbox.close(reason));
                "close"
            }
            Effect::Compact(upto) => {
                disk.ask_compaction(upto);
                "compact"
            }
            Effect::Reload => {
                self.room.handle(now, Input::Reloaded(disk.load()));
                "reload"
            }
            Effect::Unload => "unload",
            other => unreachable!("nobody asks for {other:?}"),
        };
        Some(word)
    }

    fn with(&mut self, to: ConnectionId, act: impl FnOnce(&mut Outbox)) {
        if let Some(outbox) = self.outboxes.get_mut(&to) {
            act(outbox);
        }
    }

    /// Lets the writer of a connection take one step.
    pub(crate) fn write(&mut self, now: Now, connection: ConnectionId) -> Wrote {
        let Some(outbox) = self.outboxes.get_mut(&connection) else { return Wrote::Nothing };
        match outbox.poll() {
            Written::Batch(batch) => Wrote::Messages(batch.frames().iter().filter_map(message_of).collect()),
            Written::AskResume(since) => {
                self.input(now, Input::Resume { connection, since });
                Wrote::Nothing
            }
            Written::Close(_) => Wrote::Closed,
            Written::Acknowledge(_) | Written::Kept(_) | Written::Idle => Wrote::Nothing,
        }
    }
}

/// Returns the message of the dialogue in what a room says, if it is one.
fn message_of(inner: &Bytes) -> Option<Bytes> {
    match decode(&Inner::address(inner, "server", "client", NAME)) {
        Ok(Incoming::Message { message: Message::Sync { data, .. }, .. }) => Some(data),
        _ => None,
    }
}
