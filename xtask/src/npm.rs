//! npm packages that the tests and benches need, installed once.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use crate::process;

/// The oldest major version of Node that the clients under test run on.
const NODE_MAJOR_MIN: u32 = 20;

/// Installs what `folder` (relative to the root) locks in its `package-lock.json`, unless that is already done.
///
/// # Errors
///
/// Says how to get Node if it is missing or too old, or that the installation failed.
pub(crate) fn install(folder: &str) -> Result<(), String> {
    let found = node_major();
    if found.is_none_or(|major| major < NODE_MAJOR_MIN) || !process::succeeds("npm", &["--version"]) {
        return Err(format!(
            "Node {NODE_MAJOR_MIN} or later with npm is needed ({}): get it from https://nodejs.org or your system's packages",
            found.map_or("none found".to_owned(), |major| format!("found Node {major}"))
        ));
    }
    if is_installed(&process::root().join(folder)) {
        eprintln!("{folder}: npm packages are up to date");
        return Ok(());
    }
    process::run(&mut process::program(
        "npm",
        ["ci", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund"],
    ))
}

/// Returns the major version of the `node` on the path: 20 for `v20.11.1`.
fn node_major() -> Option<u32> {
    let output = Command::new("node").arg("--version").stderr(Stdio::null()).output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// npm writes `node_modules/.package-lock.json` last, so a lock file older than it has been carried out.
fn is_installed(folder: &Path) -> bool {
    let written =
        |path: &str| -> Option<SystemTime> { fs::metadata(folder.join(path)).ok()?.modified().ok() };
    match (written("package-lock.json"), written("node_modules/.package-lock.json")) {
        (Some(locked), Some(installed)) => locked <= installed,
        _ => false,
    }
}
