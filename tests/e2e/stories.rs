//! What holds for people who edit together; the scenario of the same name tells how it is tried.

use std::fs;

use crate::scenario::{clients, play};

#[test]
fn every_kind_of_value_reaches_everyone() {
    play("values");
}

#[test]
fn presence_is_seen_moves_and_ends() {
    play("awareness");
}

#[test]
fn a_quiet_connection_stays_open() {
    play("patience");
}

#[test]
fn offline_edits_and_edits_while_connecting_are_merged() {
    play("offline");
}

#[test]
fn a_crowd_converges() {
    play("crowd");
}

#[test]
fn random_editing_ends_in_equal_struct_stores() {
    play("random");
}

#[test]
fn large_documents_are_shared_and_kept() {
    play("large");
}

#[test]
fn a_room_is_called_what_was_typed() {
    play("rooms");
}

#[test]
fn no_scenario_is_forgotten() {
    let stories = include_str!("stories.rs");
    for file in fs::read_dir(clients().join("scenarios")).expect("the folder of the scenarios") {
        let name = file.expect("a scenario").file_name().into_string().expect("a name in ASCII");
        let name = name.strip_suffix(".mjs").expect("a scenario is an .mjs file");
        assert!(stories.contains(&format!("(\"{name}\"")), "no test plays scenario {name}");
    }
}
