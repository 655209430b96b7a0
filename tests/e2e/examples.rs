//! Lines for a shell, in README.md and docs/documents.md, run as they are written, but for the address of the server.

use std::process::Command;

use super::entities::World;

/// How a block begins that says where documents are; the address of a server follows.
const PLACE: &str = "D=http://";

/// Runs the lines of each block that says where documents are. Behind ` # ` stands what a line prints: all of it, or, in quotes, a part.
fn check(name: &str, document: &str) {
    let world = World::new(name);
    let server = world.serve();
    let blocks = document.split("```\n").filter_map(|block| block.strip_prefix(PLACE));
    let blocks = blocks.map(|block| block.split_once('\n').expect("lines follow"));
    let lines = blocks.flat_map(|(place, lines)| lines.lines().map(move |line| (place, line)));
    let mut compared = 0;
    for (place, line) in lines {
        let path = place.find('/').map_or("", |at| &place[at..]);
        let here = format!("{PLACE}{}{path}", server.addr);
        let (line, printed) = line.split_once(" # ").unwrap_or((line, ""));
        let shell = format!("{here}; curl() {{ command curl --silent --show-error --fail \"$@\"; }}; {line}");
        let output = Command::new("sh").args(["-c", &shell]).output().expect("there is a shell");
        let found = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success(), "{line}: {found} {}", String::from_utf8_lossy(&output.stderr));
        let is_as_told = if printed.starts_with('"') { found.contains(printed) } else { found == printed };
        assert!(printed.is_empty() || is_as_told, "{line} prints {found}, not {printed}");
        compared += usize::from(!printed.is_empty());
    }
    assert!(compared > 2, "{name} says what its lines print");
    server.stop();
}

#[test]
fn what_the_readme_shows_of_documents_works() {
    check("readme", include_str!("../../README.md"));
}

#[test]
fn what_is_shown_of_versions_works() {
    check("shown", include_str!("../../docs/documents.md"));
}
