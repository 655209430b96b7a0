//! Joining, leaving, loading and unloading all at once.

use syncline_core::id::RoomName;
use syncline_store::{records, verify::verify};

use crate::support::{
    client::Client,
    disk::{Disk, TENANT},
    start_with,
    updates::{letter, letters},
    within,
};

const ROOMS: u64 = 3;
const WRITERS: u64 = 8;
const ROUNDS: u64 = 12;

/// Goal: whatever was echoed is there, although rooms unload whenever nobody is in them. Method: with no memory at all
/// every leave unloads its room if it can, while others join; afterwards each document must have a log without gaps and
/// hold every letter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_echoed_update_is_lost_between_unload_and_load() {
    within(async {
        let disk = Disk::new();
        let server = start_with(&disk, |config| config.memory_bytes = 0).await;
        let addr = server.addr();
        let writers = (0..WRITERS).map(|writer| {
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    let update = letter(1 + writer * ROUNDS + round, 'x');
                    let room = format!("room-{}", (writer + round) % ROOMS);
                    let mut client = Client::connect(addr, &room).await;
                    client.update(&update).await;
                    client.hear_echo(&update).await;
                    client.leave().await;
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }

        let mut written = 0;
        for room in 0..ROOMS {
            let mut client = Client::connect(addr, &format!("room-{room}")).await;
            written += letters([&client.whole_document().await]).len() as u64;
            client.leave().await;
        }
        assert_eq!(written, WRITERS * ROUNDS);
        server.shutdown().await;

        let report = verify(&*disk.memory()).unwrap();
        assert_eq!((report.faults, report.documents), (vec![], ROOMS));
        let name = RoomName::new("room-0").unwrap();
        let document = records::name(&*disk.memory(), TENANT, &name).unwrap().expect("it was written to");
        assert!(records::load(&*disk.memory(), TENANT, document).is_ok());
    })
    .await;
}
