//! Devices that follow what changes, each on a stream of its own.

use std::io;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Filled, pull};
use crate::device::Device;
use crate::http::Http;
use crate::load::samples::{Better, Measure, Sample, median, milliseconds};

const ALL: Measure = Measure { name: "until all have a change", unit: "ms", better: Better::Lower };

/// How many changes are made, one after the other.
const CHANGES: u32 = 20;

pub(super) async fn run(filled: &mut Filled, subscribers: u32) -> io::Result<Vec<Sample>> {
    let mut reader = Device::join(&filled.server, "follower").await?;
    let (_, cursor) = pull::read_all(&mut reader).await?;
    let (told, mut all_told) = mpsc::channel(subscribers as usize);
    let mut tasks = JoinSet::new();
    for subscriber in 0..subscribers {
        let name = format!("subscriber-{subscriber}");
        drop(Device::join(&filled.server, &name).await?);
        let path = format!("/sync/v1/live?device_id={name}&scope=order&cursor={cursor}");
        let mut events = Http::connect(filled.server.address()).await?.events(&path).await?;
        let told = told.clone();
        tasks.spawn(async move { while events.next().await.is_ok() && told.send(()).await.is_ok() {} });
    }
    drop(told);
    let mut times = Vec::new();
    for _ in 0..CHANGES {
        let start = Instant::now();
        filled.change().await?;
        for _ in 0..subscribers {
            all_told.recv().await.ok_or(io::ErrorKind::UnexpectedEof)?;
        }
        times.push(milliseconds(start.elapsed()));
    }
    Ok(vec![Sample { measure: ALL, value: median(&times) }])
}
