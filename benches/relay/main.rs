//! A load generator for Yjs servers: ours and the reference server of each protocol, on the same work, in the same run.
//!
//! It measures and reports; it never fails because a number is low. Each run starts a fresh server as a process of its own, and the two
//! take turns, so that both meet what else the machine does. `benches/README.md` says what each workload is for.

mod client;
mod dialect;
mod frame;
mod machine;
mod server;
mod wire;
mod workload;

#[path = "../load/mod.rs"]
mod load;
#[path = "../paper.rs"]
mod paper;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::dialect::Dialect;
use crate::load::limit;
use crate::load::report::Report;
use crate::server::{Kind, Server};
use crate::workload::{Span, Workload};

/// Measures relays of the Yjs protocols side by side.
#[derive(Parser)]
struct Args {
    /// Runs only the workloads with this in their name.
    filter: Option<String>,
    /// Runs each workload once and for a shorter time.
    #[arg(long)]
    quick: bool,
    /// Runs only this server.
    #[arg(long)]
    server: Option<Kind>,
    /// Runs only this protocol.
    #[arg(long)]
    dialect: Option<Dialect>,
    /// Accepted since `cargo bench` passes it.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How many runs the medians are taken of.
const RUNS: u32 = 5;
/// How long writers type in a run.
const SPAN: Span = Span(Duration::from_secs(3));
const SPAN_QUICK: Span = Span(Duration::from_millis(500));

fn main() -> io::Result<ExitCode> {
    limit::raise()?;
    let args = Args::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    let report = runtime.block_on(measure(&args));
    println!("{report}");
    Ok(if report.has_failures() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn measure(args: &Args) -> Report {
    let (runs, span) = if args.quick { (1, SPAN_QUICK) } else { (RUNS, SPAN) };
    let mut report = Report::new(["protocol", "workload"], Kind::ALL.map(Kind::name));
    report.note(format!("medians of {runs} run(s)"));
    machine::lines().into_iter().for_each(|line| report.note(line));
    let filter = args.filter.as_deref().unwrap_or("");
    let mut workloads = Workload::ALL.to_vec();
    workloads.retain(|workload| workload.name().contains(filter));
    if workloads.is_empty() {
        eprintln!("no workload has `{filter}` in its name");
    }
    for dialect in Dialect::ALL.into_iter().filter(|&dialect| args.dialect.is_none_or(|only| only == dialect))
    {
        let kinds = kinds(args, dialect);
        for &workload in &workloads {
            for run in 1..=runs {
                for &kind in &kinds {
                    let name = workload.name();
                    eprintln!("{}: {name}, {}, run {run} of {runs}", dialect.name(), kind.name());
                    let samples = match Server::start(kind, dialect) {
                        Ok(server) => workload.run(&server, span).await,
                        Err(problem) => Err(problem),
                    };
                    report.add(&[dialect.name().into(), name], kind as usize, samples);
                }
            }
        }
    }
    report
}

/// Returns the servers that were asked for and are there.
fn kinds(args: &Args, dialect: Dialect) -> Vec<Kind> {
    let mut kinds = Kind::ALL.to_vec();
    kinds.retain(|&kind| args.server.is_none_or(|only| only == kind));
    kinds.retain(|&kind| {
        let missing = kind.missing(dialect);
        if let Some(remedy) = &missing {
            eprintln!("the {} of {} is left out: {remedy}", kind.name(), dialect.name());
        }
        missing.is_none()
    });
    kinds
}
