//! Commands of the Syncline repository: `cargo xtask help` lists them.
//!
//! This crate runs other programs and decides nothing about the engine. It has no dependencies, so that on a fresh clone a command
//! starts after seconds.

mod bench;
mod browser;
mod contract;
mod deny;
mod fuzz;
mod laws;
mod npm;
mod process;
mod samod;
mod screenshot;
mod serve;
mod soak;
mod test;
mod web;

use std::process::ExitCode;

/// A command of the repository: its name, what `help` says about it, and the function that runs it.
struct Task {
    name: &'static str,
    summary: &'static str,
    help: &'static str,
    run: fn(Vec<String>) -> Result<ExitCode, String>,
}

const TASKS: [Task; 11] = [
    Task {
        name: "serve",
        summary: "build the server and run it on this machine",
        help: serve::HELP,
        run: serve::run,
    },
    Task {
        name: "test",
        summary: "run every check that a change must pass",
        help: test::HELP,
        run: test::run,
    },
    Task { name: "web", summary: "build the page that the server shows", help: web::HELP, run: web::run },
    Task {
        name: "screenshot",
        summary: "take the picture in the README",
        help: screenshot::HELP,
        run: screenshot::run,
    },
    Task { name: "bench", summary: "measure, side by side with a peer", help: bench::HELP, run: bench::run },
    Task {
        name: "fuzz",
        summary: "feed hostile bytes to every fuzz target",
        help: fuzz::HELP,
        run: fuzz::run,
    },
    Task {
        name: "laws",
        summary: "check the laws of the replicated types on many histories",
        help: laws::HELP,
        run: laws::run,
    },
    Task {
        name: "soak",
        summary: "run at length a test that others cut short",
        help: soak::HELP,
        run: soak::run,
    },
    Task {
        name: "samod",
        summary: "play with samod, another peer of automerge-repo",
        help: samod::HELP,
        run: samod::run,
    },
    Task {
        name: "deny",
        summary: "check licences, bans and sources of dependencies",
        help: deny::HELP,
        run: deny::run,
    },
    Task {
        name: "contract",
        summary: "make up requests from the descriptions of the HTTP APIs",
        help: contract::HELP,
        run: contract::run,
    },
];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_else(|| "help".into());
    dispatch(&name, args.collect()).unwrap_or_else(|problem| {
        eprintln!("xtask: {problem}");
        ExitCode::FAILURE
    })
}

fn dispatch(name: &str, args: Vec<String>) -> Result<ExitCode, String> {
    if matches!(name, "help" | "--help" | "-h") {
        match args.first() {
            None => print_overview(),
            Some(topic) => println!("{}", task(topic)?.help),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let task = task(name)?;
    if args.iter().take_while(|arg| *arg != "--").any(|arg| matches!(arg.as_str(), "--help" | "-h")) {
        println!("{}", task.help);
        return Ok(ExitCode::SUCCESS);
    }
    (task.run)(args)
}

fn task(name: &str) -> Result<&'static Task, String> {
    TASKS
        .iter()
        .find(|task| task.name == name)
        .ok_or_else(|| format!("there is no command `{name}`; `cargo xtask help` lists them"))
}

fn print_overview() {
    println!("Usage: cargo xtask COMMAND [ARGS]\n\nCommands:");
    for task in &TASKS {
        println!("  {:<10} {}", task.name, task.summary);
    }
    println!("\n`cargo xtask COMMAND --help` says more about one of them.");
}
