//! `cargo xtask deny`: what Syncline depends on, against `deny.toml`.

use std::process::ExitCode;

use crate::process;

pub(crate) const HELP: &str = "\
Usage: cargo xtask deny

Checks the licences, bans and sources of all dependencies against deny.toml. It
needs cargo-deny: `cargo install --locked cargo-deny`.";

pub(crate) fn run(args: Vec<String>) -> Result<ExitCode, String> {
    if let Some(arg) = args.first() {
        return Err(format!("`deny` does not know `{arg}`"));
    }
    if !process::succeeds("cargo", &["deny", "--version"]) {
        return Err(
            "cargo-deny is missing: `cargo install --locked cargo-deny` builds it in a few minutes".into()
        );
    }
    process::run(&mut process::cargo(["fetch", "--locked"]))?;
    process::run(&mut process::cargo(["deny", "--offline", "check", "licenses", "bans", "sources"]))?;
    Ok(ExitCode::SUCCESS)
}
