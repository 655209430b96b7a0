//! Measures durable commits: writers that each wait for one log record of 100 bytes before they send the next.
//!
//! `cargo run --release -p syncline-store --example commit_rate -- FOLDER [WRITERS] [SECONDS]`

use std::{
    error::Error,
    path::Path,
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use syncline_core::{
    id::{CommitNumber, ConnectionId, DocumentId, TenantId},
    log::{Author, LogEntry, LogRecord},
    time::WallMs,
};
use syncline_store::{
    Batch,
    committer::{Committer, Handle},
    records,
    sled_store::SledStore,
};

const UPDATE_BYTES: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: commit_rate FOLDER [WRITERS] [SECONDS]")?;
    let writers: u8 = arguments.next().map_or(Ok(64), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(5), |text| text.parse())?;

    let store = SledStore::open(Path::new(&folder))?;
    let committer = Committer::start(Box::new(store), ())?;
    let begun = Instant::now();
    let end = begun + Duration::from_secs(seconds);
    let threads: Vec<_> = (0..writers)
        .map(|writer| {
            let handle = committer.handle();
            thread::spawn(move || write_until(&handle, DocumentId([writer; 16]), end))
        })
        .collect();
    let mut waits = Vec::new();
    for thread in threads {
        waits.extend(thread.join().map_err(|_| "a writer panicked")?);
    }
    let elapsed = begun.elapsed().as_secs_f64();
    let stats = committer.handle().stats();
    committer.close()?;

    waits.sort_unstable();
    let wait = |part: usize| waits.get(waits.len() * part / 1000).copied().unwrap_or_default();
    println!("{writers} writers: {:.0} durable operations/s", waits.len() as f64 / elapsed);
    println!("p50 {:?}, p99 {:?}, p99.9 {:?}", wait(500), wait(990), wait(999));
    println!("{:.0} commits/s, {:.1} operations each", stats.commits as f64 / elapsed, {
        stats.operations as f64 / stats.commits as f64
    });
    Ok(())
}

/// Writes one record after the other and returns how long each took to become durable.
fn write_until(handle: &Handle, document: DocumentId, end: Instant) -> Vec<Duration> {
    let mut waits = Vec::new();
    let (sender, receiver) = channel();
    for number in 1.. {
        let begun = Instant::now();
        if begun >= end {
            break;
        }
        let entry = LogEntry {
            author: Author::default(),
            connection: ConnectionId(1),
            at: WallMs(0),
            update: Bytes::from_static(&[7; UPDATE_BYTES]),
            origins: None,
        };
        let record = LogRecord { number: CommitNumber(number), entries: vec![entry] };
        let mut batch = Batch::new();
        records::put_log(&mut batch, TenantId(0), document, &record).expect("a short record fits");
        let sender = sender.clone();
        let submitted = handle.submit(batch, move |result| {
            let _ = sender.send(result);
        });
        submitted.expect("the queue has room for every writer");
        receiver.recv().expect("every batch is reported").expect("the disk takes it");
        waits.push(begun.elapsed());
    }
    waits
}
