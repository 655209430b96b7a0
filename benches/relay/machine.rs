//! What the numbers were measured on, as far as the system tells.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::dialect::Dialect;
use crate::server;

/// Returns a line each for the machine, the disk and the servers.
pub(crate) fn lines() -> Vec<String> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let system = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    vec![
        format!("machine: {cores} cores, {}, {} {}", processor(), std::env::consts::OS, system.trim()),
        format!("disk of the data folder: {}", disk(&server::data_dir()).unwrap_or_else(|| "unknown".into())),
        format!(
            "syncline {} ({}), on disk before it is shown",
            env!("CARGO_PKG_VERSION"),
            said("git", &["rev-parse", "--short", "HEAD"])
        ),
        reference(Dialect::YWebsocket, "@y/websocket-server"),
        reference(Dialect::Hocuspocus, "@hocuspocus/server"),
    ]
}

fn processor() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or("unknown processor".into(), |(_, name)| name.trim().to_owned())
}

/// Returns the file system that holds `folder`: that of the longest mount point above it.
fn disk(folder: &Path) -> Option<String> {
    let above = folder.ancestors().find(|folder| folder.exists())?.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        Some((fields.next()?, fields.next()?, fields.next()?))
    });
    let (device, _, kind) =
        mounts.filter(|(_, at, _)| above.starts_with(at)).max_by_key(|(_, at, _)| at.len())?;
    Some(format!("{kind} on {device}"))
}

fn reference(dialect: Dialect, package: &str) -> String {
    let manifest = server::peer(dialect).join("node_modules").join(package).join("package.json");
    let manifest = fs::read(manifest).unwrap_or_default();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap_or_default();
    format!(
        "reference of {}: {package} {} on node {}, in memory only",
        dialect.name(),
        manifest["version"].as_str().unwrap_or("(not installed)"),
        said(server::node(dialect), &["--version"])
    )
}

fn said(program: impl AsRef<OsStr>, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map_or("unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
