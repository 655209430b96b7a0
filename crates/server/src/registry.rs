//! Which rooms are open, and the one lock under which they are joined and removed.
//!
//! Unloading cannot race with joining: a join is put into the room's inbox while the lock is held, and a room removes
//! itself under the same lock and only if its inbox is empty. Loading cannot race with loading: the first join opens
//! the inbox, later ones find it, and all wait in it until the document is there. No lock is held across an `await`.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use syncline_core::{
    id::{RoomName, TenantId},
    log::Engine,
};
use tokio::{
    sync::{
        Notify,
        futures::OwnedNotified,
        mpsc::{self, error::TrySendError},
        watch,
    },
    time::sleep,
};

use crate::{
    epoch::Epoch,
    limits::{ROOM_INBOX_MESSAGES_MAX, ROOM_WAIT_MS},
    lobby::Card,
    quota::Limit,
    room::{self, Join, ToRoom},
    tenants::Tenant,
};

/// Where a room is found: by whose it is, and by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RoomKey {
    pub(crate) tenant: Tenant,
    pub(crate) name: RoomName,
}

/// The open rooms of one epoch.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    rooms: Mutex<Rooms>,
}

#[derive(Debug, Default)]
struct Rooms {
    open: BTreeMap<RoomKey, Entry>,
    of_tenants: BTreeMap<TenantId, OfTenant>,
    /// Tells a room from an earlier one of the same name.
    opened: u64,
    closed: bool,
}

/// The rooms of a tenant, as long as there are some.
#[derive(Debug, Default)]
struct OfTenant {
    count: usize,
    /// Whether somebody has found that the tenant has as many as it may: those that nobody uses end then.
    is_short: watch::Sender<bool>,
    /// Told when one has ended.
    ended: Arc<Notify>,
}

/// Why a room is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Somebody joins it. Beyond the quota they are sent away, and come again by themselves.
    People,
    /// A request is about its document. Beyond the quota it waits a moment, for rooms that nobody uses end at once then.
    Request,
    /// No quota holds it up.
    Anyway,
}

/// What stands in the way of a room.
enum Obstacle {
    Closed,
    /// The tenant has as many open as it may; it is told here when one has ended.
    Full(Option<OwnedNotified>),
}

#[derive(Clone, Debug)]
struct Entry {
    number: RoomNumber,
    inbox: mpsc::Sender<ToRoom>,
    card: Arc<Card>,
}

/// Numbers the rooms of an epoch in the order in which they were opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RoomNumber(u64);

/// A room is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotOpened {
    /// No room is opened any more: the server stops, or the store failed.
    #[error("no room is opened any more")]
    Closed,
    /// The tenant has as many rooms open as it may. Those that are open may be joined and asked.
    #[error("there are as many rooms open as may be; an operator sets how many by {}", Limit::TenantRooms.settings())]
    TooMany,
}

/// Tells a room when its tenant has as many open as it may, and somebody wants another.
#[derive(Debug)]
pub(crate) struct Shortage(watch::Receiver<bool>);

impl Shortage {
    /// Waits until rooms are short.
    pub(crate) async fn begun(&mut self) {
        if self.0.wait_for(|is_short| *is_short).await.is_err() {
            // The tenant has no rooms any more.
            std::future::pending::<()>().await;
        }
    }
}

impl Registry {
    /// Hands `join` to the room, which is opened if need be, and returns its inbox.
    pub(crate) async fn join(
        epoch: &Arc<Epoch>,
        key: &RoomKey,
        join: Join,
    ) -> Result<mpsc::Sender<ToRoom>, NotOpened> {
        Self::hand(epoch, key, ToRoom::Join(join), Cause::People).await
    }

    /// Hands the message of a request to the room, which is opened if need be, and returns its inbox.
    pub(crate) async fn tell(
        epoch: &Arc<Epoch>,
        key: &RoomKey,
        message: ToRoom,
    ) -> Result<mpsc::Sender<ToRoom>, NotOpened> {
        let told = Self::hand(epoch, key, message, Cause::Request).await;
        told.inspect_err(|error| {
            if *error == NotOpened::TooMany {
                epoch.metrics.limited(Limit::TenantRooms);
            }
        })
    }

    /// Does what [`tell`](Self::tell) does, whatever the quota; a room that is opened beyond it ends as soon as nobody uses it. It is for what
    /// leaves less behind than there was, since who has too much could not get rid of it otherwise, and for what goes on from one document to
    /// the next and may not stop.
    pub(crate) async fn tell_anyway(
        epoch: &Arc<Epoch>,
        key: &RoomKey,
        message: ToRoom,
    ) -> Result<mpsc::Sender<ToRoom>, NotOpened> {
        Self::hand(epoch, key, message, Cause::Anyway).await
    }

