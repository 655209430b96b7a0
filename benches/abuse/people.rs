//! People who type as people do, each in a room with someone who reads.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::client::Client;
use crate::server::Server;
use crate::wire;

/// The time between two keys.
const KEY_EVERY: Duration = Duration::from_millis(100);

/// What was not seen by then was lost.
const SEEN_MAX: Duration = Duration::from_secs(30);

/// Everyone who types, with who reads it.
pub(crate) struct Pairs(Vec<(u64, Client, Client)>);

impl Pairs {
    /// Has so many writers, and a reader for each, join a room of their own.
    ///
    /// # Errors
    ///
    /// Any error of a client.
    pub(crate) async fn join(server: &Server, count: u64) -> io::Result<Self> {
        let mut pairs = Vec::new();
        for writer in 1..=count {
            let room = format!("room-{writer}");
            pairs.push((writer, Client::join(server, &room).await?, Client::join(server, &room).await?));
        }
        Ok(Self(pairs))
    }

    /// Has everyone type, and returns how long each key took from when it was sent until it was seen.
    ///
    /// # Errors
    ///
    /// Any error of a client; [`io::ErrorKind::TimedOut`] if a key is not seen.
    pub(crate) async fn type_for(self, span: Duration) -> io::Result<Vec<Duration>> {
        let keys = u64::try_from(span.as_millis() / KEY_EVERY.as_millis()).unwrap_or(u64::MAX).max(1);
        let mut readers = JoinSet::new();
        let mut writers = JoinSet::new();
        for (writer, typing, reading) in self.0 {
            let sent = Arc::new(Mutex::new(Vec::new()));
            writers.spawn(type_keys(typing, writer, keys, Arc::clone(&sent)));
            readers.spawn(read_keys(reading, writer, keys, sent));
        }
        let mut waits = Vec::new();
        while let Some(read) = readers.join_next().await {
            waits.extend(read.map_err(io::Error::other)??);
        }
        while let Some(typed) = writers.join_next().await {
            typed.map_err(io::Error::other)??;
        }
        Ok(waits)
    }
}

async fn type_keys(
    mut client: Client,
    writer: u64,
    keys: u64,
    sent: Arc<Mutex<Vec<Instant>>>,
) -> io::Result<()> {
    let mut ticks = interval(KEY_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut seen = 0;
    for key in 0..keys {
        ticks.tick().await;
        sent.lock().map_err(|_| io::Error::other("a reader panicked"))?.push(Instant::now());
        client.send(&wire::insertion(writer, key)).await?;
        // Whoever types reads what others see, too.
        seen = client.confirmed_beyond(writer, seen).await?;
    }
    Ok(())
}

async fn read_keys(
    mut client: Client,
    writer: u64,
    keys: u64,
    sent: Arc<Mutex<Vec<Instant>>>,
) -> io::Result<Vec<Duration>> {
    let (mut seen, mut waits) = (0, Vec::new());
    while seen < keys {
        let now_seen = timeout(SEEN_MAX, client.typed_beyond(writer, seen));
        let now_seen = now_seen.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let now = Instant::now();
        let sent = sent.lock().map_err(|_| io::Error::other("a writer panicked"))?;
        let newly = sent.iter().take(now_seen as usize).skip(seen as usize);
        waits.extend(newly.map(|&at| now - at));
        seen = now_seen;
    }
    Ok(waits)
}
