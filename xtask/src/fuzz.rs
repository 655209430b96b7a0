//! `cargo xtask fuzz`: every target of `fuzz/` for a while.

use std::process::{Command, ExitCode};

use crate::process;

pub(crate) const HELP: &str = "\
Usage: cargo xtask fuzz [SECONDS]

Runs each target of fuzz/ for SECONDS, 60 if not given, and stops at the first
that finds a fault. The input that did it is left in fuzz/artifacts. It needs a
nightly toolchain and cargo-fuzz:

    rustup toolchain install nightly
    cargo install --locked cargo-fuzz";

/// How long a target runs unless told, in seconds.
const SECONDS_DEFAULT: u32 = 60;

pub(crate) fn run(args: Vec<String>) -> Result<ExitCode, String> {
    let seconds = match args.as_slice() {
        [] => SECONDS_DEFAULT,
        [seconds] => seconds.parse().map_err(|_| format!("`{seconds}` is not a number of seconds"))?,
        [_, surplus, ..] => return Err(format!("`fuzz` does not know `{surplus}`")),
    };
    if !process::succeeds("cargo", &["+nightly", "--version"]) {
        return Err("a nightly toolchain is missing: `rustup toolchain install nightly`".into());
    }
    if !process::succeeds("cargo", &["+nightly", "fuzz", "--version"]) {
        return Err("cargo-fuzz is missing: `cargo install --locked cargo-fuzz`".into());
    }
    for target in targets()? {
        process::run(&mut nightly_fuzz(&["run", &target, "--", &format!("-max_total_time={seconds}")]))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn targets() -> Result<Vec<String>, String> {
    let output =
        nightly_fuzz(&["list"]).output().map_err(|problem| format!("cannot list the targets: {problem}"))?;
    if !output.status.success() {
        return Err(format!("cannot list the targets: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

fn nightly_fuzz(args: &[&str]) -> Command {
    process::cargo(["+nightly", "fuzz"].iter().chain(args))
}
