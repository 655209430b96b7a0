//! What holds for people who work with automerge-repo; the scenario of the same name tells how it is tried.

use crate::scenario::play;

#[test]
fn automerge_clients_work_together() {
    play("automerge");
}

#[test]
fn automerge_documents_keep_to_the_grants() {
    play("automerge-tokens");
}

#[test]
fn kills_lose_nothing_that_automerge_clients_were_told() {
    play("automerge-kills");
}

#[test]
fn a_folder_of_automerge_repo_is_imported() {
    play("automerge-import");
}
