//! A writer that types as fast as its updates are confirmed.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::wire;

/// Types as `writer` until `end` with at most `window` characters on the way, then waits for the last of them.
///
/// Returns how long each took to be confirmed, in order.
///
/// A character that fits into the window is sent at once, several in one system call; each is an update and a frame of its own.
pub(super) async fn pump(
    client: &mut Client,
    writer: u64,
    window: u64,
    end: Instant,
) -> io::Result<Vec<Duration>> {
    let mut waits = Vec::new();
    let mut on_the_way: VecDeque<Instant> = VecDeque::new();
    let (mut sent, mut confirmed) = (0, 0);
    let mut frames = Vec::new();
    loop {
        frames.clear();
        let now = Instant::now();
        while sent - confirmed < window && now < end {
            client.write(&mut frames, &wire::insertion(writer, sent));
            on_the_way.push_back(now);
            sent += 1;
        }
        if sent == confirmed {
            return Ok(waits);
        }
        if !frames.is_empty() {
            client.send_frames(&frames).await?;
        }
        let clock = client.confirmed_beyond(writer, confirmed).await?;
        let now = Instant::now();
        waits.extend(on_the_way.drain(..(clock - confirmed) as usize).map(|sent_at| now - sent_at));
        confirmed = clock;
    }
}
