//! What happens next, and what it does.

use std::collections::VecDeque;

use bytes::Bytes;
use syncline_core::{
    id::ConnectionId,
    time::{MonotonicMs, Now, WallMs},
};
use syncline_protocol::Input;

use crate::{
    Fault, Rng, Violation,
    disk::{Disk, Purpose},
    family::{Edit, Family, Watch},
    server::{Server, Wrote},
    trace::Trace,
};

const CLIENTS: usize = 3;

/// One in so many steps deletes the document, where documents are deleted.
const STEPS_A_DELETION: usize = 300;

/// Rounds without an event after which nothing more is expected: longer than any timer that a client waits for.
const QUIET_ROUNDS: u32 = 20;

/// One seeded world: three clients, their links, the server and its disk.
pub(crate) struct World<F: Family> {
    rng: Rng,
    trace: Trace,
    fault: Option<Fault>,
    now_ms: u64,
    clients: Vec<F::Client>,
    links: Vec<Option<Link>>,
    /// Connections whose end the server has not noticed yet.
    broken: VecDeque<ConnectionId>,
    connections: u64,
    incarnations: u64,
    server: Server<F>,
    disk: Disk,
    checker: F::Checker,
    /// When the document is deleted, if ever: drawn apart, so that a seed is the same run without it.
    deletions: Option<Rng>,
    pub(crate) counts: Counts,
}

/// What happened, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) edits: u64,
    pub(crate) commits: u64,
    pub(crate) crashes: u64,
    pub(crate) failed_commits: u64,
    pub(crate) snapshots: u64,
    pub(crate) resumed: u64,
    pub(crate) deletions: u64,
}

/// A connection: frames on their way, in order, until it breaks.
struct Link {
    connection: ConnectionId,
    up: VecDeque<Bytes>,
    down: VecDeque<Bytes>,
}

impl<F: Family> World<F> {
    /// Makes the world of `seed`, in which the document may be deleted now and then, with a mistake in its shell if one is asked for.
    pub(crate) fn new(seed: u64, deletes: bool, fault: Option<Fault>, print: bool) -> Self {
        let disk = Disk::of(F::ENGINE);
        let server =
            Server::start(Now::default(), &disk.load(), disk.former(), fault).expect("an empty store loads");
        Self {
            rng: Rng::new(seed),
            trace: Trace::new(print),
            fault,
            now_ms: 0,
            clients: (0..CLIENTS).map(|who| F::open(who, who as u64 + 1)).collect(),
            links: (0..CLIENTS).map(|_| None).collect(),
            broken: VecDeque::new(),
            connections: 0,
            incarnations: CLIENTS as u64,
            server,
            disk,
            checker: F::Checker::default(),
            deletions: deletes.then(|| Rng::new(!seed)),
            counts: Counts::default(),
        }
    }

    /// Returns the hash of everything that happened so far.
    pub(crate) fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// Lets one thing happen.
    ///
    /// # Errors
    /// [`Violation`] if it broke a promise.
    pub(crate) fn step(&mut self) -> Result<(), Violation> {
        if self.deletions.as_mut().is_some_and(|rng| rng.below(STEPS_A_DELETION) == 0) {
            return self.delete();
        }
        let who = self.rng.below(CLIENTS);
        match self.rng.below(1000) {
            0..4 => self.crash(),
            4..7 => self.fail_commit(),
            7..20 => self.break_link(who),
            20..24 => self.open_new_tab(who),
            24..90 => self.connect(who),
            draw if draw < F::ODDS.edit => self.edit(who),
            draw if draw < F::ODDS.pass_time => self.pass_time(),
            draw if draw < F::ODDS.disk_step => self.disk_step(),
            draw if draw < F::ODDS.write => self.write(who),
            _ => self.progress(who),
        }
    }

    /// Lets everything go on without faults until nothing is left to do, and compares all replicas.
    ///
    /// # Errors
    /// [`Violation`] if a promise broke, or the world does not come to rest.
    pub(crate) fn settle(&mut self) -> Result<(), Violation> {
        let mut quiet_rounds = 0;
        for _ in 0..2_000 {
            let before = self.trace.hash();
            for who in 0..CLIENTS {
                self.connect(who)?;
                for _ in 0..4 {
                    self.progress(who)?;
                    self.write(who)?;
                }
            }
            self.disk_step()?;
            self.pass_time()?;
            quiet_rounds = if self.trace.hash() == before { quiet_rounds + 1 } else { 0 };
            if quiet_rounds == QUIET_ROUNDS && self.is_at_rest() {
                return self.compare();
            }
        }
        Err(Violation::Restless)
    }

