//! What the servers are asked to do, and what is measured of it.

mod echo;
mod fan_out;
mod idle;
mod join;
mod pump;

use std::io;
use std::time::Duration;

use tokio::time::timeout;

use crate::load::samples::Sample;
use crate::server::Server;

/// One kind of load. A run of it has a server of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Workload {
    /// One writer, with `window` characters on the way to their confirmation, whom others read.
    FanOut { subscribers: u32, window: u64 },
    /// Writers in a room each, with `window` characters each on the way to their confirmation.
    Echo { writers: u32, window: u64 },
    /// Clients open a long document one after the other.
    Join,
    /// Clients that are connected to one room and do nothing.
    Idle { connections: u32 },
}

/// How long writers type in a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span(pub(crate) Duration);

/// A run that takes longer has hung.
const RUN_MAX: Duration = Duration::from_secs(120);

impl Workload {
    /// All of them, in the order of the report.
    pub(crate) const ALL: [Self; 10] = [
        Self::FanOut { subscribers: 1, window: 64 },
        Self::FanOut { subscribers: 10, window: 64 },
        Self::FanOut { subscribers: 100, window: 64 },
        Self::FanOut { subscribers: 1_000, window: 64 },
        Self::FanOut { subscribers: 100, window: 1 },
        Self::Echo { writers: 1, window: 1 },
        Self::Echo { writers: 64, window: 1 },
        Self::Echo { writers: 64, window: 64 },
        Self::Join,
        Self::Idle { connections: 1_000 },
    ];

    /// Returns the name of its rows.
    pub(crate) fn name(self) -> String {
        match self {
            Self::FanOut { subscribers, window: 1 } => format!("fan-out to {subscribers}, waiting"),
            Self::FanOut { subscribers, .. } => format!("fan-out to {subscribers}"),
            Self::Echo { writers, window: 1 } => format!("echo, {writers} waiting"),
            Self::Echo { writers, window } => format!("echo, {writers} with {window} ahead"),
            Self::Join => "join a paper".into(),
            Self::Idle { connections } => format!("{connections} idle"),
        }
    }

    /// Runs it once and returns what was measured.
    ///
    /// # Errors
    ///
    /// Whatever a client met; [`io::ErrorKind::TimedOut`] after two minutes.
    pub(crate) async fn run(self, server: &Server, span: Span) -> io::Result<Vec<Sample>> {
        let run = async {
            match self {
                Self::FanOut { subscribers, window } => fan_out::run(server, subscribers, window, span).await,
                Self::Echo { writers, window } => echo::run(server, writers, window, span).await,
                Self::Join => join::run(server).await,
                Self::Idle { connections } => idle::run(server, connections).await,
            }
        };
        timeout(RUN_MAX, run).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}
