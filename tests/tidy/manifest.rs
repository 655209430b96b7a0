//! Reads as much of a `Cargo.toml` as the rules need: tables and their keys, one value a key.

use std::path::Path;

use super::tree;

/// A manifest, as its tables in order.
pub(super) struct Manifest(Vec<Table>);

struct Table {
    /// What stands between the brackets: `package`, `dependencies`, `test`.
    name: String,
    /// Keys with their values as written, without comments: `("path", "\"src/main.rs\"")`.
    entries: Vec<(String, String)>,
}

impl Manifest {
    /// Reads the manifest in `folder`, given relative to the root.
    pub(super) fn of(folder: &Path) -> Self {
        Self::parse(&tree::read(folder.join("Cargo.toml")))
    }

    fn parse(text: &str) -> Self {
        let mut tables = vec![Table { name: String::new(), entries: Vec::new() }];
        let mut open = String::new();
        for line in text.lines() {
            open += without_comment(line).trim();
            if open.matches('[').count() > open.matches(']').count() {
                continue;
            }
            let statement = std::mem::take(&mut open);
            if let Some((key, value)) = statement.split_once('=') {
                let table = tables.last_mut().expect("there is one from the start");
                table.entries.push((key.trim().to_owned(), value.trim().to_owned()));
            } else if statement.starts_with('[') {
                let name = statement.trim_matches(['[', ']']).to_owned();
                tables.push(Table { name, entries: Vec::new() });
            }
        }
        Self(tables)
    }

    /// Returns the text of `key` in the first table called `table`, without its quotes.
    pub(super) fn text(&self, table: &str, key: &str) -> Option<String> {
        self.texts(table, key).into_iter().next()
    }

    /// Returns the texts of `key` in every table called `table`, as of several `[[test]]`.
    pub(super) fn texts(&self, table: &str, key: &str) -> Vec<String> {
        let entries = self.0.iter().filter(|found| found.name == table).flat_map(|found| &found.entries);
        let values = entries.filter(|(found, _)| found == key).map(|(_, value)| value);
        values.map(|value| value.trim_matches('"').to_owned()).collect()
    }

    /// Returns the names of what the crate is built with: all dependencies but those of its tests.
    pub(super) fn dependencies(&self) -> Vec<String> {
        let mut found = Vec::new();
        for table in &self.0 {
            let (place, name) = table.name.rsplit_once('.').unwrap_or(("", &table.name));
            if matches!(name, "dependencies" | "build-dependencies") {
                let keys = table.entries.iter().map(|(key, _)| key.split('.').next().unwrap_or(key));
                found.extend(keys.map(str::to_owned));
            } else if place.ends_with("dependencies") && !place.ends_with("dev-dependencies") {
                found.push(name.to_owned());
            }
        }
        found.sort();
        found.dedup();
        found
    }
}

/// A hash begins a comment unless it stands inside a string.
fn without_comment(line: &str) -> &str {
    let starts_comment = |at: &usize| line[..*at].matches('"').count().is_multiple_of(2);
    let end = line.match_indices('#').map(|(at, _)| at).find(starts_comment);
    &line[..end.unwrap_or(line.len())]
}

#[test]
fn tables_are_read() {
    let manifest = Manifest::parse(
        "[package]\nname = \"a\" # the name\n[dependencies]\nb.workspace = true\nc = { features = [\n \"d\",\n] }\n\
         [target.'cfg(unix)'.dependencies]\ne = \"1\"\n[dependencies.f]\nversion = \"1\"\n[dev-dependencies]\ng = \"1\"\n\
         [[test]]\npath = \"x.rs\"\n[[test]]\npath = \"y#.rs\"\n",
    );
    assert_eq!(manifest.text("package", "name").as_deref(), Some("a"));
    assert_eq!(manifest.dependencies(), ["b", "c", "e", "f"]);
    assert_eq!(manifest.texts("test", "path"), ["x.rs", "y#.rs"]);
}
