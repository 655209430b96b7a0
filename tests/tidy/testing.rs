//! How tests behave: all of them run, none waits by the clock, none claims a port.

use std::path::Path;

use super::rust::Code;
use super::tree;

/// Hosts of this machine as they stand before the colon of a port.
const HOSTS: [&str; 4] = ["127.0.0.1:", "0.0.0.0:", "[::1]:", "localhost:"];

#[test]
fn no_test_is_ignored() {
    let breaches = places("#[ignore", |_, code| code);
    tree::report("Mend the test or delete it: one that does not run says nothing.", &breaches);
}

#[test]
fn no_test_sleeps() {
    let breaches =
        places("thread::sleep", |path, code| if tree::is_test(path) { code } else { code.split_tests().1 });
    tree::report(
        "Wait for the event itself, on a channel or a child's output, with a limit on the time.",
        &breaches,
    );
}

/// The last column of the promises in docs/security.md names the tests that show them.
#[test]
fn each_promise_of_security_has_its_tests() {
    let sources = ["crates", "tests"].into_iter().flat_map(|folder| tree::files(folder, "rs"));
    let code: String = sources.map(tree::read).collect();
    let text = tree::read("docs/security.md");
    let rows = text.lines().skip_while(|line| !line.starts_with("| promise")).skip(2);
    let mut breaches = Vec::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let shown = row.trim_end_matches([' ', '|']).rsplit_once('|').map_or("", |(_, shown)| shown);
        let names: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        let is_there = |name: &&str| code.contains(&format!("fn {name}("));
        if names.is_empty() || !names.iter().all(is_there) {
            breaches.push(row.to_owned());
        }
    }
    tree::report(
        "Name a test that there is in the last column of docs/security.md, for each promise.",
        &breaches,
    );
}

#[test]
fn no_test_has_a_fixed_port() {
    let mut breaches = Vec::new();
    let files = ["rs", "js", "mjs", "ts"].iter().flat_map(|extension| tree::files("tests", extension));
    for path in files.filter(|path| !path.ends_with("tidy/testing.rs")) {
        for (index, line) in tree::read(&path).lines().enumerate() {
            if has_fixed_port(line) {
                breaches.push(format!("{}:{}: {}", tree::shown(&path), index + 1, line.trim()));
            }
        }
    }
    tree::report("Listen on port 0 and read the port from the server's first line of output.", &breaches);
}

/// Returns the places of `pattern` in the part of each source that `part` chooses.
fn places(pattern: &str, part: impl Fn(&Path, Code) -> Code) -> Vec<String> {
    let sources = ["crates", "tests"].iter().flat_map(|folder| tree::files(folder, "rs"));
    let found = sources.flat_map(|path| {
        let code = Code::parse(&tree::read(&path));
        part(&path, code).places_of(&path, &[pattern])
    });
    found.collect()
}

fn has_fixed_port(line: &str) -> bool {
    HOSTS.iter().any(|host| {
        let ports = line.match_indices(host).map(|(at, _)| &line[at + host.len()..]);
        ports.into_iter().any(|port| port.starts_with(|c: char| c.is_ascii_digit() && c != '0'))
    })
}

#[test]
fn port_0_is_not_fixed() {
    for (line, is_fixed) in [
        ("bind(\"127.0.0.1:0\")", false),
        ("`ws://127.0.0.1:${port}`", false),
        ("ws://localhost:8080/yjs", true),
        ("[::1]:80", true),
    ] {
        assert_eq!(has_fixed_port(line), is_fixed, "{line}");
    }
}
