//! `cargo xtask serve`: from a clone to a running server in one command.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::{process, web};

pub(crate) const HELP: &str = "\
Usage: cargo xtask serve [ARGS]

Builds the page in web/ if there is Node, and the server with optimisations, and
runs `syncline serve`. ARGS are passed on to it; `cargo xtask serve -- --help`
lists them. Unless ARGS, a SYNCLINE_* variable or a configuration file say
otherwise, it listens on 127.0.0.1:8080 and keeps its data in the folder
syncline-data of this repository.

Ctrl-C stops the server; its exit code is passed on.";

/// A setting that has a value here if the user gave none.
struct Fallback {
    flag: &'static str,
    variable: &'static str,
    value: String,
}

pub(crate) fn run(args: Vec<String>) -> Result<ExitCode, String> {
    let own = match args.first() {
        Some(first) if first == "--" => &args[1..],
        _ => &args[..],
    };
    let settings = settings(own, &defaults(process::root().join("syncline-data")), |name| {
        std::env::var_os(name).is_some()
    });

    if let Err(problem) = web::build() {
        eprintln!("The server will have no page at /, or the one built last: {problem}");
    }
    eprintln!("Building Syncline in release mode, then starting it. The first build takes a few minutes.");
    let mut cargo = process::cargo(["run", "--release", "--package", "syncline", "--", "serve"]);
    // Paths that the user typed are meant from where they typed them.
    cargo.current_dir(std::env::current_dir().map_err(|problem| format!("no current folder: {problem}"))?);
    process::become_command(cargo.args(settings).args(own))
}

fn defaults(data_dir: PathBuf) -> [Fallback; 2] {
    let data_dir = data_dir.display().to_string();
    [
        Fallback { flag: "--listen", variable: "SYNCLINE_LISTEN", value: "127.0.0.1:8080".into() },
        Fallback { flag: "--data-dir", variable: "SYNCLINE_DATA_DIR", value: data_dir },
    ]
}

/// Returns the defaults that the user did not set: a flag that we add would beat a variable or a file of theirs.
fn settings(args: &[String], defaults: &[Fallback], is_set: impl Fn(&str) -> bool) -> Vec<String> {
    if given(args, "--config") || is_set("SYNCLINE_CONFIG") || given(args, "--help") || given(args, "-h") {
        return Vec::new();
    }
    let missing = defaults.iter().filter(|default| !given(args, default.flag) && !is_set(default.variable));
    missing.flat_map(|default| [default.flag.to_owned(), default.value.clone()]).collect()
}

/// Returns whether `flag` stands among the arguments, as `--flag value` or `--flag=value`.
fn given(args: &[String], flag: &str) -> bool {
    args.iter().any(|arg| arg.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks which settings are added to `args` when `variables` are set.
    fn check(args: &[&str], variables: &[&str], added: &[&str]) {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let found = settings(&args, &defaults("data".into()), |name| variables.contains(&name));
        assert_eq!(found, added, "{args:?} with {variables:?}");
    }

    #[test]
    fn a_setting_of_the_user_replaces_the_default() {
        check(&[], &[], &["--listen", "127.0.0.1:8080", "--data-dir", "data"]);
        check(&["--listen", "[::]:80"], &[], &["--data-dir", "data"]);
        check(&["--data-dir=elsewhere"], &[], &["--listen", "127.0.0.1:8080"]);
        check(&["--listener"], &["SYNCLINE_LISTEN"], &["--data-dir", "data"]);
        check(&["--config", "syncline.toml"], &[], &[]);
        check(&[], &["SYNCLINE_CONFIG"], &[]);
    }
}