    fn is_at_rest(&self) -> bool {
        let quiet = |link: &Option<Link>| {
            link.as_ref().is_some_and(|link| link.up.is_empty() && link.down.is_empty())
        };
        let links = self.links.iter().all(quiet) && self.clients.iter().all(|client| client.is_synced());
        links && !self.disk.is_busy() && self.broken.is_empty()
    }

    fn compare(&mut self) -> Result<(), Violation> {
        for (at, client) in self.clients.iter_mut().enumerate() {
            let (held, words) = client.held();
            self.trace.line(format_args!("client {at} holds {words:?}"));
            self.checker.same(&format!("client {at}"), &held)?;
            if client.is_saved() == Some(false) {
                return Err(Violation::NeverSaved { replica: format!("client {at}") });
            }
        }
        self.checker.same("the room", &self.server.held())
    }
}

/// Things that go wrong.
impl<F: Family> World<F> {
    fn crash(&mut self) -> Result<(), Violation> {
        self.trace.line(format_args!("crash"));
        self.counts.crashes += 1;
        self.disk.crash();
        self.restart()
    }

    /// The commit under way fails: the room falls silent, every socket closes, and the store is reopened without it.
    fn fail_commit(&mut self) -> Result<(), Violation> {
        if !self.disk.is_busy() {
            return Ok(());
        }
        self.trace.line(format_args!("the commit fails"));
        self.counts.failed_commits += 1;
        let now = self.now();
        self.server.input(now, Input::CommitFailed);
        assert!(self.server.carry_out_one(now, &mut self.disk).is_none(), "the room says nothing more");
        self.disk.crash();
        self.restart()
    }

    fn restart(&mut self) -> Result<(), Violation> {
        self.counts.resumed += self.server.resumed();
        self.links.iter_mut().for_each(|link| *link = None);
        self.broken.clear();
        let loaded = self.disk.load_durable();
        self.checker.reloaded(&loaded)?;
        let started = Server::start(self.now(), &loaded, self.disk.former(), self.fault);
        self.server = started.map_err(|why| Violation::Unloadable { why })?;
        Ok(())
    }

    /// The room ends, and behind all that it stored its document is deleted.
    fn delete(&mut self) -> Result<(), Violation> {
        if self.server.has_ended() {
            return Ok(());
        }
        self.trace.line(format_args!("the document is to be deleted"));
        let now = self.now();
        let former = self.server.end(now, &mut self.disk);
        self.disk.delete(&former);
        if self.fault == Some(Fault::TellDeletionEarly) {
            self.tell_deletion()?;
        }
        Ok(())
    }

    /// The deletion is durable: whoever joins from now on finds another document.
    fn deleted(&mut self) -> Result<(), Violation> {
        self.trace.line(format_args!("the document is deleted"));
        self.counts.deletions += 1;
        if self.fault != Some(Fault::TellDeletionEarly) {
            self.tell_deletion()?;
        }
        self.restart()
    }

    /// Closes everyone. Not all understand why: some come back with what they have.
    fn tell_deletion(&mut self) -> Result<(), Violation> {
        self.checker.deleted();
        for who in 0..CLIENTS {
            let understands = self.deletions.as_mut().is_some_and(|rng| rng.below(2) == 0);
            if self.links[who].take().is_some() && understands {
                self.open_new_tab(who)?;
            }
        }
        Ok(())
    }

    fn break_link(&mut self, who: usize) -> Result<(), Violation> {
        if let Some(link) = self.links[who].take() {
            self.trace.line(format_args!("{who}'s link breaks"));
            self.broken.push_back(link.connection);
        }
        Ok(())
    }

    /// A client is closed for good, with whatever it did not send, and another is opened in its place.
    fn open_new_tab(&mut self, who: usize) -> Result<(), Violation> {
        if self.links[who].is_none() {
            self.incarnations += 1;
            self.trace.line(format_args!("{who} opens a new tab, client {}", self.incarnations));
            self.clients[who] = F::open(who, self.incarnations);
        }
        Ok(())
    }
}

/// Things that go on.
impl<F: Family> World<F> {
    fn now(&self) -> Now {
        Now { monotonic: MonotonicMs(self.now_ms), wall: WallMs(1_700_000_000_000 + self.now_ms) }
    }

