//! One abuser beside people who type: how much longer do they wait?
//!
//! It measures and reports; it never fails because a number is low. Each run starts a fresh server, on a core of its own where the system has
//! `taskset`, with the rates and quotas that are usual. `benches/README.md` says what each run is for.

mod abuser;
mod cores;
mod people;
mod server;

#[path = "../relay/client.rs"]
mod client;
#[path = "../relay/dialect.rs"]
mod dialect;
#[path = "../relay/frame.rs"]
mod frame;
#[path = "../load/mod.rs"]
#[expect(dead_code, reason = "there is no peer here, and no report with columns")]
mod load;
#[path = "../relay/wire.rs"]
mod wire;

use std::io;
use std::iter;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::abuser::Abuse;
use crate::cores::Cores;
use crate::dialect::Dialect;
use crate::load::process::data_dir;
use crate::load::samples::{median, milliseconds, quantile};
use crate::load::{limit, machine};
use crate::server::Server;

/// Measures how long people wait beside an abuser.
#[derive(Parser)]
struct Args {
    /// Runs only the abuse with this in its name.
    filter: Option<String>,
    /// Runs each for a shorter time, with fewer of everyone.
    #[arg(long)]
    quick: bool,
    /// Runs only this protocol.
    #[arg(long)]
    dialect: Option<Dialect>,
    /// How long people type in a run, in seconds (20 unless quick).
    #[arg(long)]
    seconds: Option<u64>,
    /// How often each is run (3 unless quick).
    #[arg(long)]
    rounds: Option<NonZeroUsize>,
    /// Puts the data into a folder of its own below this one; where that is memory, what a disk does is left out.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Accepted since `cargo bench` passes it.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How many people there are, for how long they type, and how often that is done.
#[derive(Clone, Copy)]
struct Scale {
    people: u64,
    span: Duration,
    rounds: usize,
    /// What an abuser does is divided by this.
    fraction: u32,
}

const SCALE: Scale = Scale { people: 50, span: Duration::from_secs(20), rounds: 3, fraction: 1 };
const SCALE_QUICK: Scale = Scale { people: 10, span: Duration::from_secs(2), rounds: 1, fraction: 10 };

/// How much longer one in a hundred edits may take than without the abuser.
const RATIO_MAX: f64 = 1.5;

/// Where servers run, and have their data.
struct Place {
    data: PathBuf,
    cores: Cores,
}

impl Args {
    fn scale(&self) -> Scale {
        let usual = if self.quick { SCALE_QUICK } else { SCALE };
        Scale {
            span: self.seconds.map_or(usual.span, Duration::from_secs),
            rounds: self.rounds.map_or(usual.rounds, NonZeroUsize::get),
            ..usual
        }
    }
}

/// What was measured of one run. Times are in milliseconds.
struct Measured {
    p50: f64,
    p99: f64,
    /// The share of its core that the server was at work.
    busy: Option<f64>,
    resident_bytes: Option<u64>,
}

fn main() -> io::Result<ExitCode> {
    limit::raise()?;
    let args = Args::parse();
    let data = args
        .data_dir
        .clone()
        .map_or_else(|| data_dir(server::FOLDER), |dir| dir.join("syncline-bench").join(server::FOLDER));
    let machine = machine::lines(&data);
    let cores = Cores::divide();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(measure(&args, &Place { data, cores }))?;
    machine.iter().for_each(|line| println!("{line}"));
    Ok(ExitCode::SUCCESS)
}

async fn measure(args: &Args, place: &Place) -> io::Result<()> {
    let scale = args.scale();
    let filter = args.filter.as_deref().unwrap_or("");
    let mut abuses = Abuse::ALL.to_vec();
    abuses.retain(|abuse| abuse.name().contains(filter));
    if abuses.is_empty() {
        eprintln!("no abuse has `{filter}` in its name");
        return Ok(());
    }
    println!(
        "| protocol | beside | edit to seen, p50 | p99 | times alone (goal: {RATIO_MAX}) | core in use | resident, bound |"
    );
    println!("| --- | --- | --: | --: | --: | --: | --: |");
    let kinds: Vec<_> = iter::once(None).chain(abuses.into_iter().map(Some)).collect();
    for dialect in Dialect::ALL.into_iter().filter(|&dialect| args.dialect.is_none_or(|only| only == dialect))
    {
        // In turns, so that what the machine does meanwhile meets all of them.
        let mut runs: Vec<Vec<Measured>> = kinds.iter().map(|_| Vec::new()).collect();
        for round in 1..=scale.rounds {
            for (runs, &abuse) in runs.iter_mut().zip(&kinds) {
                eprintln!("{}, round {round}, beside {}", dialect.name(), name(abuse));
                runs.push(run(dialect, abuse, scale, place).await?);
            }
        }
        for (beside, &abuse) in runs.iter().zip(&kinds) {
            print_row(dialect, abuse, beside, &runs[0]);
        }
    }
    let Scale { people, span, rounds, fraction } = scale;
    println!(
        "\n{people} people, {} s each run, medians of {rounds}, of each abuse one part in {fraction}",
        span.as_secs_f64()
    );
    println!("{}", place.cores.line());
    Ok(())
}

fn name(abuse: Option<Abuse>) -> &'static str {
    abuse.map_or("nobody", Abuse::name)
}

