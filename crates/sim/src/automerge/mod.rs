//! The world of an Automerge document: the same links, disk and crashes, and clients that speak `automerge::sync`.

mod check;
mod client;
mod server;

use std::collections::VecDeque;

use bytes::Bytes;
use syncline_core::{
    id::ConnectionId,
    log::Engine,
    time::{MonotonicMs, Now, WallMs},
};
use syncline_protocol::Input;

use self::{
    check::Checker,
    client::{Client, describe},
    server::{Server, Wrote},
};
use crate::{
    Fault, Rng, Violation,
    disk::{Disk, Purpose},
    trace::Trace,
    world::Counts,
};

const CLIENTS: usize = 3;

/// Rounds without an event after which nothing more is expected.
const QUIET_ROUNDS: u32 = 20;

/// One seeded world of an Automerge document: three clients, their links, the server and its disk.
pub struct AutomergeWorld {
    rng: Rng,
    trace: Trace,
    fault: Option<Fault>,
    now_ms: u64,
    clients: Vec<Client>,
    links: Vec<Option<Link>>,
    /// Connections whose end the server has not noticed yet.
    broken: VecDeque<ConnectionId>,
    connections: u64,
    incarnations: u64,
    server: Server,
    disk: Disk,
    checker: Checker,
    pub(crate) counts: Counts,
}

/// A connection: messages on their way, in order, until it breaks.
struct Link {
    connection: ConnectionId,
    up: VecDeque<Bytes>,
    down: VecDeque<Bytes>,
}

impl AutomergeWorld {
    /// Makes the world of `seed`, with a mistake in its shell if one is asked for.
    #[must_use]
    pub fn new(seed: u64, fault: Option<Fault>, print: bool) -> Self {
        let disk = Disk::of(Engine::Automerge);
        let server = Server::start(Now::default(), &disk.load(), fault).expect("an empty store loads");
        Self {
            rng: Rng::new(seed),
            trace: Trace::new(print),
            fault,
            now_ms: 0,
            clients: (0..CLIENTS).map(|who| Client::new(who as u64 + 1)).collect(),
            links: (0..CLIENTS).map(|_| None).collect(),
            broken: VecDeque::new(),
            connections: 0,
            incarnations: CLIENTS as u64,
            server,
            disk,
            checker: Checker::default(),
            counts: Counts::default(),
        }
    }

    /// Returns the hash of everything that happened so far.
    #[must_use]
    pub fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// Lets one thing happen.
    ///
    /// # Errors
    /// [`Violation`] if it broke a promise.
    pub fn step(&mut self) -> Result<(), Violation> {
        let who = self.rng.below(CLIENTS);
        match self.rng.below(1000) {
            0..4 => self.crash(),
            4..7 => self.fail_commit(),
            7..20 => self.break_link(who),
            20..24 => self.open_new_tab(who),
            24..90 => self.connect(who),
            90..180 => self.edit(who),
            180..200 => self.pass_time(),
            200..330 => self.disk_step(),
            330..480 => self.write(who),
            _ => self.progress(who),
        }
    }

    /// Lets everything go on without faults until nothing is left to do, and compares all replicas.
    ///
    /// # Errors
    /// [`Violation`] if a promise broke, or the world does not come to rest.
    pub fn settle(&mut self) -> Result<(), Violation> {
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
        self.links.iter().all(quiet) && !self.disk.is_busy() && self.broken.is_empty()
    }

    fn compare(&mut self) -> Result<(), Violation> {
        for (at, client) in self.clients.iter_mut().enumerate() {
            let heads = client.heads();
            self.trace.line(format_args!("client {at} holds {heads:?}"));
            self.checker.same(&format!("client {at}"), &heads)?;
        }
        self.checker.same("the server", &self.server.heads())
    }
}

/// Things that go wrong.
impl AutomergeWorld {
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
        self.links.iter_mut().for_each(|link| *link = None);
        self.broken.clear();
        let loaded = self.disk.load_durable();
        self.checker.reloaded(&loaded)?;
        self.server =
            Server::start(self.now(), &loaded, self.fault).map_err(|why| Violation::Unloadable { why })?;
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
            self.clients[who] = Client::new(self.incarnations);
        }
        Ok(())
    }
}

/// Things that go on.
impl AutomergeWorld {
    fn now(&self) -> Now {
        Now { monotonic: MonotonicMs(self.now_ms), wall: WallMs(1_700_000_000_000 + self.now_ms) }
    }

    fn pass_time(&mut self) -> Result<(), Violation> {
        self.now_ms += 1 + self.rng.below(400) as u64;
        self.server.time_passed(self.now());
        Ok(())
    }

    fn connect(&mut self, who: usize) -> Result<(), Violation> {
        if self.links[who].is_some() {
            return Ok(());
        }
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.trace.line(format_args!("{who} connects as {connection}"));
        self.server.join(self.now(), connection);
        let up = self.clients[who].connect().into_iter().collect();
        self.links[who] = Some(Link { connection, up, down: VecDeque::new() });
        Ok(())
    }

    fn edit(&mut self, who: usize) -> Result<(), Violation> {
        self.counts.edits += 1;
        self.clients[who].edit(&mut self.rng);
        self.trace.line(format_args!("{who} edits"));
        if let Some(link) = &mut self.links[who] {
            link.up.extend(self.clients[who].say());
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
            Wrote::Messages(messages) => {
                for message in messages {
                    self.trace.line(format_args!("{who} is handed {}", describe(&message)));
                    self.checker.shown(&message)?;
                    link.down.push_back(message);
                }
            }
            Wrote::Closed => panic!("honest clients are not closed"),
            Wrote::Nothing => {}
        }
        Ok(())
    }

    /// Carries out an effect; if there is none, lets a message arrive somewhere.
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
            _ => self.arrive_at_client(who),
        }
        Ok(())
    }

    fn arrive_at_server(&mut self, who: usize) {
        let now = self.now();
        let Some(link) = &mut self.links[who] else { return };
        if self.server.is_saturated() {
            return;
        }
        let Some(message) = link.up.pop_front() else { return };
        self.trace.line(format_args!("{who} is heard: {}", describe(&message)));
        self.server.receive(now, link.connection, message);
    }

    fn arrive_at_client(&mut self, who: usize) {
        let Some(link) = &mut self.links[who] else { return };
        let Some(message) = link.down.pop_front() else { return };
        self.trace.line(format_args!("{who} hears {}", describe(&message)));
        self.clients[who].receive(&message);
        link.up.extend(self.clients[who].say());
    }
}
