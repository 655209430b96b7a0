//! Who is here: the awareness states of one document (y-protocols 1.0.7, `awareness.js`), newest for each client id.
//!
//! An id has at most one *home*, the connection that may speak for it. The first entry of a connection claims its id, if
//! it cannot be an echo: unmodified clients send back every state that they are shown, so a claim has to name an id that
//! the connection was not shown yet, or a clock beyond the known one. Entries for an id that lives elsewhere are dropped
//! one by one and in silence. An id without a home is adopted by whoever sends it, until someone claims it.
//!
//! Where users have proved who they are an id that was claimed is its user's, as long as anything is known of it: another connection
//! of theirs may claim it, nobody else's speaks for it, whether it has a home or its connection is just coming back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use syncline_core::{
    guard::{AwarenessEntry, write_string, write_var_uint},
    id::{ClientId, ConnectionId},
    limits::{
        PRESENCE_CLOCK_STEP_MAX, PRESENCE_EXPIRY_MS, PRESENCE_IDS_PER_CONNECTION_MAX, PRESENCE_MEMORY_MS,
        PRESENCE_STATE_BYTES_MAX, PRESENCE_TICK_MS,
    },
    person::Person,
    time::MonotonicMs,
};

/// Time between two looks for presences that were not renewed, in milliseconds: at worst they stay this much longer.
const SWEEP_MS: u64 = 5_000;

/// The newest state of every client, and who may change it.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    clients: BTreeMap<ClientId, Client>,
    connections: BTreeMap<ConnectionId, Connection>,
    /// Ids whose newest entry was not sent out yet.
    changed: BTreeSet<ClientId>,
    /// When the changes gathered so far go out.
    tick_at: Option<MonotonicMs>,
    /// When to look for presences that were not renewed.
    sweep_at: Option<MonotonicMs>,
    changes: u64,
    dropped: u64,
}

#[derive(Debug)]
struct Client {
    clock: u64,
    /// JSON; nothing once it was removed.
    state: Option<Arc<str>>,
    /// The connection that speaks for it.
    home: Option<ConnectionId>,
    /// The user who has claimed it; none if nobody has, or nobody has to prove who they are.
    owner: Option<Arc<str>>,
    /// When the entry was last renewed, or removed.
    touched: MonotonicMs,
    /// Whether the client has not sent this clock yet: it takes it when it hears that it was removed.
    ahead: bool,
}

#[derive(Debug, Default)]
struct Connection {
    /// Who has been authenticated.
    user: Option<Arc<str>>,
    /// Ids that have their home here.
    ids: BTreeSet<ClientId>,
    /// Whether it has sent an entry.
    spoke: bool,
    /// Whether it was shown others' states, which it may echo.
    shown: bool,
}

/// A client's own presence as removed, to be sent to that client alone: it keeps its state and takes the next clock
/// (y-websocket issue 122: after a reconnect with an unchanged clock nobody would see it). Not every client says so before
/// its next change (Hocuspocus 4 does not), so the others are shown the state with that clock at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Revive {
    client: ClientId,
    clock: u64,
}

impl Revive {
    /// Returns the awareness update to send.
    pub(crate) fn encode(self) -> Vec<u8> {
        encode(&[(self.client, self.clock, None)])
    }
}

impl Presence {
    /// Notes a new connection, and whose it is if that was proved.
    pub(crate) fn join(&mut self, connection: ConnectionId, user: Option<&str>) {
        self.connections.entry(connection).or_default().user = user.map(Arc::from);
    }

    /// Removes the presences that have their home at a connection that is gone.
    pub(crate) fn leave(&mut self, now: MonotonicMs, connection: ConnectionId) {
        let Some(gone) = self.connections.remove(&connection) else { return };
        for id in gone.ids {
            if let Some(client) = self.clients.get_mut(&id) {
                client.home = None;
                self.remove(now, id);
            }
        }
    }

    /// Takes in one entry of an awareness update. Returns what to send back to its sender, if anything.
    pub(crate) fn apply(
        &mut self,
        now: MonotonicMs,
        from: ConnectionId,
        entry: &AwarenessEntry<'_>,
    ) -> Option<Revive> {
        let claims = self.claims(from, entry);
        let is_new = !self.clients.contains_key(&entry.client);
        if is_new && entry.state.is_none() {
            return None;
        }
        let long = entry.state.is_some_and(|state| state.len() > PRESENCE_STATE_BYTES_MAX);
        if long || !self.settle(from, entry, claims) {
            self.dropped += 1;
            return None;
        }
        let client = self.clients.get_mut(&entry.client)?;
        let removes = entry.state.is_none() && client.state.is_some();
        let returns = claims && client.state.is_none();
        // It changed before it heard that it was removed, and its own clock is the one that the others were shown.
        let crosses = client.ahead && client.clock == entry.clock && client.state.as_deref() != entry.state;
        let state = entry.state.map(Arc::from);
        if is_new || client.clock < entry.clock || (client.clock == entry.clock && removes) {
            (client.clock, client.state, client.touched, client.ahead) = (entry.clock, state, now, false);
        } else if state.is_some() && (returns || crosses) {
            let removed = client.clock;
            let clock = removed.saturating_add(1);
            (client.clock, client.state, client.touched, client.ahead) = (clock, state, now, true);
            self.note_change(now, entry.client);
            return Some(Revive { client: entry.client, clock: removed });
        } else {
            if client.clock == entry.clock && (claims || client.ahead) {
                client.touched = now;
                client.ahead = false;
            }
            return None;
        }
        self.note_change(now, entry.client);
        None
    }

