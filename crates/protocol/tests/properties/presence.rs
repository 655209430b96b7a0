//! Three connections that say anything of anyone, in a room, and clients behind them who believe what they are shown.
//!
//! Goal: everyone sees the same people, the newest state of each; nobody speaks for someone who lives elsewhere, nor for
//! too many; who is there stays, and who was removed stays away. Method: each state names the connection that sent it, and the room is judged by
//! its frames alone.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;
use syncline_core::{
    guard::{scan_awareness, write_string, write_var_uint},
    id::ConnectionId,
    limits::{
        PRESENCE_CLOCK_STEP_MAX, PRESENCE_EXPIRY_MS, PRESENCE_IDS_PER_CONNECTION_MAX, PRESENCE_MEMORY_MS,
        PRESENCE_STATE_BYTES_MAX, PRESENCE_TICK_MS,
    },
    time::{MonotonicMs, Now, WallMs},
};
use syncline_protocol::{Effect, Guest, Input, Loaded, Request, Room, wire::yjs};

const PLACES: usize = 3;
/// Clocks are relative to this, so that none is below 1.
const CLOCK_FIRST: u64 = 10;
/// Longest time by which a removal is late, in milliseconds: the room looks every 5 s.
const LATE_MS: u64 = 5_000 + PRESENCE_TICK_MS;

type Client = u64;

/// One entry: its client, its clock beyond the newest that anyone was shown, and whether it has a state.
#[derive(Clone, Copy, Debug)]
struct Entry {
    client: Client,
    ahead: i64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Here,
    TooLong,
    Gone,
}

#[derive(Clone, Debug)]
enum Event {
    Join(usize),
    Leave(usize),
    Query(usize),
    Say(usize, Vec<Entry>),
    Flush,
    Pass(u64),
}

fn events() -> impl Strategy<Value = Event> {
    let ahead = prop_oneof![9 => -2..=2_i64, 1 => Just(PRESENCE_CLOCK_STEP_MAX as i64 + 1)];
    let state = prop_oneof![12 => Just(State::Here), 1 => Just(State::TooLong), 4 => Just(State::Gone)];
    let entry = (1..=7_u64, ahead, state).prop_map(|(client, ahead, state)| Entry { client, ahead, state });
    let pass = prop::sample::select(vec![1, PRESENCE_TICK_MS, 1_000, 14_000, PRESENCE_EXPIRY_MS, 61_000]);
    prop_oneof![
        3 => (0..PLACES).prop_map(Event::Join),
        1 => (0..PLACES).prop_map(Event::Leave),
        1 => (0..PLACES).prop_map(Event::Query),
        12 => (0..PLACES, prop::collection::vec(entry, 1..4)).prop_map(|(place, entries)| Event::Say(place, entries)),
        2 => Just(Event::Flush),
        4 => pass.prop_map(Event::Pass),
    ]
}

/// What a client of y-protocols holds: the clock of everyone it ever saw, and their states.
#[derive(Debug, Default)]
struct View(BTreeMap<Client, (u64, Option<String>)>);

impl View {
    /// After `applyAwarenessUpdate` of y-protocols 1.0.
    fn take(&mut self, client: Client, clock: u64, state: Option<&str>) {
        let (known, present) =
            self.0.get(&client).map_or((0, false), |(known, state)| (*known, state.is_some()));
        if known < clock || (known == clock && state.is_none() && present) {
            self.0.insert(client, (clock, state.map(str::to_owned)));
        }
    }

    fn present(&self) -> BTreeMap<Client, (u64, &str)> {
        let states = self.0.iter().map(|(&client, (clock, state))| (client, *clock, state.as_deref()));
        states.filter_map(|(client, clock, state)| Some((client, (clock, state?)))).collect()
    }
}

/// Someone at one of the places.
struct Peer {
    connection: ConnectionId,
    spoke: bool,
    view: View,
}

