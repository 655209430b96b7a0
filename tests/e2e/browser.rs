//! What people see in a browser; the scenario of the same name in `tests/browser` tells how it is tried.

use std::fs;
use std::process::Command;

use crate::scenario::{browser, play_in_browser};

#[test]
fn two_people_write_on_the_page_through_a_crash() {
    play_in_browser("page");
}

#[test]
fn the_page_asks_for_a_token() {
    play_in_browser("token");
}

/// What the page says is worked out by functions that need no browser.
#[test]
fn the_page_chooses_its_words() {
    let tests = browser().join("../../web/test/words.test.js");
    let output = Command::new("node").arg("--test").arg(tests).output().expect("node 20 or later is needed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn pages_of_strangers_may_nothing() {
    play_in_browser("origin");
}

#[test]
fn the_examples_work() {
    play_in_browser("examples");
}

#[test]
fn pages_editors_and_scripts_work_together() {
    play_in_browser("together");
}

#[test]
fn no_scenario_of_the_browser_is_forgotten() {
    let stories = include_str!("browser.rs");
    for file in fs::read_dir(browser().join("scenarios")).expect("the folder of the scenarios") {
        let name = file.expect("a scenario").file_name().into_string().expect("a name in ASCII");
        let name = name.strip_suffix(".mjs").expect("a scenario is an .mjs file");
        assert!(stories.contains(&format!("(\"{name}\"")), "no test plays scenario {name}");
    }
}
