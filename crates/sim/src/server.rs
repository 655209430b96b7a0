//! One life of the server: the room, and the outboxes that its effects go into.

use std::{
    collections::{BTreeMap, VecDeque},
    marker::PhantomData,
    sync::Arc,
};

use bytes::Bytes;
use syncline_core::{
    id::ConnectionId,
    log::{Former, LogEntry, LogRecord},
    time::Now,
};
use syncline_protocol::{
    Batch, Effect, Guest, Hosted, Input, Loaded, Outbox, Request, RoomLimits, Written,
    wire::{
        automerge::{Incoming, Inner, Message, decode},
        hocuspocus, yjs,
    },
};

use crate::{disk::Disk, family::Family, fault::Fault};

/// A name that an Automerge document may have.
const NAME: &str = "4NMNnkMhL8jXrdJ9jamS58PAVdXu";

/// Small enough for a run of a few hundred steps to fold the log.
const LIMITS: RoomLimits = RoomLimits {
    recent_bytes_max: 150,
    recent_commits_max: 6,
    compact_log_bytes_min: 200,
    compact_commits_min: 8,
    document_bytes_max: 1 << 20,
};

/// The room and its shell.
pub(crate) struct Server<F> {
    room: Hosted,
    outboxes: BTreeMap<ConnectionId, Outbox>,
    /// Effects that the shell makes up by mistake go before the room's.
    made_up: VecDeque<Effect>,
    /// The last commit, for [`Fault::SkipDedupe`].
    logged: Vec<LogEntry>,
    /// Messages of the dialogue so far, for [`Fault::LoseStep`].
    steps: u64,
    fault: Option<Fault>,
    /// Whether the room has ended, since its document is to be deleted.
    ended: bool,
    family: PhantomData<F>,
}

/// What the writer of a connection was handed.
pub(crate) enum Wrote {
    Frames(Vec<Bytes>),
    Closed,
    Nothing,
}

impl<F: Family> Server<F> {
    /// Opens the room of a document whose name had others before, in which these clients wrote.
    pub(crate) fn start(
        now: Now,
        loaded: &Loaded,
        former: Former,
        fault: Option<Fault>,
    ) -> Result<Self, String> {
        let mut room = Hosted::load(now, F::ENGINE, loaded, &LIMITS).map_err(|error| error.to_string())?;
        if let (Former::Clients(former), true) = (former, fault != Some(Fault::ForgetFormer)) {
            room.set_former(former);
        }
        Ok(Self {
            room,
            outboxes: BTreeMap::new(),
            made_up: VecDeque::new(),
            logged: Vec::new(),
            steps: 0,
            fault,
            ended: false,
            family: PhantomData,
        })
    }

    pub(crate) fn join(&mut self, now: Now, connection: ConnectionId, guest: Guest) {
        self.outboxes.insert(connection, F::outbox());
        if let (Hosted::Yjs(room), Some(Fault::Step1FromUndurableDocument)) = (&self.room, self.fault) {
            let step1 = yjs::sync_step1(&room.document().state_vector());
            self.made_up.push_back(Effect::Resume(connection, Batch::new(Default::default(), vec![step1])));
        }
        self.input(now, Input::Join { connection, guest });
    }

    pub(crate) fn leave(&mut self, now: Now, connection: ConnectionId) {
        self.outboxes.remove(&connection);
        self.input(now, Input::Leave { connection });
    }

    /// Takes a frame off the wire.
    pub(crate) fn receive(&mut self, now: Now, connection: ConnectionId, frame: Bytes) {
        let requests = match &self.room {
            Hosted::Yjs(_) => yjs::decode(&frame).expect("clients write frames"),
            Hosted::Automerge(_) => vec![Request::Dialogue { message: frame, wants: false }],
        };
        for request in requests {
            if let (Request::SyncStatus { version }, Some(Fault::KeptAtOnce)) = (&request, self.fault) {
                self.made_up.push_back(Effect::Kept(connection, *version));
            }
            self.input(now, Input::Request { connection, request });
        }
    }

    pub(crate) fn is_saturated(&self) -> bool {
        self.ended || self.room.is_saturated()
    }

    pub(crate) fn input(&mut self, now: Now, input: Input) {
        if !self.ended {
            self.room.handle(now, input);
        }
    }

