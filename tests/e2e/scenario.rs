//! Plays a scenario in node and fails with its output.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the clients live, with their `node_modules`.
pub(crate) fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients")
}

/// Plays `scenarios/<name>.mjs` with both generations of `y-websocket`.
pub(crate) fn play(name: &str) {
    play_with(name, &[]);
}

/// Plays `scenarios/<name>.mjs` with more settings in its environment.
pub(crate) fn play_with(name: &str, settings: &[(&str, &str)]) {
    let clients = clients();
    assert!(
        clients.join("node_modules").is_dir(),
        "the clients are not installed: npm ci --prefix tests/clients --ignore-scripts"
    );
    let output = Command::new("node")
        .arg(clients.join(format!("scenarios/{name}.mjs")))
        .env("SYNCLINE_BIN", env!("CARGO_BIN_EXE_syncline"))
        .envs(settings.iter().copied())
        .output()
        .expect("node 20 or later is needed to run the clients: https://nodejs.org");
    assert!(
        output.status.success(),
        "scenario {name} {settings:?} failed: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}
