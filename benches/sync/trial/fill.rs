//! Filling a server: what the records take up in memory.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::Filled;
use crate::FIRST_DEVICE;
use crate::device::Device;
use crate::load::samples::{Better, Measure, Sample};
use crate::server::{Kind, Server};

const RATE: Measure = Measure { name: "records", unit: "/s", better: Better::Higher };
const MEMORY: Measure = Measure { name: "memory of 100,000", unit: "MiB", better: Better::Lower };

/// Records in a request.
const BATCH: u64 = 1_000;

pub(super) async fn run(kind: Kind, records: u64) -> io::Result<(Filled, Vec<Sample>)> {
    let server = Server::start(kind)?;
    let mut first = Device::join(&server, FIRST_DEVICE).await?;
    let before = server.resident_bytes();
    let mut seen = String::new();
    let start = Instant::now();
    for from in (0..records).step_by(BATCH as usize) {
        (_, seen) = first.create(from..records.min(from + BATCH)).await?;
    }
    let rate = records as f64 / start.elapsed().as_secs_f64();
    let mut samples = vec![Sample { measure: RATE, value: rate }];
    samples.extend(memory(before, server.resident_bytes(), records));
    Ok((Filled { server, first, seen, next: Arc::new(records.into()), records }, samples))
}

/// Returns nothing where the system does not tell the memory of a process.
fn memory(before: Option<u64>, after: Option<u64>, records: u64) -> Option<Sample> {
    let mib = (after? as f64 - before? as f64) / f64::from(1 << 20);
    Some(Sample { measure: MEMORY, value: mib * 1e5 / records as f64 })
}
