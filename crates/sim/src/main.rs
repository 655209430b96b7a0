//! Runs the simulator from the command line.

use std::{process::ExitCode, time::SystemTime};

use clap::Parser;
use syncline_sim::{Fault, Outcome, run, run_automerge, run_deleting};

/// Runs seeded worlds: one room, three clients, links that break, a store that crashes, and checkers.
#[derive(Debug, Parser)]
#[command(name = "syncline-sim", version)]
struct Arguments {
    /// Replays this seed, prints everything that happens and the hash of it last.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Runs this many new seeds.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    #[arg(long, help = fault_help())]
    fault: Option<Fault>,
    /// Runs the world of an Automerge document.
    #[arg(long)]
    automerge: bool,
    /// Runs the world of a document that is deleted now and then.
    #[arg(long, conflicts_with = "automerge")]
    deletions: bool,
}

fn fault_help() -> String {
    let names = |faults: &[Fault]| faults.iter().map(|fault| fault.name()).collect::<Vec<_>>().join(", ");
    format!(
        "Makes a mistake that the checkers must find: {}; with --automerge {}; with --deletions {}",
        names(&Fault::OF_YJS),
        names(&Fault::OF_AUTOMERGE),
        names(&Fault::OF_DELETION)
    )
}

/// Runs one seed.
type Run = fn(u64, Option<Fault>, bool) -> Outcome;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (run, flag): (Run, _) = match (arguments.automerge, arguments.deletions) {
        (true, _) => (run_automerge, " --automerge"),
        (_, true) => (run_deleting, " --deletions"),
        _ => (run, ""),
    };
    match arguments.seed {
        Some(seed) => replay(run, seed, arguments.fault),
        None => explore(run, arguments.seeds, arguments.fault, flag),
    }
}

fn replay(run: Run, seed: u64, fault: Option<Fault>) -> ExitCode {
    let outcome = run(seed, fault, true);
    println!("{}", outcome.summary);
    if let Some(violation) = &outcome.violation {
        println!("seed {seed}: {violation}");
    }
    println!("{:016x}", outcome.hash);
    if outcome.violation.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn explore(run: Run, seeds: u64, fault: Option<Fault>, flag: &str) -> ExitCode {
    let first = fresh_seed();
    println!("{seeds} seeds from {first}");
    for seed in (0..seeds).map(|n| first.wrapping_add(n)) {
        let outcome = run(seed, fault, false);
        if let Some(violation) = outcome.violation {
            println!("seed {seed}: {violation}");
            println!("replay it with: cargo run --release -p syncline-sim -- --seed {seed}{flag}");
            return ExitCode::FAILURE;
        }
        if (seed - first + 1).is_multiple_of(500) {
            println!("{} seeds hold ({} the last time)", seed - first + 1, outcome.summary);
        }
    }
    println!("all {seeds} seeds hold");
    ExitCode::SUCCESS
}

/// New seeds every time: the one place where the simulator looks at a clock.
fn fresh_seed() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |time| time.as_nanos() as u64)
}