    fn pass_time(&mut self) -> Result<(), Violation> {
        self.now_ms += 1 + self.rng.below(400) as u64;
        self.server.time_passed(self.now());
        Ok(())
    }

    fn connect(&mut self, who: usize) -> Result<(), Violation> {
        if self.links[who].is_some() || self.server.has_ended() {
            return Ok(());
        }
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.trace.line(format_args!("{who} connects as {connection}"));
        self.server.join(self.now(), connection, self.clients[who].guest());
        let up = VecDeque::from(self.clients[who].connect());
        self.links[who] = Some(Link { connection, up, down: VecDeque::new() });
        Ok(())
    }

    fn edit(&mut self, who: usize) -> Result<(), Violation> {
        self.counts.edits += 1;
        let link = self.links[who].as_mut();
        let frames = self.clients[who].edit(&mut self.rng, link.is_some());
        let words = frames.first().map_or_else(|| "nothing goes out".into(), F::describe);
        self.trace.line(format_args!("{who} edits: {words}"));
        if let Some(link) = link {
            link.up.extend(frames);
        }
        Ok(())
    }

    fn disk_step(&mut self) -> Result<(), Violation> {
        let Some(purpose) = self.disk.step(self.fault) else { return Ok(()) };
        match purpose {
            Purpose::Commit(record) => {
                self.trace.line(format_args!("commit {} is durable", record.number));
                self.counts.commits += 1;
                self.checker.committed(&record)?;
                if self.fault != Some(Fault::AcknowledgeBeforeFlush) {
                    self.server.input(self.now(), Input::Committed);
                }
            }
            Purpose::Deleted => return self.deleted(),
            Purpose::Snapshot(bytes) => {
                self.trace.line(format_args!("a snapshot of {bytes} bytes is durable"));
                self.counts.snapshots += 1;
            }
            Purpose::Covered(bytes) => {
                self.trace.line(format_args!("what it covers is gone"));
                self.checker.reloaded(&self.disk.load_durable())?;
                self.server.input(self.now(), Input::Compacted { snapshot_bytes: Some(bytes) });
            }
        }
        Ok(())
    }

    /// Lets a connection's writer write one batch.
    fn write(&mut self, who: usize) -> Result<(), Violation> {
        let now = self.now();
        let Some(link) = &mut self.links[who] else { return Ok(()) };
        match self.server.write(now, link.connection) {
            Wrote::Frames(frames) => {
                for frame in frames {
                    self.trace.line(format_args!("{who} is handed {}", F::describe(&frame)));
                    self.checker.shown(&frame)?;
                    link.down.push_back(frame);
                }
            }
            Wrote::Closed => {
                assert!(self.counts.deletions > 0, "honest clients are not closed");
                self.trace.line(format_args!("{who} is turned away"));
                self.break_link(who)?;
                self.open_new_tab(who)?;
            }
            Wrote::Nothing => {}
        }
        Ok(())
    }

    /// Carries out an effect; if there is none, lets a frame arrive somewhere.
    fn progress(&mut self, who: usize) -> Result<(), Violation> {
        let now = self.now();
        if let Some(effect) = self.server.carry_out_one(now, &mut self.disk) {
            self.trace.line(format_args!("the server does: {effect}"));
            return Ok(());
        }
        if let Some(connection) = self.broken.pop_front() {
            self.server.leave(now, connection);
            return Ok(());
        }
        match self.rng.below(3) {
            0 => self.server.input(now, Input::Flush),
            1 => self.arrive_at_server(who),
            _ => return self.arrive_at_client(who),
        }
        Ok(())
    }

    fn arrive_at_server(&mut self, who: usize) {
        let now = self.now();
        let Some(link) = &mut self.links[who] else { return };
        if self.server.is_saturated() {
            return;
        }
        let Some(frame) = link.up.pop_front() else { return };
        self.trace.line(format_args!("{who} is heard: {}", F::describe(&frame)));
        self.server.receive(now, link.connection, frame);
    }

    fn arrive_at_client(&mut self, who: usize) -> Result<(), Violation> {
        let Some(link) = &mut self.links[who] else { return Ok(()) };
        let Some(frame) = link.down.pop_front() else { return Ok(()) };
        self.trace.line(format_args!("{who} hears {}", F::describe(&frame)));
        let answer = self.clients[who].receive(&frame);
        link.up.extend(answer);
        if self.clients[who].is_saved() == Some(true) {
            self.checker.saved(&self.clients[who].held().0)?;
        }
        Ok(())
    }
}
