//! Writers in rooms of their own: how many updates a second are confirmed, and how long one waits for it.

use std::io;
use std::time::Instant;

use tokio::task::JoinSet;

use super::Span;
use super::pump::pump;
use crate::client::Client;
use crate::load::samples::{Better, Measure, Sample, milliseconds, quantile};
use crate::server::Server;

const UPDATES: Measure = Measure { name: "updates confirmed", unit: "/s", better: Better::Higher };
const WAIT_P50: Measure = Measure { name: "wait, p50", unit: "ms", better: Better::Lower };
const WAIT_P99: Measure = Measure { name: "wait, p99", unit: "ms", better: Better::Lower };

pub(super) async fn run(server: &Server, writers: u32, window: u64, span: Span) -> io::Result<Vec<Sample>> {
    let mut clients = Vec::new();
    for writer in 1..=u64::from(writers) {
        clients.push((writer, Client::join(server, &format!("echo-{writer}")).await?));
    }

    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for (writer, mut client) in clients {
        tasks.spawn(async move { pump(&mut client, writer, window, start + span.0).await });
    }
    let mut waits = Vec::new();
    while let Some(done) = tasks.join_next().await {
        waits.extend(done.map_err(io::Error::other)??.into_iter().map(milliseconds));
    }
    let rate = waits.len() as f64 / start.elapsed().as_secs_f64();
    Ok(vec![
        Sample { measure: UPDATES, value: rate },
        Sample { measure: WAIT_P50, value: quantile(&waits, 0.5) },
        Sample { measure: WAIT_P99, value: quantile(&waits, 0.99) },
    ])
}
