//! Plays a scenario in node and fails with its output.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the clients live, with their `node_modules`.
pub(crate) fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients")
}

/// Plays `scenarios/<name>.mjs`; settings like `SYNCLINE_KILLS`, `SYNCLINE_SEED` and `SYNCLINE_QUICK` come from the environment.
pub(crate) fn play(name: &str) {
    let clients = clients();
    assert!(
        clients.join("node_modules").is_dir(),
        "the clients are not installed: npm ci --prefix tests/clients --ignore-scripts"
    );
    let output = Command::new("node")
        .arg(clients.join(format!("scenarios/{name}.mjs")))
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
