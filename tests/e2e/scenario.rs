//! Plays a scenario in node and fails with its output.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the clients live, with their `node_modules`.
pub(crate) fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients")
}

/// Where the browser tests live, with their `node_modules`.
pub(crate) fn browser() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/browser")
}

/// Plays `scenarios/<name>.mjs` of the clients; settings like `SYNCLINE_KILLS`, `SYNCLINE_SEED` and
/// `SYNCLINE_QUICK` come from the environment.
pub(crate) fn play(name: &str) {
    let clients = clients();
    check_installed(&clients, "tests/clients");
    run(&clients, name);
}

/// Plays `scenarios/<name>.mjs` of the browser, which uses the server and the network of the clients' scenarios.
pub(crate) fn play_in_browser(name: &str) {
    let browser = browser();
    check_installed(&clients(), "tests/clients");
    check_installed(&browser, "tests/browser");
    run(&browser, name);
}

fn check_installed(folder: &Path, shown: &str) {
    assert!(
        folder.join("node_modules").is_dir(),
        "{shown} is not installed: npm ci --prefix {shown} --ignore-scripts"
    );
}

fn run(folder: &Path, name: &str) {
    let output = Command::new("node")
        .arg(folder.join(format!("scenarios/{name}.mjs")))
        .env("SYNCLINE_BIN", env!("CARGO_BIN_EXE_syncline"))
        .output()
        .expect("node 20 or later is needed to run the clients: https://nodejs.org");
    assert!(
        output.status.success(),
        "scenario {name} failed: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}
