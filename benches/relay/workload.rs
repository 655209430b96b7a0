//! What the servers are asked to do, and what is measured of it.

mod echo;
mod fan_out;
mod idle;
mod join;
mod pump;

use std::io;
use std::time::Duration;

use tokio::time::timeout;

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

/// One measured value.
pub(crate) struct Sample {
    pub(crate) measure: Measure,
    pub(crate) value: f64,
}

/// What a value means; the table has one row for each measure of each workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
}

/// Which of two values is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Better {
    Higher,
    Lower,
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

/// Returns the middle of the values, which must not be empty: the mean of two if their number is even.
pub(crate) fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// Returns the value that `share` of the values, which must not be empty, do not exceed.
fn quantile(values: &[f64], share: f64) -> f64 {
    let rank = (values.len() as f64 * share).ceil() as usize;
    sorted(values)[rank.clamp(1, values.len()) - 1]
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