    /// Ends the room once all that it was told is handed to the store. Returns who wrote in its document.
    pub(crate) fn end(&mut self, now: Now, disk: &mut Disk) -> Former {
        self.input(now, Input::Flush);
        while self.carry_out_one(now, disk).is_some() {}
        self.ended = true;
        self.room.former()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    pub(crate) fn time_passed(&mut self, now: Now) {
        if !self.ended && self.room.poll_timeout().is_some_and(|at| at <= now.monotonic) {
            self.room.handle_timeout(now);
        }
    }

    /// Carries out one effect. Returns what it was, in a word, or nothing if there is none.
    pub(crate) fn carry_out_one(&mut self, now: Now, disk: &mut Disk) -> Option<&'static str> {
        let effect = self.made_up.pop_front().or_else(|| self.room.poll_effect())?;
        assert!(is_of_family(&self.room, &effect), "no room of its family asks for {effect:?}");
        let word = match effect {
            Effect::Commit(record) => {
                self.commit(now, record, disk);
                "commit"
            }
            Effect::Publish(batch) => {
                self.outboxes.values_mut().for_each(|outbox| outbox.publish(&batch));
                "publish"
            }
            Effect::Answer(to, batch) => {
                self.with(to, |outbox| outbox.answer(batch));
                "answer"
            }
            Effect::Note(to, batch) => {
                self.with(to, |outbox| outbox.note(&batch));
                "note"
            }
            Effect::Text(to, batch) => {
                self.with(to, |outbox| outbox.text(&batch));
                "text"
            }
            Effect::Ask(to, batch) => {
                self.with(to, |outbox| outbox.ask(batch));
                "ask"
            }
            Effect::Acknowledge(to, updates) => {
                let updates = match self.fault {
                    Some(Fault::AcknowledgeTwice) => 2 * updates,
                    Some(Fault::LoseAcknowledgement) => 0,
                    _ => updates,
                };
                self.with(to, |outbox| outbox.acknowledge(updates));
                "acknowledge"
            }
            // Nobody has a rate here.
            Effect::Charge(..) => "charge",
            Effect::Kept(to, version) => {
                self.with(to, |outbox| outbox.kept(version));
                "kept"
            }
            Effect::Resume(to, batch) => {
                self.with(to, |outbox| outbox.resume(batch));
                "resume"
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
            Effect::Step(to, batch) => {
                self.step(now, to, batch);
                "step"
            }
            Effect::Carry(_) | Effect::Merged(..) | Effect::Absorbed(..) | Effect::Read(..) => {
                unreachable!("no ledger asks here")
            }
        };
        Some(word)
    }

    fn commit(&mut self, now: Now, mut record: LogRecord, disk: &mut Disk) {
        if self.fault == Some(Fault::SkipDedupe) {
            let before = std::mem::replace(&mut self.logged, record.entries.clone());
            record.entries.extend(before);
        }
        disk.commit(record);
        if self.fault == Some(Fault::AcknowledgeBeforeFlush) {
            self.room.handle(now, Input::Committed);
        }
    }

    fn step(&mut self, now: Now, to: ConnectionId, batch: Arc<Batch>) {
        self.steps += 1;
        if self.fault == Some(Fault::LoseStep) && self.steps.is_multiple_of(5) {
            self.input(now, Input::Resume { connection: to, since: batch.upto() });
        } else {
            self.with(to, |outbox| outbox.step(batch));
        }
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
            Written::Batch(batch) => Wrote::Frames(match self.room {
                Hosted::Yjs(_) => batch.frames().to_vec(),
                Hosted::Automerge(_) => batch.frames().iter().filter_map(message_of).collect(),
            }),
            Written::Acknowledge(updates) => {
                Wrote::Frames(vec![hocuspocus::sync_status(true); updates as usize])
            }
            Written::Charge(_) => Wrote::Nothing,
            Written::Kept(version) => Wrote::Frames(vec![yjs::sync_status(version)]),
            Written::AskResume(since) if self.fault == Some(Fault::LoseLaggingFlag) => {
                outbox.resume(Batch::new(since, Vec::new()));
                Wrote::Nothing
            }
            Written::AskResume(since) => {
                self.input(now, Input::Resume { connection, since });
                Wrote::Nothing
            }
            Written::Close(_) => Wrote::Closed,
            Written::Idle => Wrote::Nothing,
        }
    }

    /// Returns what the room holds.
    pub(crate) fn held(&self) -> F::Held {
        F::held_by(&self.room)
    }

    /// Returns how often lagging connections were brought up to date.
    pub(crate) fn resumed(&self) -> u64 {
        self.room.stats().resumed
    }
}

/// Returns whether the room of a document of this family may ask for this.
fn is_of_family(room: &Hosted, effect: &Effect) -> bool {
    match effect {
        Effect::Step(..) | Effect::Charge(..) => matches!(room, Hosted::Automerge(_)),
        Effect::Publish(_)
        | Effect::Answer(..)
        | Effect::Note(..)
        | Effect::Text(..)
        | Effect::Acknowledge(..)
        | Effect::Kept(..)
        | Effect::Resume(..) => matches!(room, Hosted::Yjs(_)),
        _ => true,
    }
}

/// Returns the message of the dialogue in what the room of an Automerge document says; nothing in that it is not there (yet), which its client asks again about.
fn message_of(inner: &Bytes) -> Option<Bytes> {
    match decode(&Inner::address(inner, "server", "client", NAME)) {
        Ok(Incoming::Message { message: Message::Sync { data, .. }, .. }) => Some(data),
        Ok(Incoming::Message { message: Message::Unavailable, .. }) => None,
        other => unreachable!("nobody here has it said {other:?}"),
    }
}
