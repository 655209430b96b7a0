//! One writer, many readers: how many characters a second reach someone.

use std::io;
use std::time::Instant;

use tokio::task::JoinSet;

use super::pump::{Until, pump};
use super::{Better, Measure, Sample};
use crate::client::Client;
use crate::server::Server;

const DELIVERIES: Measure = Measure { name: "deliveries", unit: "/s", better: Better::Higher };

const ROOM: &str = "fan-out";
const WRITER: u64 = 1;
/// How many characters the writer has on the way to its own echo.
const WINDOW: u64 = 64;

pub(super) async fn run(server: &Server, subscribers: u32, updates: u64) -> io::Result<Vec<Sample>> {
    let mut readers = Vec::new();
    for _ in 0..subscribers {
        readers.push(Client::join(server, ROOM).await?);
    }
    let mut writer = Client::join(server, ROOM).await?;

    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for mut reader in readers {
        tasks.spawn(async move {
            let mut seen = 0;
            while seen < updates {
                seen = reader.typed_beyond(WRITER, seen).await?;
            }
            Ok::<_, io::Error>(())
        });
    }
    pump(&mut writer, WRITER, WINDOW, Until::Typed(updates)).await?;
    while let Some(done) = tasks.join_next().await {
        done.map_err(io::Error::other)??;
    }
    let deliveries = updates as f64 * f64::from(subscribers);
    Ok(vec![Sample { measure: DELIVERIES, value: deliveries / start.elapsed().as_secs_f64() }])
}
