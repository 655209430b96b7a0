//! One writer, many readers: how many characters a second reach someone.

use std::io;
use std::time::Instant;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Span;
use super::pump::pump;
use crate::client::Client;
use crate::load::samples::{Better, Measure, Sample};
use crate::server::Server;

const DELIVERIES: Measure = Measure { name: "deliveries", unit: "/s", better: Better::Higher };

const ROOM: &str = "fan-out";
const WRITER: u64 = 1;

pub(super) async fn run(
    server: &Server,
    subscribers: u32,
    window: u64,
    span: Span,
) -> io::Result<Vec<Sample>> {
    let mut readers = Vec::new();
    for _ in 0..subscribers {
        readers.push(Client::join(server, ROOM).await?);
    }
    let mut writer = Client::join(server, ROOM).await?;

    let (total_sender, total) = watch::channel(None);
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for reader in readers {
        tasks.spawn(read_all(reader, total.clone()));
    }
    let typed = pump(&mut writer, WRITER, window, start + span.0).await?.len() as u64;
    total_sender.send_replace(Some(typed));
    while let Some(done) = tasks.join_next().await {
        done.map_err(io::Error::other)??;
    }
    let deliveries = typed as f64 * f64::from(subscribers);
    Ok(vec![Sample { measure: DELIVERIES, value: deliveries / start.elapsed().as_secs_f64() }])
}

/// Reads until everything has come; how much that is, the writer says when it is done.
async fn read_all(mut reader: Client, mut total: watch::Receiver<Option<u64>>) -> io::Result<()> {
    let mut seen = 0;
    loop {
        let known = *total.borrow_and_update();
        match known {
            Some(total) if seen >= total => return Ok(()),
            Some(_) => seen = reader.typed_beyond(WRITER, seen).await?,
            None => tokio::select! {
                clock = reader.typed_beyond(WRITER, seen) => seen = clock?,
                _ = total.changed() => {}
            },
        }
    }
}