struct World {
    room: Room,
    now_ms: u64,
    peers: BTreeMap<usize, Peer>,
    connections: u64,
    states: u64,
    /// What everyone was shown, by whoever was there from the beginning.
    all: View,
    /// When an entry of this client was last sent by anyone, and when its state was last removed.
    said_ms: BTreeMap<Client, u64>,
    removed: BTreeMap<Client, (u64, u64)>,
    /// When its state was last shown to everyone, and whether anyone has sent its end since.
    shown: BTreeMap<Client, (u64, bool)>,
    /// Clients that the room had forgotten before they came back; older clients know them by a later clock.
    reborn: BTreeSet<Client>,
    /// Clients whom a connection has claimed with the state of this number, which need not show, and nobody has spoken
    /// for since.
    contested: BTreeMap<Client, u64>,
}

impl World {
    fn new() -> Self {
        Self {
            room: Room::load(Now::default(), &Loaded::default()).expect("nothing to load"),
            now_ms: 0,
            peers: BTreeMap::new(),
            connections: 0,
            states: 0,
            all: View::default(),
            said_ms: BTreeMap::new(),
            removed: BTreeMap::new(),
            shown: BTreeMap::new(),
            reborn: BTreeSet::new(),
            contested: BTreeMap::new(),
        }
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Join(place) => self.join(*place),
            Event::Leave(place) => self.leave(*place),
            Event::Query(place) => {
                let Some(peer) = self.peers.get(place) else { return };
                self.input(Input::Request { connection: peer.connection, request: Request::QueryPresence });
            }
            Event::Say(place, entries) => {
                if self.peers.contains_key(place) {
                    entries.iter().for_each(|&entry| drop(self.say(*place, entry)));
                }
            }
            Event::Flush => self.input(Input::Flush),
            Event::Pass(ms) => self.pass(*ms),
        }
    }

    fn join(&mut self, place: usize) {
        self.leave(place);
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.peers.insert(place, Peer { connection, spoke: false, view: View::default() });
        self.input(Input::Join { connection, guest: Guest::default() });
    }

    fn leave(&mut self, place: usize) {
        if let Some(peer) = self.peers.remove(&place) {
            self.input(Input::Leave { connection: peer.connection });
        }
    }

    /// Sends an entry. Returns its state.
    fn say(&mut self, place: usize, entry: Entry) -> String {
        // A tab that is closed says so at the clock that it had.
        let is_farewell = entry.state == State::Gone && entry.ahead == 0;
        if is_farewell {
            self.pass(PRESENCE_TICK_MS);
        }
        let newest = self.all.0.get(&entry.client).map_or(CLOCK_FIRST, |(clock, _)| *clock);
        let clock = newest.saturating_add_signed(entry.ahead).max(1);
        self.states += 1;
        let peer = self.peers.get_mut(&place).expect("someone is there");
        let mut state = format!("[{},{}]", peer.connection.0, self.states);
        match entry.state {
            State::Here => {}
            State::TooLong => state += &" ".repeat(PRESENCE_STATE_BYTES_MAX),
            State::Gone => state = "null".into(),
        }
        let speaker = self.all.present().get(&entry.client).map(|(_, state)| sender(state));
        if !std::mem::replace(&mut peer.spoke, true) && speaker != Some(peer.connection) {
            self.contested.insert(entry.client, self.states);
        }
        let connection = peer.connection;
        if let Some((_, ended)) = self.shown.get_mut(&entry.client) {
            *ended |= entry.state == State::Gone;
        }
        self.said_ms.insert(entry.client, self.now_ms);
        let entries = encode(entry.client, clock, &state);
        self.input(Input::Request { connection, request: Request::Presence { entries } });
        if is_farewell && speaker == Some(connection) && !self.contested.contains_key(&entry.client) {
            self.pass(PRESENCE_TICK_MS);
            for view in self.peers.values().map(|peer| &peer.view).chain([&self.all]) {
                assert!(!view.present().contains_key(&entry.client) || self.reborn.contains(&entry.client));
            }
        }
        state
    }

    fn pass(&mut self, ms: u64) {
        let until = self.now_ms + ms;
        while let Some(MonotonicMs(at)) = self.room.poll_timeout().filter(|at| at.0 <= until) {
            self.now_ms = at.max(self.now_ms);
            self.room.handle_timeout(self.now());
            self.carry_out();
        }
        self.now_ms = until;
        for client in self.all.present().keys() {
            let silent_ms = until - self.said_ms[client];
            assert!(
                silent_ms <= PRESENCE_EXPIRY_MS + LATE_MS,
                "{client} has said nothing for {silent_ms} ms"
            );
        }
    }

    fn now(&self) -> Now {
        Now { monotonic: MonotonicMs(self.now_ms), wall: WallMs(self.now_ms) }
    }

    fn input(&mut self, input: Input) {
        self.room.handle(self.now(), input);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(effect) = self.room.poll_effect() {
            if let Effect::Publish(batch) = effect {
                batch.frames().iter().for_each(|frame| self.show(frame, None));
            } else if let Effect::Note(to, batch) | Effect::Resume(to, batch) = effect {
                batch.frames().iter().for_each(|frame| self.show(frame, Some(to)));
            }
        }
    }

    /// Shows a frame to one connection or to everyone.
    fn show(&mut self, frame: &Bytes, to: Option<ConnectionId>) {
        for request in yjs::decode(frame).expect("the room writes frames") {
            let Request::Presence { entries } = request else { continue };
            for entry in scan_awareness(&entries).expect("the room writes entries") {
                let (client, clock, state) = (entry.client.0, entry.clock, entry.state);
                assert!(state.is_none_or(|state| state.len() <= PRESENCE_STATE_BYTES_MAX));
                self.judge(client, clock, state, to.is_none());
                let shown = self.peers.values_mut().filter(|peer| to.is_none_or(|to| to == peer.connection));
                shown.for_each(|peer| peer.view.take(client, clock, state));
                if to.is_none() {
                    self.all.0.insert(client, (clock, state.map(str::to_owned)));
                }
            }
        }
    }

    /// Checks an entry against what was shown before.
    fn judge(&mut self, client: Client, clock: u64, state: Option<&str>, to_everyone: bool) {
        if let Some(&(removed, at_ms)) = self.removed.get(&client) {
            // The room knew of it up to a tick before everyone.
            if self.now_ms - at_ms + PRESENCE_TICK_MS < PRESENCE_MEMORY_MS {
                let is_back = state.is_some() && clock <= removed;
                assert!(!is_back, "{client} is back at {clock}, removed at {removed}");
            } else if clock <= removed {
                self.reborn.insert(client);
            }
        }
        let known = self.all.0.get(&client);
        if let Some((before, _)) = known.filter(|_| !self.reborn.contains(&client)) {
            assert!(clock >= *before, "{client} went back from {before} to {clock}");
        }
        if !to_everyone {
            return;
        }
        match state {
            Some(state) => {
                self.contested.retain(|of, claim| *of != client || number(state) < *claim);
                self.removed.remove(&client);
                self.shown.insert(client, (self.now_ms, false));
            }
            None => {
                self.check_removal(client);
                self.removed.insert(client, (clock, self.now_ms));
            }
        }
        if let Some(sender) = state.map(sender).filter(|_| !self.contested.contains_key(&client)) {
            self.check_caps(client, sender);
        }
    }

    /// Checks that someone who is removed has left, has said so, or was silent for long.
    fn check_removal(&self, client: Client) {
        let present = self.all.present();
        let Some(&(_, state)) = present.get(&client).filter(|_| !self.contested.contains_key(&client)) else {
            return;
        };
        let (shown_ms, ended) = self.shown[&client];
        let is_there = self.peers.values().any(|peer| peer.connection == sender(state));
        let is_silent = self.now_ms - shown_ms + PRESENCE_TICK_MS >= PRESENCE_EXPIRY_MS;
        assert!(ended || !is_there || is_silent, "{client} is gone, and {:?} is there", sender(state));
    }

    /// Checks that there is room for `client` beside the others that `sender` speaks for.
    fn check_caps(&self, client: Client, of: ConnectionId) {
        let present = self.all.present();
        let others = present.iter().filter(|&(other, (_, state))| {
            *other != client && sender(state) == of && !self.contested.contains_key(other)
        });
        assert!(others.count() < PRESENCE_IDS_PER_CONNECTION_MAX, "{of:?} speaks for too many");
    }

    /// Checks that whoever spoke sees the same as a newcomer.
    fn compare(&mut self) {
        self.pass(PRESENCE_TICK_MS);
        self.join(PLACES);
        self.happen(&Event::Query(PLACES));
        self.input(Input::Flush);
        let newcomer = self.peers[&PLACES].view.present();
        let spoke = self.peers.values().filter(|peer| peer.spoke);
        for view in spoke.map(|peer| &peer.view) {
            let mut present = view.present();
            present.retain(|client, _| !self.reborn.contains(client));
            let mut expected = newcomer.clone();
            expected.retain(|client, _| !self.reborn.contains(client));
            assert_eq!(present, expected, "a newcomer sees what the others see");
        }
        self.leave(PLACES);
    }

    /// Checks that of those who are there exactly one may speak for each client that is present.
    fn check_homes(&mut self) {
        let places: Vec<usize> = self.peers.keys().copied().collect();
        for &place in &places {
            // Nobody's first entry claims anything below.
            self.say(place, Entry { client: 100 + place as u64, ahead: 0, state: State::Here });
        }
        self.pass(PRESENCE_TICK_MS);
        for client in self.all.present().into_keys().collect::<Vec<_>>() {
            let mut heard = 0;
            for &place in &places {
                let said = self.say(place, Entry { client, ahead: 1, state: State::Here });
                self.pass(PRESENCE_TICK_MS);
                heard +=
                    usize::from(self.all.present().get(&client).is_some_and(|(_, state)| *state == said));
            }
            assert_eq!(heard, 1, "{client} has one home");
        }
    }
}

