//! Devices that create records, each waiting for its answer before it sends more.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::Filled;
use crate::device::Device;
use crate::load::samples::{Better, Measure, Sample, milliseconds, quantile};

const RATE: Measure = Measure { name: "records", unit: "/s", better: Better::Higher };
const WAIT_P50: Measure = Measure { name: "wait, p50", unit: "ms", better: Better::Lower };
const WAIT_P99: Measure = Measure { name: "wait, p99", unit: "ms", better: Better::Lower };

pub(super) async fn run(
    filled: &mut Filled,
    devices: u32,
    batch: u64,
    span: Duration,
) -> io::Result<Vec<Sample>> {
    let mut joined = Vec::new();
    for device in 0..devices {
        joined.push(Device::join(&filled.server, &format!("pusher-{devices}-{batch}-{device}")).await?);
    }
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for device in joined {
        tasks.spawn(push(device, Arc::clone(&filled.next), batch, start + span));
    }
    let mut waits = Vec::new();
    while let Some(done) = tasks.join_next().await {
        waits.extend(done.map_err(io::Error::other)??);
    }
    let rate = waits.len() as f64 * batch as f64 / start.elapsed().as_secs_f64();
    Ok(vec![
        Sample { measure: RATE, value: rate },
        Sample { measure: WAIT_P50, value: quantile(&waits, 0.5) },
        Sample { measure: WAIT_P99, value: quantile(&waits, 0.99) },
    ])
}

/// Pushes until `end`, once at least, and returns how long each request took, in milliseconds.
async fn push(mut device: Device, next: Arc<AtomicU64>, batch: u64, end: Instant) -> io::Result<Vec<f64>> {
    let mut waits = Vec::new();
    while waits.is_empty() || Instant::now() < end {
        let from = next.fetch_add(batch, Ordering::Relaxed);
        let (wait, _) = device.create(from..from + batch).await?;
        waits.push(milliseconds(wait));
    }
    Ok(waits)
}
