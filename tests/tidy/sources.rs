//! Sizes of files and functions, and that each file is compiled.

use std::path::PathBuf;

use super::modules;
use super::rust::Code;
use super::tree;

/// Longest source file, in lines.
const FILE_LINES_MAX: usize = 500;
/// Longest function, in lines from its `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

#[test]
fn files_are_short() {
    let mut breaches = Vec::new();
    for path in sources() {
        let lines = tree::read(&path).lines().count();
        if lines > FILE_LINES_MAX {
            breaches.push(format!("{}: {lines} lines", tree::shown(&path)));
        }
    }
    tree::report(&format!("Split what is longer than {FILE_LINES_MAX} lines along its types."), &breaches);
}

#[test]
fn functions_are_short() {
    let mut breaches = Vec::new();
    for path in sources() {
        let functions = Code::parse(&tree::read(&path)).functions();
        for function in functions.iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
            let place = format!("{}:{}", tree::shown(&path), function.line);
            breaches.push(format!("{place}: `{}` has {} lines", function.name, function.lines));
        }
    }
    let remedy = format!(
        "Keep the branches of what is longer than {FUNCTION_LINES_MAX} lines in the parent, and move pure steps into helpers."
    );
    tree::report(&remedy, &breaches);
}

#[test]
fn every_source_is_compiled() {
    let compiled = modules::compiled();
    let orphans =
        sources().into_iter().filter(|path| !compiled.contains(path)).map(|path| tree::shown(&path));
    tree::report(
        "Name the file in a `mod` line, or declare it in crates/syncline/Cargo.toml as the path of a [[test]] or [[bench]]; \
         nothing compiles it now, so nothing in it can fail.",
        &orphans.collect::<Vec<_>>(),
    );
}

/// Returns all Rust sources but those of `fuzz/`, which is a workspace of its own.
fn sources() -> Vec<PathBuf> {
    let found: Vec<PathBuf> =
        ["crates", "xtask", "tests", "benches"].iter().flat_map(|folder| tree::files(folder, "rs")).collect();
    assert!(!found.is_empty(), "the repository holds no source");
    found
}