fn median_of(runs: &[Measured], value: impl Fn(&Measured) -> f64) -> f64 {
    median(&runs.iter().map(value).collect::<Vec<_>>())
}

fn print_row(dialect: Dialect, abuse: Option<Abuse>, runs: &[Measured], alone: &[Measured]) {
    let (p50, p99) = (median_of(runs, |run| run.p50), median_of(runs, |run| run.p99));
    let ratio = abuse.map_or(String::new(), |_| {
        // Of the runs of one round, so that a slow disk slows both.
        let ratios: Vec<f64> = runs.iter().zip(alone).map(|(run, alone)| run.p99 / alone.p99).collect();
        let [least, most] = [0.0, 1.0].map(|share| quantile(&ratios, share));
        format!("{:.2} ({least:.2} to {most:.2})", median(&ratios))
    });
    let busy: Option<Vec<f64>> = runs.iter().map(|run| run.busy).collect();
    let busy = busy.map_or("unknown".into(), |busy| format!("{:.0} %", 100.0 * median(&busy)));
    let mib = |bytes: u64| bytes >> 20;
    let most = runs.iter().filter_map(|run| run.resident_bytes).max();
    let resident = most.map_or("unknown".into(), |bytes| format!("{} MiB", mib(bytes)));
    let bound = mib(server::RESIDENT_BYTES_MAX);
    println!(
        "| {} | {} | {p50:.2} ms | {p99:.2} ms | {ratio} | {busy} | {resident}, {bound} MiB |",
        dialect.name(),
        name(abuse)
    );
}

async fn run(dialect: Dialect, abuse: Option<Abuse>, scale: Scale, place: &Place) -> io::Result<Measured> {
    let server = Server::start(dialect, place)?;
    let people = people::Pairs::join(&server, scale.people).await?;
    let abuser = match abuse {
        Some(abuse) => Some(abuse.begin(&server, scale.fraction).await?),
        None => None,
    };
    let (before, began) = (server.seconds_at_work(), Instant::now());
    let waits = people.type_for(scale.span).await?;
    let used = server.seconds_at_work().zip(before).map(|(after, before)| after - before);
    let busy = used.map(|used| used / began.elapsed().as_secs_f64());
    let resident_bytes = server.resident_bytes();
    drop(abuser);
    let waits: Vec<_> = waits.into_iter().map(milliseconds).collect();
    let [p50, p99] = [0.5, 0.99].map(|share| quantile(&waits, share));
    Ok(Measured { p50, p99, busy, resident_bytes })
}
