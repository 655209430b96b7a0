//! Memory of connections that do nothing.

use std::io;

use crate::client::Client;
use crate::load::samples::{Better, Measure, Sample};
use crate::server::Server;

const MEMORY: Measure = Measure { name: "memory a connection", unit: "KiB", better: Better::Lower };

const ROOM: &str = "idle";

/// Measures nothing where the system does not tell the memory of a process.
pub(super) async fn run(server: &Server, connections: u32) -> io::Result<Vec<Sample>> {
    // The first connection pays for the room and for what the process sets up once.
    let mut clients = vec![Client::join(server, ROOM).await?];
    let before = server.resident_bytes();
    for _ in 0..connections {
        clients.push(Client::join(server, ROOM).await?);
    }
    let (Some(before), Some(after)) = (before, server.resident_bytes()) else { return Ok(Vec::new()) };
    let kib = (after as f64 - before as f64) / 1024.0;
    Ok(vec![Sample { measure: MEMORY, value: kib / f64::from(connections) }])
}
