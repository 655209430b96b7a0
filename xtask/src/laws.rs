//! `cargo xtask laws`: the laws of the replicated types on many more histories than a test run takes.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, ExitCode};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::process;

pub(crate) const HELP: &str = "\
Usage: cargo xtask laws [HISTORIES [OPERATIONS]]

Checks every replicated type on HISTORIES random histories, 20000 if not given,
after those of the stored seeds, and on all histories of OPERATIONS operations,
5 if not given, of 2 and of 3 replicas. Prints how many random histories an hour
that makes. Seeds begin where the time of the run puts them; one that breaks a
law is added to crates/core/tests/laws/seeds.txt, which all later test runs
begin with.";

/// Random histories of each type, unless told.
const HISTORIES: &str = "20000";
/// Operations of the exhaustive histories.
const OPERATIONS: &str = "5";
/// Where failing seeds are kept, from the root.
const SEEDS: &str = "crates/core/tests/laws/seeds.txt";
/// Seeds that one run may use: a second of time apart.
const SEEDS_A_SECOND: u64 = 1 << 24;

pub(crate) fn run(args: Vec<String>) -> Result<ExitCode, String> {
    if let Some(unknown) = args.iter().find(|arg| arg.parse::<u64>().is_err()).or(args.get(2)) {
        return Err(format!("`laws` does not know `{unknown}`"));
    }
    let histories = args.first().map_or(HISTORIES, String::as_str);
    let operations = args.get(1).map_or(OPERATIONS, String::as_str);
    process::run(&mut tests(&["--no-run"]))?;

    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let first_seed = seconds.wrapping_mul(SEEDS_A_SECOND).to_string();
    let mut random = tests(&["--", "--nocapture", "random_histories"]);
    random.env("SYNCLINE_LAWS_HISTORIES", histories).env("SYNCLINE_LAWS_SEED", first_seed);
    let start = Instant::now();
    let count = counted(&mut random, "random histories")?;
    let took = start.elapsed();

    let mut exhaustive = tests(&["--", "--nocapture", "all_small_histories"]);
    let all = counted(exhaustive.env("SYNCLINE_LAWS_OPERATIONS", operations), "histories of Scope")?;

    let hourly = count as f64 / took.as_secs_f64() * 3600.0 / 1e6;
    println!("{all} exhaustive histories");
    println!("{count} random histories in {:.1} s: {hourly:.1} million an hour", took.as_secs_f64());
    Ok(ExitCode::SUCCESS)
}

fn tests(args: &[&str]) -> Command {
    let base =
        ["test", "--release", "--package", "syncline-core", "--no-default-features", "--test", "crdt_laws"];
    process::cargo(base.iter().chain(args))
}

/// Runs tests and returns the sum of the numbers before `what` in what they print.
///
/// # Errors
///
/// Says that a law does not hold, after the seed that shows it has been stored.
fn counted(command: &mut Command, what: &str) -> Result<u64, String> {
    let output = command.output().map_err(|problem| format!("cannot start the tests: {problem}"))?;
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let lines = text.lines().filter(|line| line.contains(what) || line.contains("does not hold"));
    lines.clone().for_each(|line| println!("{line}"));
    if !output.status.success() {
        let seeds: BTreeSet<&str> = text.lines().filter_map(failing_seed).collect();
        store(&seeds)?;
        return Err(format!("a law does not hold; new seeds in {SEEDS}: {seeds:?}\n{text}"));
    }
    Ok(lines.filter_map(|line| number_before(line, what)).sum())
}

fn number_before(line: &str, what: &str) -> Option<u64> {
    line.split(what).next()?.trim_end().rsplit(' ').next()?.parse().ok()
}

/// Returns the seed that a test names in the message of its panic.
fn failing_seed(line: &str) -> Option<&str> {
    let seed = line.split(" of seed ").nth(1)?.split(';').next()?;
    seed.parse::<u64>().is_ok().then_some(seed)
}

fn store(seeds: &BTreeSet<&str>) -> Result<(), String> {
    let path = process::root().join(SEEDS);
    let problem = |problem| format!("{}: {problem}", path.display());
    let mut text = fs::read_to_string(&path).map_err(problem)?;
    let known: BTreeSet<String> = text.lines().map(str::to_owned).collect();
    for seed in seeds.iter().filter(|seed| !known.contains(**seed)) {
        text.push_str(seed);
        text.push('\n');
    }
    fs::write(&path, text).map_err(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_what_tests_print() {
        assert_eq!(number_before("sets::OrSets: 20000 random histories", "random histories"), Some(20_000));
        assert_eq!(number_before("test rga ... ok", "random histories"), None);
        let panic = "`a + a = a` does not hold for OrSets after 3 steps of seed 92; add the seed to …";
        assert_eq!(failing_seed(panic), Some("92"));
        assert_eq!(failing_seed("`a + a = a` does not hold for OrSets in Scope"), None);
    }
}
