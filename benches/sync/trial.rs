//! A run: a server is filled with records, and what is measured is measured on them.

mod fill;
mod live;
mod pull;
mod push;
mod start;

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::time::timeout;

use crate::device::Device;
use crate::load::report::Report;
use crate::load::samples::Sample;
use crate::protocol::Seen;
use crate::server::{Kind, Server};

/// What is measured on a filled server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// The filling itself, and what the records take up in memory.
    Fill,
    /// A device that has nothing reads everything.
    FirstPull,
    /// A device that has everything but one change asks for it.
    OneChange,
    /// Devices that follow what changes are told of a change.
    Live { subscribers: u32 },
    /// The server is killed and starts again.
    Start,
    /// Devices create records.
    Push { devices: u32, batch: u64 },
}

/// A run of some parts.
pub(crate) struct Trial<'a> {
    pub(crate) records: u64,
    /// How long devices push.
    pub(crate) span: Duration,
    pub(crate) parts: &'a [Part],
}

/// A server that holds records.
struct Filled {
    server: Server,
    /// The device that wrote them; its connection does not outlive a crash.
    first: Device,
    /// The version of the last record.
    seen: Seen,
    /// The id of the next record.
    next: Arc<AtomicU64>,
    /// How many records there are.
    records: u64,
}

/// A part that takes longer has hung.
const PART_MAX: Duration = Duration::from_secs(1_800);

impl Part {
    /// Returns all of them, in the order of the report. What writes much comes last.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let devices = [1, 16].into_iter();
        let pushes = devices.flat_map(|devices| [1, 100, 1_000].map(|batch| Self::Push { devices, batch }));
        [Self::Fill, Self::FirstPull, Self::OneChange, Self::Live { subscribers: 1_000 }, Self::Start]
            .into_iter()
            .chain(pushes)
    }

    /// Returns the name of its rows.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Fill => "fill".into(),
            Self::FirstPull => "first pull".into(),
            Self::OneChange => "pull of one change".into(),
            Self::Live { subscribers } => format!("{subscribers} live subscribers"),
            Self::Start => "start after a crash".into(),
            Self::Push { devices: 1, batch } => format!("push {batch}, 1 device"),
            Self::Push { devices, batch } => format!("push {batch}, {devices} devices"),
        }
    }

    async fn measure(self, filled: &mut Filled, span: Duration) -> io::Result<Vec<Sample>> {
        match self {
            Self::Fill => Ok(Vec::new()),
            Self::FirstPull => pull::first(filled).await,
            Self::OneChange => pull::one_change(filled).await,
            // The peer has no stream that tells of each change with its record.
            Self::Live { .. } if filled.server.kind() == Kind::Pouchdb => Ok(Vec::new()),
            Self::Live { subscribers } => live::run(filled, subscribers).await,
            Self::Start => start::run(filled).await,
            Self::Push { devices, batch } => push::run(filled, devices, batch, span).await,
        }
    }
}

impl Trial<'_> {
    /// Runs the parts and adds what they give.
    pub(crate) async fn run(&self, kind: Kind, report: &mut Report) {
        let work = |part: Part| [self.records.to_string(), part.name()];
        let filled = timeout(PART_MAX, fill::run(kind, self.records)).await;
        let mut filled = match filled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok((filled, samples)) => {
                report.add(&work(Part::Fill), kind as usize, Ok(samples));
                filled
            }
            Err(problem) => return report.add(&work(Part::Fill), kind as usize, Err(problem)),
        };
        for &part in self.parts {
            let samples = timeout(PART_MAX, part.measure(&mut filled, self.span)).await;
            let samples = samples.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
            report.add(&work(part), kind as usize, samples);
        }
    }
}

impl Filled {
    /// Changes the record that was written last.
    async fn change(&mut self) -> io::Result<()> {
        let seen = std::mem::take(&mut self.seen);
        self.seen = self.first.update(self.records - 1, seen).await?;
        Ok(())
    }
}
