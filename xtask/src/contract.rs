//! `cargo xtask contract`: requests made up from the descriptions that the server gives of its interfaces over HTTP.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::{env, fs};

use crate::process;

pub(crate) const HELP: &str = "\
Usage: cargo xtask contract [-- OPTIONS OF SCHEMATHESIS]

Builds the server, starts it on a free port with an empty data folder, and has
schemathesis make up requests from the descriptions of /sync/v1, /docs/v1 and
/auth/v1, with a token that may do everything: one by one, and one after another as
the links of the descriptions lead. No answer may be a 5xx or one that the
description does not know. It needs Python 3 with venv; the first run installs
schemathesis into target/contract.";

/// An interface with a description of its own.
struct Api {
    base: &'static str,
    /// Paths that are not asked for.
    left_out: &'static [&'static str],
}

const APIS: [Api; 3] = [
    // They have no end: tests of `syncline-server` read them.
    Api { base: "/sync/v1", left_out: &["/live", "/events"] },
    Api { base: "/docs/v1", left_out: &["/events", "/documents/{name}/events"] },
    Api { base: "/auth/v1", left_out: &[] },
];

/// A user who may do everything. No request that is made up names them, so nobody revokes their token.
const SETTINGS: &str =
    "[[token]]\nsecret = 'of the contract'\nuser = 'keeper of the contract'\ngrants = ['*=admin']\n";
const AUTHORIZATION: &str = "Authorization: Bearer of the contract";

/// What the tool checks. It cannot make up cursors or ids of conflicts, so that refusals of what looks right are no fault.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// What makes up bodies of lines, and reads them.
const LINES: &str = include_str!("contract/lines.py");

pub(crate) fn run(args: Vec<String>) -> Result<ExitCode, String> {
    let more = match args.split_first() {
        None => &[][..],
        Some((dashes, more)) if dashes == "--" => more,
        Some((arg, _)) => return Err(format!("`contract` does not know `{arg}`")),
    };
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| process::root().join("target"), PathBuf::from);
    let tool = install(&target.join("contract"))?;
    process::run(&mut process::cargo(["build", "--package", "syncline"]))?;
    write(&target.join("contract/lines.py"), LINES)?;
    let folder = target.join("contract/data");
    // What an earlier run left; nothing if there is none.
    let _ = fs::remove_dir_all(&folder);
    let settings = target.join("contract/syncline.toml");
    write(&settings, SETTINGS)?;
    let (mut server, url) = start(&target.join("debug/syncline"), &settings, &folder)?;
    let outcome = APIS.iter().try_for_each(|api| check(&tool, &target, &url, api, more));
    // It is stopped whatever was found.
    let _ = server.kill();
    let _ = server.wait();
    outcome.map(|()| ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Has the tool look at one description.
fn check(tool: &Path, target: &Path, url: &str, api: &Api, more: &[String]) -> Result<(), String> {
    let Api { base, left_out } = api;
    let mut checked = Command::new(tool);
    // It keeps what it has found beside it.
    checked.current_dir(target.join("contract"));
    checked.env("SCHEMATHESIS_HOOKS", "lines");
    checked.args(["run", &format!("{url}{base}/openapi.json"), "--checks", CHECKS]);
    checked.args(["--request-timeout", "60", "--header", AUTHORIZATION]);
    checked.args(left_out.iter().map(|path| format!("--exclude-path={base}{path}")));
    process::run(checked.args(more))
}

/// Returns the tool, installed into a folder of its own.
fn install(folder: &Path) -> Result<PathBuf, String> {
    let tool = folder.join("bin/schemathesis");
    if tool.exists() {
        return Ok(tool);
    }
    if !process::succeeds("python3", &["-m", "venv", "--help"]) {
        return Err("Python 3 with venv is missing: install `python3` and `python3-venv`".into());
    }
    let folder = folder.display().to_string();
    process::run(Command::new("python3").args(["-m", "venv", &folder]))?;
    process::run(Command::new(format!("{folder}/bin/pip")).args([
        "install",
        "--quiet",
        "schemathesis==4.*",
    ]))?;
    Ok(tool)
}

/// Starts the server, and returns where it listens.
fn start(binary: &Path, settings: &Path, folder: &Path) -> Result<(Child, String), String> {
    let mut command = Command::new(binary);
    command.args(["serve", "--listen", "127.0.0.1:0", "--config"]).arg(settings);
    command.arg("--data-dir").arg(folder).stdout(Stdio::piped());
    let mut server =
        command.spawn().map_err(|error| format!("cannot start {}: {error}", binary.display()))?;
    let mut line = String::new();
    let read = server.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut line));
    match (read, line.trim_end().strip_prefix("listening on ")) {
        (Some(Ok(_)), Some(url)) => Ok((server, url.to_owned())),
        _ => Err("the server did not say where it listens".into()),
    }
}