/// Returns who sent a state.
fn sender(state: &str) -> ConnectionId {
    ConnectionId(numbers(state).0)
}

/// Returns how many states were sent up to this one.
fn number(state: &str) -> u64 {
    numbers(state).1
}

fn numbers(state: &str) -> (u64, u64) {
    let inner = state.trim_start_matches('[').trim_end_matches(']');
    let (sender, number) = inner.split_once(',').expect("a state holds two numbers");
    (sender.parse().expect("a number"), number.parse().expect("a number"))
}

fn encode(client: Client, clock: u64, state: &str) -> Bytes {
    let mut out = vec![1];
    write_var_uint(&mut out, client);
    write_var_uint(&mut out, clock);
    write_string(&mut out, state);
    out.into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everyone_sees_the_newest_of_everyone(happened in prop::collection::vec(events(), 0..80)) {
        let mut world = World::new();
        happened.iter().for_each(|event| world.happen(event));
        world.happen(&Event::Flush);
        world.compare();
        world.check_homes();
        world.compare();
    }
}

/// Goal: a clock moves by so much at once and not by more. Method: one step too far, and one as far as it may be.
#[test]
fn a_clock_does_not_leap() {
    let mut world = World::new();
    world.join(0);
    for (ahead, is_heard) in
        [(0, true), (PRESENCE_CLOCK_STEP_MAX + 1, false), (PRESENCE_CLOCK_STEP_MAX, true)]
    {
        let ahead = i64::try_from(ahead).expect("a step is small");
        let said = world.say(0, Entry { client: 1, ahead, state: State::Here });
        world.pass(PRESENCE_TICK_MS);
        assert_eq!(world.all.present()[&1].1 == said, is_heard, "{ahead} ahead");
    }
}
