//! The list of rooms, for people: which there are, who is in them, how large they are and when they were last edited.
//!
//! One task writes the list, at most once a second and only while somebody wants it, whatever the number of those who
//! read it. A room notes its own facts on its [`Card`]; who is in it, it says when asked, since that takes decoding.

mod card;
mod directory;
mod http;
mod list;
mod pass;

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::join_all;
use syncline_core::{id::RoomName, time::MonotonicMs};
use tokio::{
    sync::{Notify, Semaphore, mpsc, oneshot, watch},
    time::{Duration, sleep, timeout},
};

pub(crate) use self::{
    card::{Card, Size},
    directory::Directory,
    http::{events, rooms},
};
use crate::{
    epoch::Epoch,
    limits::{LIST_DESCRIBE_MS_MAX, LIST_EVERY_MS, LIST_LISTENERS_MAX},
    room::ToRoom,
    shared::Shared,
};

/// What the list's task shares with those who want the list.
#[derive(Debug)]
pub(crate) struct Lobby {
    /// Somebody wants a list now.
    wanted: Notify,
    published: watch::Sender<Published>,
    listeners: Arc<Semaphore>,
}

/// The list as it was last written.
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
            published: watch::Sender::default(),
            listeners: Arc::new(Semaphore::new(LIST_LISTENERS_MAX)),
        }
    }
}

/// Writes the list for whoever wants it, until the server stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    let lobby = &shared.lobby;
    let writing = async {
        loop {
            if lobby.published.receiver_count() == 0 {
                lobby.wanted.notified().await;
            }
            let list = match shared.epoch() {
                Some(epoch) => Some(write(&epoch).await.into()),
                None => None,
            };
            lobby.published.send_replace(Published { at: Some(shared.clock.monotonic()), list });
            sleep(Duration::from_millis(LIST_EVERY_MS)).await;
        }
    };
    tokio::select! {
        () = writing => {}
        () = shared.stopping.cancelled() => {}
    }
}

async fn write(epoch: &Arc<Epoch>) -> String {
    let patience = Duration::from_millis(LIST_DESCRIBE_MS_MAX);
    if let Some(pass) = pass::begin(epoch) {
        // With few rooms the first list is whole.
        let _ = timeout(patience, pass).await;
    }
    let open: BTreeMap<RoomName, _> =
        epoch.registry.open().into_iter().map(|(key, card, inbox)| (key.name, (card, inbox))).collect();
    let facts = || open.iter().map(|(name, (card, _))| (name.clone(), card.facts())).collect();
    let known = epoch.directory.known_now();
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
