//! The list of rooms, for people: which there are, who is in them, how large they are and when they were last edited.
//!
//! One task writes the lists, one of each tenant, at most once a second and only while somebody wants it, whatever the number of those who
//! read it. A room notes its own facts on its [`Card`]; who is in it, it says when asked, since that takes decoding.

mod card;
mod directory;
mod http;
mod list;
mod pass;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::future::join_all;
use syncline_core::{
    id::{RoomName, TenantName},
    time::MonotonicMs,
};
use tokio::{
    sync::{Notify, Semaphore, mpsc, oneshot, watch},
    time::{Duration, sleep, timeout},
};

use self::directory::{Known, Pass};
pub(crate) use self::{
    card::{Card, Size},
    directory::Directories,
    http::{events, rooms},
};
use crate::{
    epoch::Epoch,
    limits::{LIST_DESCRIBE_MS_MAX, LIST_EVERY_MS, LIST_LISTENERS_MAX},
    room::ToRoom,
    shared::Shared,
};

/// What the list's task shares with those who want a list. Each tenant has one of its own.
#[derive(Debug)]
pub(crate) struct Lobby {
    /// Somebody wants a list now.
    wanted: Notify,
    /// By tenant, of those of whom somebody wants one.
    published: Mutex<BTreeMap<TenantName, watch::Sender<Published>>>,
    listeners: Arc<Semaphore>,
}

/// A list as it was last written.
#[derive(Clone, Debug, Default)]
struct Published {
    /// When it was written; nothing before the first time.
    at: Option<MonotonicMs>,
    /// JSON; nothing while the store is down.
    list: Option<Arc<str>>,
}

impl Default for Lobby {
    fn default() -> Self {
        Self {
            wanted: Notify::new(),
            published: Mutex::default(),
            listeners: Arc::new(Semaphore::new(LIST_LISTENERS_MAX)),
        }
    }
}

impl Lobby {
    /// Returns where the lists of a tenant come, and has the first one written.
    fn listen(&self, tenant: &TenantName) -> watch::Receiver<Published> {
        let published = self.published().entry(tenant.clone()).or_default().subscribe();
        self.wanted.notify_one();
        published
    }

    /// Returns the tenants of whom somebody wants a list, and where it is told.
    fn wanted(&self) -> Vec<(TenantName, watch::Sender<Published>)> {
        let mut published = self.published();
        published.retain(|_, told| told.receiver_count() > 0);
        published.iter().map(|(tenant, told)| (tenant.clone(), told.clone())).collect()
    }

    /// Nothing that runs under the lock leaves the table half changed, so a poisoned one is still whole.
    fn published(&self) -> MutexGuard<'_, BTreeMap<TenantName, watch::Sender<Published>>> {
        self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes the lists for whoever wants one, until the server stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let lobby = &shared.lobby;
    let writing = async {
        loop {
            let wanted = lobby.wanted();
            if wanted.is_empty() {
                lobby.wanted.notified().await;
                continue;
            }
            for (tenant, published) in wanted {
                let list = match shared.epoch() {
                    Some(epoch) => Some(write(&epoch, &tenant).await.into()),
                    None => None,
                };
                published.send_replace(Published { at: Some(shared.clock.monotonic()), list });
            }
            sleep(Duration::from_millis(LIST_EVERY_MS)).await;
        }
    };
    tokio::select! {
        () = writing => {}
        () = shared.stopping.cancelled() => {}
    }
}

async fn write(epoch: &Arc<Epoch>, tenant: &TenantName) -> String {
    let Some(tenant) = epoch.tenants.known_as(tenant) else {
        return list::write(Known { pass: Pass::Done, ..Known::default() }, BTreeMap::new());
    };
    // Of whoever has stored nothing nothing is kept.
    let directory = if tenant.is_stored() { epoch.directories.of(tenant.id()) } else { Arc::default() };
    let patience = Duration::from_millis(LIST_DESCRIBE_MS_MAX);
    if let Some(pass) = pass::begin(epoch, &tenant, &directory) {
        // With few rooms the first list is whole.
        let _ = timeout(patience, pass).await;
    }
    let open: BTreeMap<RoomName, _> =
        epoch.registry.open(&tenant).into_iter().map(|(name, card, inbox)| (name, (card, inbox))).collect();
    let facts = || open.iter().map(|(name, (card, _))| (name.clone(), card.facts())).collect();
    let known = directory.known_now();
    let outdated = list::shown(&known, &facts()).into_iter().filter_map(|name| {
        let (card, inbox) = &open[&name];
        let facts = card.facts();
        (facts.described != facts.presence_changes).then(|| describe(inbox))
    });
    // A room that is busy is shown with the people whom it last named.
    let _ = timeout(patience, join_all(outdated)).await;
    list::write(known, facts())
}

/// Asks a room to note who is in it. A room whose inbox is full is asked again next time.
async fn describe(inbox: &mpsc::Sender<ToRoom>) {
    let (done, noted) = oneshot::channel();
    if inbox.try_send(ToRoom::Describe { done }).is_ok() {
        // The room may end first.
        let _ = noted.await;
    }
}
