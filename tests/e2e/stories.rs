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
fn only_strangers_pages_are_refused() {
    play("origin");
}

#[test]
fn hostile_frames_harm_nobody_but_their_sender() {
    play("hostile");
}

#[test]
fn a_slow_reader_costs_no_memory_and_becomes_whole() {
    play("slow-reader");
}

#[test]
fn rooms_come_and_go_without_losing_an_edit() {
    play("churn");
}

#[test]
fn what_was_seen_survives_kill_9() {
    play("kills");
}

#[test]
fn what_was_seen_survives_an_orderly_end() {
    play("graceful");
}

#[cfg(target_os = "linux")]
#[test]
fn what_was_seen_survives_a_full_disk() {
    play("disk");
}

#[test]
fn every_kind_of_value_reaches_everyone_whatever_they_speak() {
    play("hocuspocus-values");
}

#[test]
fn presence_is_shared_whatever_they_speak() {
    play("hocuspocus-awareness");
}

#[test]
fn documents_on_one_socket_are_apart() {
    play("hocuspocus-documents");
}

#[test]
fn offline_edits_and_restarts_are_survived_whatever_they_speak() {
    play("hocuspocus-offline");
}

#[test]
fn hostile_frames_harm_no_document_but_their_own() {
    play("hocuspocus-hostile");
}

#[test]
fn a_slow_reader_ends_with_nothing_unsaved() {
    play("hocuspocus-slow-reader");
}

#[test]
fn a_token_opens_what_it_was_granted_and_no_more() {
    play("hocuspocus-tokens");
}

#[test]
fn what_was_called_saved_survives_kill_9() {
    play("hocuspocus-kills");
}

#[test]
fn clients_of_y_sweet_work_together() {
    play("y-sweet");
}

#[test]
fn what_clients_of_y_sweet_were_told_survives_kill_9() {
    play("y-sweet-kills");
}

#[test]
fn a_generated_client_writes_and_looks_back() {
    play("generated-client");
}

#[test]
fn no_scenario_is_forgotten() {
    let stories = [include_str!("stories.rs"), include_str!("automerge.rs")].concat();
    for file in fs::read_dir(clients().join("scenarios")).expect("the folder of the scenarios") {
        let name = file.expect("a scenario").file_name().into_string().expect("a name in ASCII");
        let name = name.strip_suffix(".mjs").expect("a scenario is an .mjs file");
        assert!(stories.contains(&format!("(\"{name}\"")), "no test plays scenario {name}");
    }
}