    /// Returns whether an entry makes `from` the home of its id, wherever that was before.
    fn claims(&mut self, from: ConnectionId, entry: &AwarenessEntry<'_>) -> bool {
        let connection = self.connections.entry(from).or_default();
        let first = !std::mem::replace(&mut connection.spoke, true);
        let shown = connection.shown;
        let could_be_echo = self
            .clients
            .get(&entry.client)
            .is_some_and(|known| shown && known.state.is_some() && entry.clock <= known.clock);
        first && !could_be_echo
    }

    /// Finds the entry's id a home. Returns whether that is `from`, so that the entry may be looked at.
    fn settle(&mut self, from: ConnectionId, entry: &AwarenessEntry<'_>, claims: bool) -> bool {
        let known = self.clients.get(&entry.client);
        let home = known.and_then(|client| client.home);
        if home == Some(from) {
            return known
                .is_some_and(|client| entry.clock <= client.clock.saturating_add(PRESENCE_CLOCK_STEP_MAX));
        }
        let news = known.is_none_or(|client| entry.clock > client.clock) && entry.state.is_some();
        let may_move_in = claims || (home.is_none() && news);
        let connection = self.connections.entry(from).or_default();
        let owner = known.and_then(|client| client.owner.clone());
        if owner.is_some() && owner != connection.user {
            return false;
        }
        let owner = if claims { connection.user.clone() } else { owner };
        if !may_move_in || connection.ids.len() >= PRESENCE_IDS_PER_CONNECTION_MAX {
            return false;
        }
        connection.ids.insert(entry.client);
        if let Some(before) = home.and_then(|before| self.connections.get_mut(&before)) {
            before.ids.remove(&entry.client);
        }
        let touched = MonotonicMs::default();
        let client = self.clients.entry(entry.client).or_insert(Client {
            clock: 0,
            state: None,
            home,
            owner: None,
            touched,
            ahead: false,
        });
        (client.home, client.owner) = (Some(from), owner);
        true
    }

    fn remove(&mut self, now: MonotonicMs, id: ClientId) {
        let Some(client) = self.clients.get_mut(&id).filter(|client| client.state.is_some()) else { return };
        client.state = None;
        client.touched = now;
        self.note_change(now, id);
    }

    fn note_change(&mut self, now: MonotonicMs, id: ClientId) {
        self.changes += 1;
        self.changed.insert(id);
        self.tick_at.get_or_insert(now.after(PRESENCE_TICK_MS));
        self.sweep_at.get_or_insert(now.after(SWEEP_MS));
    }

    /// Returns when [`Presence::tick`] has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<MonotonicMs> {
        self.tick_at.into_iter().chain(self.sweep_at).min()
    }

    /// Removes what was not renewed, and returns what changed since the last tick as one awareness update for everyone.
    pub(crate) fn tick(&mut self, now: MonotonicMs) -> Option<Vec<u8>> {
        if self.sweep_at.is_some_and(|at| now >= at) {
            self.sweep(now);
        }
        if self.tick_at.is_none_or(|at| now < at) {
            return None;
        }
        self.tick_at = None;
        self.connections.values_mut().for_each(|connection| connection.shown = true);
        let changed = std::mem::take(&mut self.changed);
        let entries = changed.iter().filter_map(|id| self.clients.get(id).map(|client| (*id, client)));
        let entries: Vec<_> =
            entries.map(|(id, client)| (id, client.clock, client.state.as_deref())).collect();
        Some(encode(&entries))
    }

    /// Returns everyone's state as one awareness update to be shown to `to`, if there is anyone.
    pub(crate) fn everyone(&mut self, to: ConnectionId) -> Option<Vec<u8>> {
        self.connections.entry(to).or_default().shown = true;
        let present = self.clients.iter().filter(|(_, client)| client.state.is_some());
        let entries: Vec<_> =
            present.map(|(id, client)| (*id, client.clock, client.state.as_deref())).collect();
        (!entries.is_empty()).then(|| encode(&entries))
    }

    fn sweep(&mut self, now: MonotonicMs) {
        let stale =
            |client: &Client| client.state.is_some() && now.since(client.touched) >= PRESENCE_EXPIRY_MS;
        let expired: Vec<_> =
            self.clients.iter().filter(|(_, client)| stale(client)).map(|(id, _)| *id).collect();
        for id in expired {
            self.remove(now, id);
        }
        let connections = &mut self.connections;
        self.clients.retain(|id, client| {
            let keep = client.state.is_some() || now.since(client.touched) < PRESENCE_MEMORY_MS;
            if let Some(home) = client.home.filter(|_| !keep).and_then(|home| connections.get_mut(&home)) {
                home.ids.remove(id);
            }
            keep
        });
        self.sweep_at = (!self.clients.is_empty()).then(|| now.after(SWEEP_MS));
    }

    /// Returns the people who say who they are, one for each client, in the order of their ids and at most `max`.
    pub(crate) fn people(&self, max: usize) -> Vec<Person> {
        let states = self.clients.values().filter_map(|client| client.state.as_deref());
        states.filter_map(Person::of_state).take(max).collect()
    }

    /// Returns how often anyone's state has changed. While it stays, so do the people.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Returns how many entries were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// Encodes an awareness update: a count, then for each client its id, clock and state as JSON text.
fn encode(entries: &[(ClientId, u64, Option<&str>)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    write_var_uint(&mut out, entries.len() as u64);
    for &(id, clock, state) in entries {
        write_var_uint(&mut out, id.0);
        write_var_uint(&mut out, clock);
        write_string(&mut out, state.unwrap_or("null"));
    }
    out
}