    async fn hand(
        epoch: &Arc<Epoch>,
        key: &RoomKey,
        mut message: ToRoom,
        cause: Cause,
    ) -> Result<mpsc::Sender<ToRoom>, NotOpened> {
        let mut patience = pin!(sleep(Duration::from_millis(ROOM_WAIT_MS)));
        loop {
            let entry = match epoch.registry.entry(epoch, key, message.engine(), cause) {
                Ok(entry) => entry,
                Err(Obstacle::Closed) => return Err(NotOpened::Closed),
                Err(Obstacle::Full(Some(ended))) if cause == Cause::Request => tokio::select! {
                    () = ended => continue,
                    () = &mut patience => return Err(NotOpened::TooMany),
                },
                Err(Obstacle::Full(_)) => return Err(NotOpened::TooMany),
            };
            let Err(back) = epoch.registry.try_tell(key, &entry, message) else { return Ok(entry.inbox) };
            // The inbox is full, or the room ended since. Waiting for a place happens outside the lock; with a place
            // in hand the message is sent under it.
            message = back;
            let Ok(place) = entry.inbox.reserve().await else { continue };
            let rooms = epoch.registry.rooms();
            if rooms.is_open(key, entry.number) {
                place.send(message);
                drop(rooms);
                return Ok(entry.inbox);
            }
        }
    }

    /// Removes the room if `is_unused`, which is asked under the lock; afterwards nobody can join it.
    pub(crate) fn remove_if(
        &self,
        key: &RoomKey,
        number: RoomNumber,
        is_unused: impl FnOnce() -> bool,
    ) -> bool {
        let mut rooms = self.rooms();
        let unused = rooms.is_open(key, number) && is_unused();
        if unused {
            rooms.remove(key);
        }
        unused
    }

    /// Returns the inbox of a room if it is open or being loaded.
    pub(crate) fn inbox(&self, key: &RoomKey) -> Option<mpsc::Sender<ToRoom>> {
        self.rooms().open.get(key).map(|entry| entry.inbox.clone())
    }

    /// Opens no more rooms.
    pub(crate) fn close(&self) {
        let mut rooms = self.rooms();
        rooms.closed = true;
        rooms.of_tenants.values().for_each(|of_tenant| of_tenant.ended.notify_waiters());
    }

    /// Returns what tells a room that rooms of its tenant are short.
    pub(crate) fn shortage(&self, tenant: TenantId) -> Shortage {
        let rooms = self.rooms();
        let is_short = rooms.of_tenants.get(&tenant).map(|of_tenant| of_tenant.is_short.subscribe());
        Shortage(is_short.unwrap_or_else(|| watch::channel(false).1))
    }

    /// Returns how many rooms are open or being loaded.
    pub(crate) fn len(&self) -> usize {
        self.rooms().open.len()
    }

    /// Returns every open room of a tenant with its card and its inbox.
    pub(crate) fn open(&self, tenant: &Tenant) -> Vec<(RoomName, Arc<Card>, mpsc::Sender<ToRoom>)> {
        let rooms = self.rooms();
        let open = rooms.open.iter().filter(|(key, _)| key.tenant == *tenant);
        open.map(|(key, entry)| (key.name.clone(), Arc::clone(&entry.card), entry.inbox.clone())).collect()
    }

    fn entry(
        &self,
        epoch: &Arc<Epoch>,
        key: &RoomKey,
        engine: Engine,
        cause: Cause,
    ) -> Result<Entry, Obstacle> {
        let mut rooms = self.rooms();
        if rooms.closed {
            return Err(Obstacle::Closed);
        }
        if let Some(entry) = rooms.open.get(key) {
            return Ok(entry.clone());
        }
        let of_tenant = rooms.of_tenants.get(&key.tenant.id());
        let count = of_tenant.map_or(0, |of_tenant| of_tenant.count);
        let is_beyond = !epoch.usage.may_open(count);
        if is_beyond && cause != Cause::Anyway {
            return Err(Obstacle::Full(of_tenant.map(OfTenant::want)));
        }
        rooms.opened += 1;
        let number = RoomNumber(rooms.opened);
        let (inbox, messages) = mpsc::channel(ROOM_INBOX_MESSAGES_MAX);
        let card = Arc::new(Card::default());
        let run = room::run(Arc::clone(epoch), key.clone(), number, engine, messages, Arc::clone(&card));
        epoch.tasks.spawn(run);
        let entry = Entry { number, inbox, card };
        rooms.open.insert(key.clone(), entry.clone());
        rooms.of_tenants.entry(key.tenant.id()).or_default().opened(is_beyond);
        Ok(entry)
    }

