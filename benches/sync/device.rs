//! A device that syncs.

use std::io;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::http::{Http, Request};
use crate::protocol::{self, Change, Page, Protocol, Seen};
use crate::server::Server;

/// A device with a connection of its own.
pub(crate) struct Device {
    name: String,
    http: Http,
    protocol: &'static dyn Protocol,
    /// How many changes it has written.
    written: u64,
}

impl Device {
    /// Connects a device that has written nothing so far.
    ///
    /// # Errors
    ///
    /// As [`Http::ask`].
    pub(crate) async fn join(server: &Server, name: &str) -> io::Result<Self> {
        let protocol = protocol::of(server.kind());
        let mut http = Http::connect(server.address()).await?;
        if let Some(request) = protocol.join(name) {
            http.ask(&request).await?;
        }
        Ok(Self { name: name.into(), http, protocol, written: 0 })
    }

    /// Creates records in one request. Returns how long the answer took, and the version of the last record.
    ///
    /// # Errors
    ///
    /// As [`Http::ask`], and [`io::ErrorKind::InvalidData`] if one was refused.
    pub(crate) async fn create(&mut self, ids: Range<u64>) -> io::Result<(Duration, Seen)> {
        self.push(&ids.map(|id| Change { id, seen: None }).collect::<Vec<_>>()).await
    }

    /// Changes a record of which the device has seen a version, and returns the next version.
    ///
    /// # Errors
    ///
    /// As [`create`](Self::create).
    pub(crate) async fn update(&mut self, id: u64, seen: Seen) -> io::Result<Seen> {
        Ok(self.push(&[Change { id, seen: Some(seen) }]).await?.1)
    }

    /// Asks for the changes behind a cursor. Returns how long the answer took.
    ///
    /// # Errors
    ///
    /// As [`Http::ask`].
    pub(crate) async fn pull(
        &mut self,
        cursor: Option<&str>,
        count_max: usize,
    ) -> io::Result<(Duration, Page)> {
        let request = self.protocol.pull(&self.name, cursor, count_max);
        let (wait, answer) = self.timed(&request).await?;
        Ok((wait, self.protocol.pulled(&answer)?))
    }

    async fn push(&mut self, changes: &[Change]) -> io::Result<(Duration, Seen)> {
        let request = self.protocol.push(&self.name, self.written + 1, changes);
        self.written += changes.len() as u64;
        let (wait, answer) = self.timed(&request).await?;
        let mut seen = self.protocol.pushed(&answer)?;
        match (seen.len() == changes.len(), seen.pop()) {
            (true, Some(last)) => Ok((wait, last)),
            _ => Err(crate::http::odd("a push has not one result for each change")),
        }
    }

    async fn timed(&mut self, request: &Request) -> io::Result<(Duration, Vec<u8>)> {
        let start = Instant::now();
        let answer = self.http.ask(request).await?;
        Ok((start.elapsed(), answer))
    }
}
