//! `cargo xtask test`: every check that a change must pass, with the time each took.

use std::env;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::{browser, laws, npm, process, samod, web};

pub(crate) const HELP: &str = "\
Usage: cargo xtask test [--quick]

Runs, in this order, until one fails: the installation of the npm packages of the
clients under test, and of Chromium where that is possible, the build of the page,
formatting, clippy, the house rules (tests/tidy.rs), all tests, the documentation
build, the laws of the replicated types on many histories, the core on `alloc`
alone, the simulator, and a story with clients of samod. Each step prints its command, which may be run alone.

    --quick    fewer kills of the server, fewer histories, fewer seeds of the
               simulator, and no test that waits for more than a minute

SYNCLINE_KILLS sets how often each kill test ends the server: 200 unless given.";

/// How often each kill test ends the server, unless the caller's environment or `--quick` says otherwise.
const KILLS: &str = "200";
/// How many random histories each replicated type has with `--quick`, and how many operations all its small ones.
const LAWS_QUICK: [&str; 2] = ["1000", "4"];
/// How many seeds the simulator runs, in full and with `--quick`.
const SEEDS: &str = "2000";
const SEEDS_QUICK: &str = "200";

/// A step of the whole: what the table calls it, and what it does.
struct Step {
    name: &'static str,
    run: Box<dyn Fn() -> Result<(), String>>,
}

/// What became of a step.
enum Outcome {
    Passed,
    Failed(String),
    NotRun,
}

struct Report {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

pub(crate) fn run(args: Vec<String>) -> Result<ExitCode, String> {
    if let Some(unknown) = args.iter().find(|arg| *arg != "--quick") {
        return Err(format!("`test` does not know `{unknown}`"));
    }
    let reports = run_until_failure(steps(!args.is_empty()));
    print_table(&reports);

    let failed = reports.iter().filter(|report| matches!(report.outcome, Outcome::Failed(_))).count();
    let passed = reports.iter().filter(|report| matches!(report.outcome, Outcome::Passed)).count();
    println!("{passed} passed, {failed} failed");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn steps(quick: bool) -> Vec<Step> {
    let seeds = if quick { SEEDS_QUICK } else { SEEDS };
    vec![
        step("npm packages", || {
            ["tests/clients", "tests/browser", "examples"].into_iter().try_for_each(npm::install)
        }),
        step("browser", browser::install),
        step("page", web::build),
        step("format", || process::run(&mut process::cargo(["fmt", "--all", "--check"]))),
        step("clippy", || {
            process::run(&mut process::cargo([
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ]))
        }),
        step("tidy", || {
            process::run(&mut process::cargo(["test", "--package", "syncline", "--test", "tidy"]))
        }),
        step("tests", move || process::run(&mut all_tests(quick))),
        step("documentation", || {
            let mut doc = process::cargo(["doc", "--workspace", "--no-deps"]);
            process::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
        }),
        step("laws", move || {
            laws::run(if quick { LAWS_QUICK.map(Into::into).into() } else { Vec::new() }).map(|_| ())
        }),
        step("core alone", core_alone),
        step("simulator", move || process::run(&mut simulator(&["--seeds", seeds]))),
        step("simulator of Automerge documents", move || {
            process::run(&mut simulator(&["--automerge", "--seeds", if quick { "50" } else { "500" }]))
        }),
        step("simulator of deletions", move || {
            process::run(&mut simulator(&["--deletions", "--seeds", if quick { "50" } else { "500" }]))
        }),
        step("same seed, same run", same_seed_same_run),
        step("samod", || samod::run(Vec::new()).map(|_| ())),
    ]
}

/// The core without `std`, with Yjs documents alone, and with what no other crate here asks for.
fn core_alone() -> Result<(), String> {
    let core = |command, more: &[&str]| {
        process::run(&mut process::cargo(
            [command, "--package", "syncline-core", "--no-default-features"].iter().chain(more),
        ))
    };
    core("check", &[])?;
    core("check", &["--features", "yjs"])?;
    core("test", &["--features", "serde,rules", "--lib", "--test", "entity"])
}

fn step(name: &'static str, run: impl Fn() -> Result<(), String> + 'static) -> Step {
    Step { name, run: Box::new(run) }
}

fn all_tests(quick: bool) -> Command {
    let mut tests = process::cargo(["test", "--workspace"]);
    if quick {
        tests.env("SYNCLINE_QUICK", "1");
    } else if env::var_os("SYNCLINE_KILLS").is_none() {
        tests.env("SYNCLINE_KILLS", KILLS);
    }
    tests
}

fn simulator(args: &[&str]) -> Command {
    process::cargo(["run", "--release", "--package", "syncline-sim", "--"].iter().chain(args))
}

/// The last line of a run of one seed is a hash of all that happened in it: two runs that differ cannot be replayed.
fn same_seed_same_run() -> Result<(), String> {
    let once = process::last_line(&mut simulator(&["--seed", "42"]))?;
    let again = process::last_line(&mut simulator(&["--seed", "42"]))?;
    println!("{once}\n{again}");
    if once == again { Ok(()) } else { Err("two runs of seed 42 differ".into()) }
}

fn run_until_failure(steps: Vec<Step>) -> Vec<Report> {
    let count = steps.len();
    let mut reports: Vec<Report> = Vec::with_capacity(count);
    for (index, Step { name, run }) in steps.into_iter().enumerate() {
        let has_failed =
            matches!(reports.last(), Some(Report { outcome: Outcome::Failed(_) | Outcome::NotRun, .. }));
        if has_failed {
            reports.push(Report { name, outcome: Outcome::NotRun, took: Duration::ZERO });
            continue;
        }
        println!("\n== {}/{count} {name}", index + 1);
        let start = Instant::now();
        let outcome = run().map_or_else(Outcome::Failed, |()| Outcome::Passed);
        reports.push(Report { name, outcome, took: start.elapsed() });
    }
    reports
}

fn print_table(reports: &[Report]) {
    println!("\n{:<20} {:>9}  outcome", "step", "time");
    for Report { name, outcome, took } in reports {
        let outcome = match outcome {
            Outcome::Passed => "passed",
            Outcome::Failed(reason) => &format!("FAILED: {reason}"),
            Outcome::NotRun => "not run",
        };
        println!("{name:<20} {:>7.1} s  {outcome}", took.as_secs_f64());
    }
    let total: Duration = reports.iter().map(|report| report.took).sum();
    println!("{:<20} {:>7.1} s", "total", total.as_secs_f64());
}
