//! Reading: everything, and one change.

use std::io;
use std::time::Instant;

use super::Filled;
use crate::device::Device;
use crate::http::odd;
use crate::load::samples::{Better, Measure, Sample, milliseconds, quantile};

const ALL: Measure = Measure { name: "until all is there", unit: "ms", better: Better::Lower };
const RATE: Measure = Measure { name: "records", unit: "/s", better: Better::Higher };
const WAIT_P50: Measure = Measure { name: "wait, p50", unit: "ms", better: Better::Lower };
const WAIT_P99: Measure = Measure { name: "wait, p99", unit: "ms", better: Better::Lower };

/// Records in a page.
const PAGE: usize = 1_000;
/// How many changes are made and pulled, one after the other.
const CHANGES: u32 = 100;

pub(super) async fn first(filled: &mut Filled) -> io::Result<Vec<Sample>> {
    let mut newcomer = Device::join(&filled.server, "newcomer").await?;
    let start = Instant::now();
    let records = read_all(&mut newcomer).await?.0 as f64;
    let time = start.elapsed();
    if records != filled.records as f64 {
        return Err(odd("a first pull has not brought all records"));
    }
    Ok(vec![
        Sample { measure: ALL, value: milliseconds(time) },
        Sample { measure: RATE, value: records / time.as_secs_f64() },
    ])
}

pub(super) async fn one_change(filled: &mut Filled) -> io::Result<Vec<Sample>> {
    let mut reader = Device::join(&filled.server, "reader").await?;
    let (_, mut cursor) = read_all(&mut reader).await?;
    let mut waits = Vec::new();
    for _ in 0..CHANGES {
        filled.change().await?;
        let (wait, page) = reader.pull(Some(&cursor), PAGE).await?;
        if page.records != 1 {
            return Err(odd("a pull has not brought the one change"));
        }
        cursor = page.cursor;
        waits.push(milliseconds(wait));
    }
    Ok(vec![
        Sample { measure: WAIT_P50, value: quantile(&waits, 0.5) },
        Sample { measure: WAIT_P99, value: quantile(&waits, 0.99) },
    ])
}

/// Reads to the end, and returns how many records there were and where the end is.
pub(super) async fn read_all(device: &mut Device) -> io::Result<(usize, String)> {
    let (mut records, mut cursor) = (0, None);
    loop {
        let (_, page) = device.pull(cursor.as_deref(), PAGE).await?;
        records += page.records;
        if page.records < PAGE {
            return Ok((records, page.cursor));
        }
        cursor = Some(page.cursor);
    }
}
