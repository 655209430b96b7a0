//! The browser that the page is tried in.

use std::env;
use std::path::Path;

use crate::process;

/// Where it usually is; `tests/browser/lib/browser.mjs` looks in the same places.
const PLACES: [&str; 4] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// Installs Chromium where that is possible: on Debian and its kin, for root.
///
/// # Errors
///
/// Says how to get it.
pub(crate) fn install() -> Result<(), String> {
    if is_there() {
        eprintln!("chromium: it is there");
        return Ok(());
    }
    let is_root = process::succeeds("sh", &["-c", "test \"$(id -u)\" = 0"]);
    if is_root && process::succeeds("apt-get", &["--version"]) {
        // A list that cannot be brought up to date may still do.
        let _ = process::run(&mut process::program("apt-get", ["update", "--quiet"]));
        let mut install = process::program(
            "apt-get",
            ["install", "--yes", "--quiet", "--no-install-recommends", "chromium"],
        );
        process::run(install.env("DEBIAN_FRONTEND", "noninteractive"))?;
    }
    if is_there() {
        return Ok(());
    }
    Err("no Chromium found: `apt-get install chromium`, or name another with the variable CHROMIUM".into())
}

fn is_there() -> bool {
    let named = env::var_os("CHROMIUM").filter(|path| !path.is_empty());
    named.is_some_and(|path| Path::new(&path).exists())
        || PLACES.iter().any(|place| Path::new(place).exists())
}
