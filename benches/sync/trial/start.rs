//! A server that was killed, with all its records.

use std::io;
use std::time::Instant;

use super::Filled;
use crate::device::Device;
use crate::load::samples::{Better, Measure, Sample, milliseconds};

const READY: Measure = Measure { name: "until a pull is answered", unit: "ms", better: Better::Lower };
const MEMORY: Measure = Measure { name: "memory then", unit: "MiB", better: Better::Lower };

pub(super) async fn run(filled: &mut Filled) -> io::Result<Vec<Sample>> {
    let start = Instant::now();
    filled.server.restart()?;
    let mut device = Device::join(&filled.server, "early").await?;
    device.pull(None, 1).await?;
    let mut samples = vec![Sample { measure: READY, value: milliseconds(start.elapsed()) }];
    let memory = filled.server.resident_bytes().map(|bytes| bytes as f64 / f64::from(1 << 20));
    samples.extend(memory.map(|value| Sample { measure: MEMORY, value }));
    Ok(samples)
}
