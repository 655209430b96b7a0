//! The floors: what each crate may depend on, and what its sources may not do.

use std::path::PathBuf;

use super::manifest::Manifest;
use super::rust::Code;
use super::tree;

/// What each crate may be built with. A line is a decision: `ARCHITECTURE.md` says which floor a crate stands on, and why.
#[rustfmt::skip]
const ALLOWED: [(&str, &[&str]); 6] = [
    ("core", &["automerge", "bytes", "cel", "flate2", "imara-diff", "serde", "serde_json", "sha2", "thiserror", "yrs"]),
    ("protocol", &["bytes", "data-encoding", "hmac", "minicbor", "rmp-serde", "serde", "sha2", "syncline-core", "thiserror"]),
    ("store", &["bytes", "crc32fast", "sha2", "sled", "syncline-core", "thiserror", "zstd"]),
    ("sim", &["automerge", "bytes", "clap", "syncline-core", "syncline-protocol", "syncline-store", "yrs"]),
    ("server", &[
        "async-compression", "axum", "bytes", "data-encoding", "form_urlencoded", "futures-util", "getrandom", "hyper", "hyper-util", "jsonwebtoken", "percent-encoding", "prometheus-client",
        "ring", "rustls", "serde", "serde_json", "signature", "syncline-core", "syncline-protocol", "syncline-store", "thiserror", "tokio", "tokio-rustls",
        "tokio-tungstenite", "tokio-util", "tower-http", "tracing", "uuid", "webpki-roots",
    ]),
    ("syncline", &[
        "clap", "mimalloc", "serde", "serde_json", "syncline-core", "syncline-protocol", "syncline-server", "syncline-store", "thiserror",
        "tokio", "toml", "tracing", "tracing-subscriber", "zstd",
    ]),
];

/// The crates whose every run can be replayed from a seed.
const PURE: [&str; 4] = ["core", "protocol", "store", "sim"];

/// What would make two runs differ, tests included.
const IMPURE: [&str; 12] = [
    "async",
    "tokio",
    "Instant",
    "SystemTime",
    "rand",
    "thread_rng",
    "getrandom",
    "fastrand",
    "uuid",
    "Uuid",
    "RandomState",
    "random_seed",
];

/// Draws the seeds of new runs before any of them begins.
const SEEDS: &str = "crates/sim/src/main.rs";

/// What reaches outside the process, by the crates whose shipped sources may not.
const OUTSIDE: [(&str, &[&str]); 4] = [
    ("core", &["fs::", "net::", "thread::"]),
    ("protocol", &["fs::", "net::", "thread::"]),
    ("store", &["net::"]),
    ("sim", &["net::"]),
];

#[test]
fn a_crate_depends_only_on_what_its_floor_allows() {
    let mut breaches = Vec::new();
    for folder in tree::crate_folders() {
        let name = folder.file_name().expect("a crate has a folder").to_string_lossy();
        let Some((_, allowed)) = ALLOWED.iter().find(|(allowed, _)| *allowed == name) else {
            breaches.push(format!("{} has no line in ALLOWED", tree::shown(&folder)));
            continue;
        };
        for dependency in Manifest::of(&folder).dependencies() {
            if !allowed.contains(&dependency.as_str()) {
                breaches.push(format!("{} depends on {dependency}", tree::shown(&folder)));
            }
        }
    }
    tree::report(
        "Use what the crate has, or move the code to the floor that may; only a decision about the floor adds to ALLOWED \
         in tests/tidy/floors.rs.",
        &breaches,
    );
}

#[test]
fn what_decides_knows_no_clock_no_chance_and_no_runtime() {
    let mut breaches = Vec::new();
    for name in PURE {
        for (path, code) in sources(name).into_iter().filter(|(path, _)| !path.ends_with(SEEDS)) {
            breaches.extend(code.places_of(&path, &IMPURE));
        }
    }
    tree::report("Time, randomness and results come in as arguments: take them from the caller.", &breaches);
}

#[test]
fn what_decides_does_no_io() {
    let mut breaches = Vec::new();
    for (name, outside) in OUTSIDE {
        for (path, code) in sources(name) {
            if !tree::is_test(&path) {
                let (shipped, _) = code.split_tests();
                breaches.extend(shipped.places_of(&path, outside));
            }
        }
    }
    tree::report("Return what is to be done as an effect, and let the server do it.", &breaches);
}

fn sources(name: &str) -> Vec<(PathBuf, Code)> {
    let paths = tree::files(&format!("crates/{name}/src"), "rs");
    assert!(!paths.is_empty(), "crates/{name}/src holds no source");
    let parsed = |path: PathBuf| -> (PathBuf, Code) {
        let code = Code::parse(&tree::read(&path));
        (path, code)
    };
    paths.into_iter().map(parsed).collect()
}
