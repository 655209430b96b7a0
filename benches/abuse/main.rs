//! One abuser beside people who type: how much longer do they wait?
//!
//! It measures and reports; it never fails because a number is low. Each run starts a fresh server, on one core where the system has
//! `taskset`, with the rates and quotas that are usual. `benches/README.md` says what each run is for.

mod abuser;
mod people;
mod server;

#[path = "../relay/client.rs"]
mod client;
#[path = "../relay/dialect.rs"]
mod dialect;
#[path = "../relay/frame.rs"]
mod frame;
#[path = "../load/limit.rs"]
mod limit;
#[path = "../load/machine.rs"]
#[expect(dead_code, reason = "there is no peer here, whose version would be told")]
mod machine;
#[path = "../load/samples.rs"]
#[expect(dead_code, reason = "there is no column of a peer, which medians and measures are for")]
mod samples;
#[path = "../relay/wire.rs"]
mod wire;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::abuser::Abuse;
use crate::dialect::Dialect;
use crate::samples::{milliseconds, quantile};
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
    /// Accepted since `cargo bench` passes it.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How many people there are, and for how long they type.
#[derive(Clone, Copy)]
struct Scale {
    people: u64,
    span: Duration,
    /// What an abuser does is divided by this.
    fraction: u32,
}

const SCALE: Scale = Scale { people: 50, span: Duration::from_secs(20), fraction: 1 };
const SCALE_QUICK: Scale = Scale { people: 10, span: Duration::from_secs(2), fraction: 10 };

/// How much longer one in a hundred edits may take than without the abuser.
const RATIO_MAX: f64 = 1.5;

/// What was measured of one run.
struct Measured {
    waits: Vec<f64>,
    resident_bytes: Option<u64>,
}

fn main() -> io::Result<ExitCode> {
    limit::raise()?;
    let args = Args::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(measure(&args))?;
    Ok(ExitCode::SUCCESS)
}

async fn measure(args: &Args) -> io::Result<()> {
    let scale = if args.quick { SCALE_QUICK } else { SCALE };
    let filter = args.filter.as_deref().unwrap_or("");
    let mut abuses = Abuse::ALL.to_vec();
    abuses.retain(|abuse| abuse.name().contains(filter));
    if abuses.is_empty() {
        eprintln!("no abuse has `{filter}` in its name");
        return Ok(());
    }
    println!(
        "| protocol | beside | edit to seen, p50 | p99 | times alone (goal: {RATIO_MAX}) | resident, bound |"
    );
    println!("| --- | --- | --: | --: | --: | --: |");
    for dialect in Dialect::ALL.into_iter().filter(|&dialect| args.dialect.is_none_or(|only| only == dialect))
    {
        let alone = row(dialect, None, scale, None).await?;
        for &abuse in &abuses {
            row(dialect, Some(abuse), scale, Some(alone)).await?;
        }
    }
    let Scale { people, span, fraction } = scale;
    println!("\n{people} people, {} s each run, of each abuse one part in {fraction}", span.as_secs_f64());
    println!(
        "server: {}",
        if Server::is_pinned() { "on one core, by taskset" } else { "on all cores: there is no taskset" }
    );
    machine::lines(&server::data_dir()).iter().for_each(|line| println!("{line}"));
    Ok(())
}

/// Measures one run, prints it, and returns its p99.
async fn row(dialect: Dialect, abuse: Option<Abuse>, scale: Scale, alone: Option<f64>) -> io::Result<f64> {
    let Measured { waits, resident_bytes } = run(dialect, abuse, scale).await?;
    let [p50, p99] = [0.5, 0.99].map(|share| quantile(&waits, share));
    let beside = abuse.map_or("nobody", Abuse::name);
    let ratio = alone.map_or(String::new(), |alone| format!("{:.2}", p99 / alone));
    let mib = |bytes: u64| bytes >> 20;
    let resident = resident_bytes.map_or("unknown".into(), |bytes| format!("{} MiB", mib(bytes)));
    let bound = mib(server::RESIDENT_BYTES_MAX);
    println!(
        "| {} | {beside} | {p50:.2} ms | {p99:.2} ms | {ratio} | {resident}, {bound} MiB |",
        dialect.name()
    );
    Ok(p99)
}

async fn run(dialect: Dialect, abuse: Option<Abuse>, scale: Scale) -> io::Result<Measured> {
    let server = Server::start(dialect)?;
    let people = people::Pairs::join(&server, scale.people).await?;
    let abuser = match abuse {
        Some(abuse) => Some(abuse.begin(&server, scale.fraction).await?),
        None => None,
    };
    let waits = people.type_for(scale.span).await?;
    let resident_bytes = server.resident_bytes();
    drop(abuser);
    Ok(Measured { waits: waits.into_iter().map(milliseconds).collect(), resident_bytes })
}
