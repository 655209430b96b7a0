//! `cargo xtask web`: the page that the server shows at `/`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use crate::{npm, process};

pub(crate) const HELP: &str = "\
Usage: cargo xtask web

Installs what the page in web/ needs and builds it into web/dist, unless that is
newer than its sources. The next build of the server takes it in. `cargo xtask
serve` does this by itself.";

/// What the page is built from, in `web/`.
const SOURCES: [&str; 5] = ["src", "public", "index.html", "vite.config.js", "package-lock.json"];

pub(crate) fn run(args: Vec<String>) -> Result<ExitCode, String> {
    if let Some(arg) = args.first() {
        return Err(format!("`web` does not know `{arg}`"));
    }
    build()?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the page, unless that is already done.
///
/// # Errors
///
/// Says how to get Node if it is missing or too old, or that the installation or the build failed.
pub(crate) fn build() -> Result<(), String> {
    let web = process::root().join("web");
    if is_current(&web) {
        eprintln!("web: the page is up to date");
        return Ok(());
    }
    npm::install("web")?;
    process::run(&mut process::program("npm", ["run", "--prefix", "web", "--silent", "build"]))
}

/// The build writes `index.html` last of what the server cannot do without.
fn is_current(web: &Path) -> bool {
    let built = written(&web.join("dist/index.html"));
    let changed = SOURCES.iter().filter_map(|source| newest(&web.join(source))).max();
    matches!((built, changed), (Some(built), Some(changed)) if changed <= built)
}

/// Returns when a file, or the newest file in a folder, was written.
fn newest(path: &Path) -> Option<SystemTime> {
    if !path.is_dir() {
        return written(path);
    }
    let entries = fs::read_dir(path).ok()?;
    // The folder itself changes when a file is removed.
    entries.flatten().filter_map(|entry| newest(&entry.path())).chain(written(path)).max()
}

fn written(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}
