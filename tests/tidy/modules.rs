//! Which files a crate is made of: from its root along its `mod` lines, as rustc goes.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::manifest::Manifest;
use super::mask::mask;
use super::tree;

/// Folders of what is compiled besides the crates; the last is a workspace of its own.
const OTHERS: [&str; 2] = ["xtask", "tests/samod"];

/// Returns every Rust file that some target of the workspace compiles, relative to the root.
pub(super) fn compiled() -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for folder in tree::crate_folders().iter().map(PathBuf::as_path).chain(OTHERS.map(Path::new)) {
        for root in target_roots(folder) {
            follow(&root, true, &mut found);
        }
    }
    found
}

/// Returns the roots of a crate's targets: those that cargo finds by itself, and those that its manifest names.
fn target_roots(folder: &Path) -> Vec<PathBuf> {
    let manifest = Manifest::of(folder);
    let named =
        ["lib", "bin", "test", "bench", "example"].iter().flat_map(|table| manifest.texts(table, "path"));
    let mut roots: Vec<PathBuf> = named.map(|path| normal(&folder.join(path))).collect();
    roots.extend(["src/lib.rs", "src/main.rs", "build.rs"].map(|path| folder.join(path)));
    for place in ["src/bin", "tests", "benches", "examples"] {
        let place = folder.join(place);
        let files = tree::files(&tree::shown(&place), "rs").into_iter();
        roots.extend(files.filter(|path| path.parent() == Some(&place) || path.ends_with("main.rs")));
    }
    roots.retain(|path| tree::root().join(path).is_file());
    roots
}

/// Adds `file` and every module below it; the modules of a root or a `mod.rs` lie beside it, others in a folder of its name.
fn follow(file: &Path, is_root: bool, found: &mut BTreeSet<PathBuf>) {
    if !tree::root().join(file).is_file() || !found.insert(file.to_owned()) {
        return;
    }
    let beside = file.parent().expect("a file lies in a folder");
    let owns_folder = is_root || file.ends_with("mod.rs");
    let below = if owns_folder { beside.to_owned() } else { file.with_extension("") };
    for module in declared(&tree::read(file)) {
        match &module.path {
            Some(path) => follow(&normal(&beside.join(path)), true, found),
            None => {
                let place = below.join(&module.inside);
                follow(&place.join(format!("{}.rs", module.name)), false, found);
                follow(&place.join(&module.name).join("mod.rs"), false, found);
            }
        }
    }
}

/// A `mod name;` line.
struct Declared {
    name: String,
    /// The inline modules around it, as a path.
    inside: PathBuf,
    /// The value of `#[path = "…"]` on the line before it.
    path: Option<String>,
}

fn declared(source: &str) -> Vec<Declared> {
    let mut found = Vec::new();
    let mut inline: Vec<Option<String>> = Vec::new();
    let mut path = None;
    for (line, code) in source.lines().zip(mask(source).lines()) {
        if let Some(value) = line.trim().strip_prefix("#[path = \"").and_then(|rest| rest.strip_suffix("\"]"))
        {
            path = Some(value.to_owned());
            continue;
        }
        let words: Vec<&str> = code.split([' ', ';', '{']).filter(|word| !word.is_empty()).collect();
        let name = words.iter().position(|&word| word == "mod").and_then(|at| words.get(at + 1));
        if let Some(name) = name.filter(|_| code.contains(';') && !code.contains('{')) {
            let inside = inline.iter().flatten().collect();
            found.push(Declared { name: (*name).to_owned(), inside, path: path.take() });
        }
        let mut opened = name.map(|name| (*name).to_owned());
        for c in code.chars() {
            match c {
                '{' => inline.push(opened.take()),
                '}' => drop(inline.pop()),
                _ => {}
            }
        }
    }
    found
}

/// Returns `path` with each `..` carried out.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut done, part| {
        match part {
            Component::ParentDir => drop(done.pop()),
            Component::CurDir => {}
            part => done.push(part),
        }
        done
    })
}

#[test]
fn modules_are_found_where_rustc_finds_them() {
    let found = declared(
        "mod a;\n#[path = \"x/b.rs\"]\npub mod b;\nmod c {\n    fn f() {}\n    mod d;\n}\npub(crate) mod e;\n",
    );
    let found: Vec<_> =
        found.iter().map(|m| (m.name.as_str(), tree::shown(&m.inside), m.path.as_deref())).collect();
    let expected = [("a", "", None), ("b", "", Some("x/b.rs")), ("d", "c", None), ("e", "", None)];
    assert_eq!(found, expected.map(|(name, inside, path)| (name, inside.to_owned(), path)));
}
