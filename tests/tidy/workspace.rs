//! The workspace: its manifests, its lock files, and the map of it.

use std::fs;
use std::path::PathBuf;

use super::manifest::Manifest;
use super::tree;

/// Most packages in Cargo.lock, our own included. Raise it with the dependency that needs it, in the same commit.
const PACKAGES_MAX: usize = 266;

#[test]
fn every_crate_is_on_the_map() {
    let map = fs::read_to_string(tree::root().join("ARCHITECTURE.md"));
    let Ok(map) = map else {
        panic!("ARCHITECTURE.md is missing: it tells a newcomer what each crate is for")
    };
    let crates = tree::crate_folders().into_iter().map(|folder| tree::shown(&folder));
    let missing: Vec<String> = crates.filter(|folder| !map.contains(folder.as_str())).collect();
    tree::report("Say in ARCHITECTURE.md what these are for and what they may not do.", &missing);
}

#[test]
fn every_member_has_the_lints_of_the_workspace() {
    let members = tree::crate_folders().into_iter().chain([PathBuf::from("xtask")]);
    let strays =
        members.filter(|folder| Manifest::of(folder).text("lints", "workspace").as_deref() != Some("true"));
    let breaches: Vec<String> = strays.map(|folder| tree::shown(&folder)).collect();
    tree::report("Add `[lints]` with `workspace = true` to the Cargo.toml of these.", &breaches);
}

#[test]
fn a_panic_of_one_room_does_not_end_the_server() {
    let panic = Manifest::of("".as_ref()).text("profile.release", "panic");
    assert_eq!(
        panic.as_deref(),
        Some("unwind"),
        "set `panic = \"unwind\"` in [profile.release]: a task's panic must stay its own"
    );
}

#[test]
fn one_version_of_tungstenite_is_locked() {
    let versions = locked().into_iter().filter(|name| name == "tungstenite").count();
    assert_eq!(versions, 1, "`cargo tree -i tungstenite` shows who wants which: bring them to one version");
}

#[test]
fn the_lock_file_stays_small() {
    let packages = locked().len();
    assert!(
        packages <= PACKAGES_MAX,
        "Cargo.lock has {packages} packages: drop one, trim features, or raise PACKAGES_MAX and say in the commit why it is worth it"
    );
}

#[test]
fn client_ids_keep_all_their_bits() {
    let manifests = tree::files("", "toml").into_iter().filter(|path| path.ends_with("Cargo.toml"));
    let narrowed = manifests.filter(|path| tree::read(path).contains("small-client"));
    let breaches: Vec<String> = narrowed.map(|path| tree::shown(&path)).collect();
    tree::report(
        "Drop the feature `small-client` of yrs: it cuts the client ids of newer Yjs clients short.",
        &breaches,
    );
}

#[test]
fn npm_locks_name_no_registry() {
    let locks = tree::files("", "json").into_iter().filter(|path| path.ends_with("package-lock.json"));
    let naming = locks.filter(|path| tree::read(path).contains("\"resolved\""));
    let breaches: Vec<String> = naming.map(|path| tree::shown(&path)).collect();
    tree::report(
        "Put `omit-lockfile-registry-resolved=true` into the .npmrc beside these and lock again.",
        &breaches,
    );
}

/// Returns the names of the packages in Cargo.lock, one for each version.
fn locked() -> Vec<String> {
    let lock = tree::read("Cargo.lock");
    let names = lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    names.map(str::to_owned).collect()
}
