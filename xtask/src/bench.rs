//! `cargo xtask bench`: the benches of `benches/`, with the peer that they are measured against.

use std::process::ExitCode;

use crate::{npm, process};

pub(crate) const HELP: &str = "\
Usage: cargo xtask bench [--quick] [FILTER]

Runs the micro benches, the replicated types beside those of the crate crdts, then
the load generators: one against this server and the reference servers of
y-websocket and Hocuspocus, one for documents on disk against Hocuspocus and
automerge-repo, one for entities against this server and PouchDB, one with an
abuser beside people who type. npm installs the peers below benches/peers.
Only what has FILTER in its name runs. benches/README.md says what each measures.

    --quick    one short run of each instead of the median of several";

/// How long a micro bench runs with `--quick`, in seconds.
const MICRO_QUICK_SECONDS: &str = "0.2";

pub(crate) fn run(args: Vec<String>) -> Result<ExitCode, String> {
    let (flags, filters): (Vec<_>, Vec<_>) = args.into_iter().partition(|arg| arg.starts_with('-'));
    if let Some(unknown) = flags.iter().find(|flag| *flag != "--quick") {
        return Err(format!("`bench` does not know `{unknown}`"));
    }
    if let [_, surplus, ..] = filters.as_slice() {
        return Err(format!("`bench` takes one filter, not also `{surplus}`"));
    }
    let quick = !flags.is_empty();

    for peer in ["y-websocket", "hocuspocus", "pouchdb", "automerge-repo"] {
        npm::install(&format!("benches/peers/{peer}"))?;
    }
    let micro: &[&str] = if quick { &["--max-time", MICRO_QUICK_SECONDS] } else { &[] };
    bench("micro", micro, &filters)?;
    for name in ["crdt", "relay", "documents", "sync", "abuse"] {
        bench(name, if quick { &["--quick"] } else { &[] }, &filters)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn bench(name: &str, options: &[&str], filters: &[String]) -> Result<(), String> {
    let mut cargo = process::cargo(["bench", "--package", "syncline", "--bench", name, "--"]);
    process::run(cargo.args(options).args(filters))
}
