//! A load generator for entities over `/sync/v1`: ours and a server of CouchDB's protocol, on the same work, in the same run.
//!
//! It measures and reports; it never fails because a number is low. A run fills a fresh server with records and measures everything
//! on them; the servers take turns, so that both meet what else the machine does. `benches/README.md` says what each row is for.

mod device;
mod http;
mod protocol;
mod server;
mod trial;

#[path = "../load/mod.rs"]
mod load;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::load::process::data_dir;
use crate::load::report::Report;
use crate::load::{limit, machine};
use crate::server::Kind;
use crate::trial::{Part, Trial};

/// Measures the sync of entities, among few records and many.
#[derive(Parser)]
struct Args {
    /// Runs only what has this in its name.
    filter: Option<String>,
    /// Runs once, for a shorter time, and among few records only.
    #[arg(long)]
    quick: bool,
    /// Runs among 1,000,000 records, too.
    #[arg(long, conflicts_with = "quick")]
    large: bool,
    /// Runs only this server.
    #[arg(long)]
    server: Option<Kind>,
    /// Accepted since `cargo bench` passes it.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The name of the device that fills a server.
const FIRST_DEVICE: &str = "first";

/// How many runs the medians are taken of.
const RUNS: u32 = 3;
/// How many records there are.
const SIZES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// How long devices push in a run.
const SPAN: Duration = Duration::from_secs(2);
const SPAN_QUICK: Duration = Duration::from_millis(300);

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
    let mut report = Report::new(["records", "work"], Kind::ALL.map(Kind::name));
    report.note(format!("medians of {runs} run(s)"));
    machine::lines(&data_dir(server::FOLDER)).into_iter().for_each(|line| report.note(line));
    let version = machine::package_version(&server::peer(), "pouchdb");
    let node = machine::said("node", &["--version"]);
    report.note(format!("pouchdb {version} on LevelDB and node {node}; what it answers may not be on disk"));

    let filter = args.filter.as_deref().unwrap_or("");
    let parts: Vec<Part> = Part::all().filter(|part| part.name().contains(filter)).collect();
    if parts.is_empty() {
        eprintln!("nothing has `{filter}` in its name");
        return report;
    }
    let sizes = if args.large { &SIZES[..] } else { &SIZES[..if args.quick { 2 } else { 3 }] };
    for &records in sizes {
        for run in 1..=runs {
            for kind in kinds(args) {
                eprintln!("{records} records, {}, run {run} of {runs}", kind.name());
                let trial = Trial { records, span, parts: &parts };
                trial.run(kind, &mut report).await;
            }
        }
    }
    report
}

/// Returns the servers that were asked for and are there.
fn kinds(args: &Args) -> impl Iterator<Item = Kind> {
    let asked = Kind::ALL.into_iter().filter(|&kind| args.server.is_none_or(|only| only == kind));
    asked.filter(|kind| {
        if !kind.is_there() {
            eprintln!(
                "{} is left out: `npm ci --prefix benches/peers/pouchdb --ignore-scripts` installs it",
                kind.name()
            );
        }
        kind.is_there()
    })
}
