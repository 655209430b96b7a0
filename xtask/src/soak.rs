//! `cargo xtask soak`: tests that every run cuts short, at length.

use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::process;

pub(crate) const HELP: &str = "\
Usage: cargo xtask soak WHAT [AMOUNT [SEED]]

Runs a test of which other runs see only the beginning.

  probes     A server with two tenants that call everything by the same names
             is asked at random as one or the other, 1000000 times if AMOUNT is
             not given. No answer may hold a byte that the other has written.
  mutations  Automerge messages are mutated, 16000000 if AMOUNT is not given,
             which takes about an hour. Whatever they hold the process lives,
             and what is taken in loads again.
  contents   Yjs documents are made of items of all kinds that stand anywhere,
             5000000 if AMOUNT is not given, in a quarter of an hour. Each
             is read, folded and edited without a panic and without end.
  traces     What real people typed is stored, folded, and read back at 100
             points, whole instead of its first 3000 keys.

SEED begins where the time of the run puts it; a failure names it.";

/// A test that takes as long as one likes.
struct Soak {
    name: &'static str,
    /// Where the test is, as cargo is told.
    test: &'static [&'static str],
    /// Says how much.
    variable: &'static str,
    /// How much, unless told.
    amount: &'static str,
}

const SOAKS: [Soak; 4] = [
    Soak {
        name: "probes",
        test: &["--package", "syncline-server", "--lib", "random_probes_between_two_tenants"],
        variable: "SYNCLINE_PROBES",
        amount: "1000000",
    },
    Soak {
        name: "mutations",
        test: &["--package", "syncline-core", "--test", "automerge_hostile", "mutated_messages_are_survived"],
        variable: "SYNCLINE_MUTATIONS",
        amount: "16000000",
    },
    Soak {
        name: "contents",
        test: &["--package", "syncline-core", "--test", "document_contents"],
        variable: "SYNCLINE_CONTENTS",
        amount: "5000000",
    },
    Soak {
        name: "traces",
        test: &["--package", "syncline-server", "--lib", "history::tests::traces"],
        variable: "SYNCLINE_TRACES",
        amount: "1",
    },
];

pub(crate) fn run(args: Vec<String>) -> Result<ExitCode, String> {
    let Some((what, numbers)) = args.split_first() else {
        return Err("`soak` needs to know which test; see `cargo xtask help soak`".to_owned());
    };
    let unknown = |unknown: &String| format!("`soak` does not know `{unknown}`");
    let soak = SOAKS.iter().find(|soak| soak.name == what).ok_or_else(|| unknown(what))?;
    if let Some(wrong) = numbers.iter().find(|arg| arg.parse::<u64>().is_err()).or(numbers.get(2)) {
        return Err(unknown(wrong));
    }
    let amount = numbers.first().map_or(soak.amount, String::as_str);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).to_string();
    let seed = numbers.get(1).unwrap_or(&now);
    let start = Instant::now();
    let test = ["test", "--release", "--all-features"].iter().chain(soak.test);
    process::run(process::cargo(test).env(soak.variable, amount).env("SYNCLINE_SEED", seed))?;
    println!("{what}: {amount} of seed {seed} in {:.0} s", start.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}
