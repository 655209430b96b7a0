//! Documents on disk: how long it takes to open one that nobody has open, and how many bytes one is there, beside the servers that people
//! use for each kind.
//!
//! It measures and reports; it never fails because a number is low. `benches/README.md` says what each workload is for.

mod automerge;
mod cold;
mod server;
mod size;
mod yjs;

#[path = "../relay/client.rs"]
mod client;
#[path = "../relay/dialect.rs"]
#[expect(dead_code, reason = "other benches use the rest")]
mod dialect;
#[path = "../relay/frame.rs"]
mod frame;
#[path = "../load/mod.rs"]
#[expect(dead_code, reason = "other benches use the rest")]
mod load;
#[path = "../paper.rs"]
mod paper;
#[path = "../relay/wire.rs"]
#[expect(dead_code, reason = "other benches use the rest")]
mod wire;

use std::io;
use std::process::ExitCode;

use clap::Parser;

use crate::load::machine;
use crate::load::process::data_dir;
use crate::load::report::Report;
use crate::load::samples::Sample;
use crate::server::{Family, Kind};

/// Measures servers of documents on disk side by side.
#[derive(Parser)]
struct Args {
    /// Runs only the workloads with this in their name.
    filter: Option<String>,
    /// Runs each workload once, on the beginning of the paper.
    #[arg(long)]
    quick: bool,
    /// Runs only this server.
    #[arg(long)]
    server: Option<Kind>,
    /// Accepted since `cargo bench` passes it.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// Runs that the medians are taken of.
    runs: u32,
    /// Keys of the paper.
    pub(crate) keys: usize,
}

/// As much of it is typed into an Automerge document: the peer takes minutes for the whole of it.
const AUTOMERGE_KEYS_TYPED: usize = 26_000;

const SPAN: Span = Span { runs: 3, keys: usize::MAX };
const SPAN_QUICK: Span = Span { runs: 1, keys: 2_000 };

impl Span {
    /// Returns how many keys are typed.
    pub(crate) fn typed(self, family: Family) -> usize {
        match family {
            Family::Yjs => self.keys,
            Family::Automerge => self.keys.min(AUTOMERGE_KEYS_TYPED),
        }
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
enum Workload {
    /// Someone opens a paper that nobody has open, on a server that has just started.
    ColdJoin,
    /// Someone types a paper.
    Typing,
    /// The same where no history is kept.
    TypingWithoutHistory,
}

impl Workload {
    const ALL: [Self; 3] = [Self::ColdJoin, Self::Typing, Self::TypingWithoutHistory];

    fn name(self) -> &'static str {
        match self {
            Self::ColdJoin => "cold join of a paper",
            Self::Typing => "typing a paper",
            Self::TypingWithoutHistory => "typing, without history",
        }
    }

    /// Runs it once, and weighs what is stored if it is to; nothing if that server does not do this.
    async fn run(
        self,
        kind: Kind,
        family: Family,
        span: Span,
        weighs: bool,
    ) -> io::Result<Option<Vec<Sample>>> {
        match self {
            Self::ColdJoin => cold::run(kind, family, span).await.map(Some),
            Self::Typing => size::run(kind, family, "all", span, weighs).await.map(Some),
            Self::TypingWithoutHistory if kind == Kind::Syncline => {
                size::run(kind, family, "none", span, weighs).await.map(Some)
            }
            Self::TypingWithoutHistory => Ok(None),
        }
    }
}

fn main() -> io::Result<ExitCode> {
    let args = Args::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    let report = runtime.block_on(measure(&args));
    println!("{report}");
    Ok(if report.has_failures() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn measure(args: &Args) -> Report {
    let span = if args.quick { SPAN_QUICK } else { SPAN };
    let mut report = Report::new(["documents", "workload"], Kind::ALL.map(Kind::name));
    report.note(format!("medians of {} run(s)", span.runs));
    report.note(format!("of an Automerge document the first {AUTOMERGE_KEYS_TYPED} keys are typed"));
    machine::lines(&data_dir(server::FOLDER)).into_iter().for_each(|line| report.note(line));
    Family::ALL.into_iter().for_each(|family| report.note(server::peer_line(family)));
    let filter = args.filter.as_deref().unwrap_or("");
    let mut workloads = Workload::ALL.to_vec();
    workloads.retain(|workload| workload.name().contains(filter));
    if workloads.is_empty() {
        eprintln!("no workload has `{filter}` in its name");
    }
    for family in Family::ALL {
        let kinds = kinds(args, family);
        for &workload in &workloads {
            for run in 1..=span.runs {
                for &kind in &kinds {
                    let (of, runs) = (family.name(), span.runs);
                    eprintln!("{of}: {}, {}, run {run} of {runs}", workload.name(), kind.name());
                    let samples = workload
                        .run(kind, family, span, run == span.runs)
                        .await
                        .map(Option::unwrap_or_default);
                    report.add(&[of.into(), workload.name().into()], kind as usize, samples);
                }
            }
        }
    }
    report
}

/// Returns the servers that were asked for and are there.
fn kinds(args: &Args, family: Family) -> Vec<Kind> {
    let mut kinds = Kind::ALL.to_vec();
    kinds.retain(|&kind| args.server.is_none_or(|only| only == kind));
    kinds.retain(|&kind| {
        let missing = kind.missing(family);
        if let Some(remedy) = &missing {
            eprintln!("the {} of {} is left out: {remedy}", kind.name(), family.name());
        }
        missing.is_none()
    });
    kinds
}
