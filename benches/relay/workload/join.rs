//! Opening a long document: from the first packet to the state of the room.

use std::io;
use std::sync::OnceLock;
use std::time::Instant;

use crate::client::Client;
use crate::load::samples::{Better, Measure, Sample, median, milliseconds};
use crate::server::Server;
use crate::wire;

const JOIN: Measure = Measure { name: "time to state", unit: "ms", better: Better::Lower };

const ROOM: &str = "paper";
/// How many clients join, one after the other.
const JOINS: u32 = 20;

pub(super) async fn run(server: &Server) -> io::Result<Vec<Sample>> {
    let mut author = Client::join(server, ROOM).await?;
    author.send(&wire::update_message(paper())).await?;
    while !matches!(author.message().await?, wire::Message::Update(_)) {}

    let mut times = Vec::new();
    for _ in 0..JOINS {
        let start = Instant::now();
        let joined = Client::join(server, ROOM).await?;
        times.push(milliseconds(start.elapsed()));
        drop(joined);
    }
    Ok(vec![Sample { measure: JOIN, value: median(&times) }])
}

/// Returns the finished paper; replaying it takes a while and is done once.
fn paper() -> &'static [u8] {
    static PAPER: OnceLock<Vec<u8>> = OnceLock::new();
    PAPER.get_or_init(|| crate::paper::replay(usize::MAX, |_| ()))
}
