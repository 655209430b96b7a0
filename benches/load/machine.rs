//! What the numbers were measured on, as far as the system tells.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

/// Returns a line each for the machine, the disk that holds `folder`, and this repository's server.
pub(crate) fn lines(folder: &Path) -> Vec<String> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let system = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let commit = said("git", &["rev-parse", "--short", "HEAD"]);
    vec![
        format!("machine: {cores} cores, {}, {} {}", processor(), std::env::consts::OS, system.trim()),
        format!("disk of the data folder: {}", disk(folder).unwrap_or_else(|| "unknown".into())),
        format!("syncline {} ({commit}), on disk before it is shown", env!("CARGO_PKG_VERSION")),
    ]
}

/// Returns the version of a package that npm has installed into `folder`.
pub(crate) fn package_version(folder: &Path, package: &str) -> String {
    let manifest = fs::read(folder.join("node_modules").join(package).join("package.json"));
    let manifest: serde_json::Value =
        serde_json::from_slice(&manifest.unwrap_or_default()).unwrap_or_default();
    manifest["version"].as_str().unwrap_or("(not installed)").to_owned()
}

/// Returns what a program prints.
pub(crate) fn said(program: impl AsRef<OsStr>, args: &[&str]) -> String {
    let output = Command::new(program).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map_or("unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Returns the resident memory of a process in bytes, where the system has `/proc`.
pub(crate) fn resident_bytes(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))?;
    kib.parse::<u64>().ok().map(|kib| kib * 1024)
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