    fn try_tell(&self, key: &RoomKey, entry: &Entry, message: ToRoom) -> Result<(), ToRoom> {
        let rooms = self.rooms();
        if !rooms.is_open(key, entry.number) {
            return Err(message);
        }
        entry.inbox.try_send(message).map_err(|error| match error {
            TrySendError::Full(message) | TrySendError::Closed(message) => message,
        })
    }

    /// Nothing that runs under the lock leaves the table half changed, so a poisoned one is still whole.
    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rooms {
    fn remove(&mut self, key: &RoomKey) {
        if self.open.remove(key).is_some()
            && let Some(of_tenant) = self.of_tenants.get_mut(&key.tenant.id())
        {
            of_tenant.count -= 1;
            // All of those who wait: whoever finds no place wants one again.
            of_tenant.ended.notify_waiters();
            if of_tenant.count == 0 {
                self.of_tenants.remove(&key.tenant.id());
            }
        }
    }

    fn is_open(&self, key: &RoomKey, number: RoomNumber) -> bool {
        self.open.get(key).is_some_and(|entry| entry.number == number)
    }
}

impl OfTenant {
    /// Counts a room that was opened; beyond the quota it ends as soon as nobody uses it.
    fn opened(&mut self, is_beyond: bool) {
        self.count += 1;
        self.tell_short(is_beyond);
    }

    /// Has rooms end that nobody uses, and returns what waits for one.
    fn want(&self) -> OwnedNotified {
        self.tell_short(true);
        Arc::clone(&self.ended).notified_owned()
    }

    fn tell_short(&self, now: bool) {
        self.is_short.send_if_modified(|is_short| std::mem::replace(is_short, now) != now);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use syncline_core::id::ConnectionId;
    use syncline_protocol::{Guest, Outbox, Slot};
    use syncline_store::{committer::Committer, mem::MemoryStore};
    use tokio::task::JoinSet;

    use super::*;
    use crate::{
        clock::Clock,
        memory::MemoryBudget,
        metrics::Metrics,
        outbox::{Ready, SharedOutbox},
        quota::{Quota, Usage},
        tenants::TenantSettings,
    };

    /// Goal: a join that finds the inbox full is not lost, whatever the room does meanwhile. Method: the load is held
    /// up by a store that answers nobody, until more have joined than the inbox takes.
    #[tokio::test]
    async fn joins_beyond_a_full_inbox_wait_their_turn() {
        const LATE: usize = 50;
        let committer = Committer::start(Box::new(MemoryStore::new()), ()).unwrap();
        let (release, held) = channel::<()>();
        committer.handle().maintain(move |_| _ = held.recv()).unwrap();
        let memory = MemoryBudget::new(usize::MAX);
        let (clock, metrics) = (Clock::start(), Arc::new(Metrics::new()));
        let (tenants, usage) = (TenantSettings::of_tests(clock), Usage::new(&Quota::default()));
        let epoch = Epoch::new(clock, &committer.handle(), &memory, &metrics, &tenants, &usage);
        let key = RoomKey { tenant: epoch.tenants.default_one(), name: RoomName::new("room").unwrap() };

        let mut joins = JoinSet::new();
        let mut readies = Vec::new();
        for connection in 0..ROOM_INBOX_MESSAGES_MAX + LATE {
            let ready = Arc::new(Ready::default());
            let outbox = Arc::new(SharedOutbox::new(Outbox::default(), Slot(0), &ready));
            readies.push(ready);
            let (epoch, key) = (Arc::clone(&epoch), key.clone());
            let connection = ConnectionId(connection as u64);
            let join = Join { connection, guest: Guest::default(), outbox, handshake: None };
            joins.spawn(async move { Registry::join(&epoch, &key, join).await.map(drop) });
        }
        for _ in 0..ROOM_INBOX_MESSAGES_MAX {
            joins.join_next().await.unwrap().unwrap().unwrap();
        }
        assert!(joins.try_join_next().is_none(), "the inbox is full, and the room is not there yet");
        assert_eq!(epoch.registry.len(), 1);

        drop(release);
        while let Some(joined) = joins.join_next().await {
            joined.unwrap().unwrap();
        }
        // When it ends, the room closes everyone whom it has taken in.
        epoch.end().await;
        assert_eq!(epoch.registry.len(), 0);
        for ready in &readies {
            ready.changed().await;
        }
    }
}
