//! The files of the repository, and how a rule reports its breaches.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold what tools made.
const GENERATED: [&str; 4] = [".git", "node_modules", "target", "syncline-data"];

/// Returns the root of the repository.
pub(super) fn root() -> PathBuf {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest_dir.ancestors().nth(2).expect("the crate lies two folders below the root").to_owned()
}

/// Returns the files below `folder` (relative to the root) whose extension is `extension`, relative to the root and in order.
///
/// There are none if the folder does not exist.
pub(super) fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(&root().join(folder), &mut found);
    found.retain(|path| path.extension().is_some_and(|found| found == extension));
    for path in &mut found {
        *path = path.strip_prefix(root()).expect("the walk began at the root").to_owned();
    }
    found.sort();
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap_or_else(|problem| panic!("{}: {problem}", folder.display())).path();
        if !path.is_dir() {
            found.push(path);
        } else if !GENERATED.iter().any(|name| path.ends_with(name)) {
            collect(&path, found);
        }
    }
}

/// Returns the folders of the crates, relative to the root: `crates/core` and so on.
pub(super) fn crate_folders() -> Vec<PathBuf> {
    let manifests = files("crates", "toml").into_iter().filter(|path| path.ends_with("Cargo.toml"));
    let folders: Vec<PathBuf> = manifests.filter_map(|path| Some(path.parent()?.to_owned())).collect();
    assert!(!folders.is_empty(), "crates/ holds no crate");
    folders
}

/// Returns whether a source is compiled for tests only, by its place: below `tests`, or a module `tests.rs`.
pub(super) fn is_test(path: &Path) -> bool {
    path.with_extension("").components().any(|part| part.as_os_str() == "tests")
}

/// Returns the text of a file, given relative to the root.
pub(super) fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(root().join(path)).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()))
}

/// Returns `path` with forward slashes, as messages and manifests write it.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string().replace('\\', "/")
}

/// Fails with every breach of a rule and with what to do about them.
pub(super) fn report(remedy: &str, breaches: &[String]) {
    assert!(breaches.is_empty(), "{remedy}\n  {}\n", breaches.join("\n  "));
}
