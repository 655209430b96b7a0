//! `cargo xtask probes`: random probes between two tenants, many more than a test run takes.

use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::process;

pub(crate) const HELP: &str = "\
Usage: cargo xtask probes [PROBES [SEED]]

Runs a server with two tenants that call everything by the same names, and asks
it at random as one or the other, PROBES times, 1000000 if not given. No answer
may hold a byte that the other has written. SEED begins where the time of the
run puts it; a failure names the seed and the probe.";

/// Probes, unless told.
const PROBES: &str = "1000000";

pub(crate) fn run(args: Vec<String>) -> Result<ExitCode, String> {
    if let Some(unknown) = args.iter().find(|arg| arg.parse::<u64>().is_err()).or(args.get(2)) {
        return Err(format!("`probes` does not know `{unknown}`"));
    }
    let probes = args.first().map_or(PROBES, String::as_str);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).to_string();
    let seed = args.get(1).unwrap_or(&now);
    let test =
        ["test", "--release", "--package", "syncline-server", "--lib", "random_probes_between_two_tenants"];
    let start = Instant::now();
    process::run(process::cargo(test).env("SYNCLINE_PROBES", probes).env("SYNCLINE_SEED", seed))?;
    println!("{probes} probes of seed {seed} in {:.0} s", start.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}
