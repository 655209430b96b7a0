//! `cargo xtask samod`: the server beside samod, which is automerge-repo written in Rust.

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::{npm, process};

pub(crate) const HELP: &str = "\
Usage: cargo xtask samod

Builds the server, and a client of samod in a workspace of its own
(tests/samod, with a lock file of its own), and has clients of samod and of
automerge-repo create, find and write documents together, offline and while the
server is killed. SYNCLINE_SEED replays a run.";

pub(crate) fn run(args: Vec<String>) -> Result<ExitCode, String> {
    if let Some(surplus) = args.first() {
        return Err(format!("`samod` does not know `{surplus}`"));
    }
    npm::install("tests/clients")?;
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| process::root().join("target"), PathBuf::from);
    process::run(&mut process::cargo(["build", "--package", "syncline"]))?;
    let peers = target.join("samod");
    let mut build = process::cargo(["build", "--locked", "--manifest-path", "tests/samod/Cargo.toml"]);
    process::run(build.env("CARGO_TARGET_DIR", &peers))?;
    let mut story = process::program("node", ["tests/clients/samod/together.mjs"]);
    story.env("SYNCLINE_BIN", target.join("debug/syncline"));
    story.env("SYNCLINE_SAMOD", peers.join("debug/syncline-samod-peer"));
    process::run(&mut story)?;
    Ok(ExitCode::SUCCESS)
}
