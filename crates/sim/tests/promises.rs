//! The simulator keeps its own promises: it replays, honest shells pass, and every planted mistake is found.

use syncline_sim::{Fault, Violation, run, run_automerge, run_deleting};

/// Seeds that once broke a promise.
const REGRESSIONS: [u64; 3] = [
    // A lagging connection was handed an answer that claimed a commit still being gathered for.
    5,
    // A question after a gap moved a lagging connection on without bringing it anything.
    1_795_263_405_561_923_376,
    1_795_263_151_588_369_640,
];

#[test]
fn a_seed_is_one_run() {
    let (one, again) = (run(42, None, false), run(42, None, false));
    assert_eq!(one, again);
    assert_ne!(one.hash, run(43, None, false).hash, "another seed is another run");
}

#[test]
fn an_honest_shell_breaks_no_promise() {
    for seed in REGRESSIONS.into_iter().chain(0..60) {
        let outcome = run(seed, None, false);
        assert_eq!(outcome.violation, None, "seed {seed}: {}", outcome.summary);
    }
}

/// Goal: the checkers can fail. Method: each planted mistake must be found within a few seeds, and as what it is.
#[test]
fn every_planted_mistake_is_found() {
    let is_expected = |fault: Fault, violation: &Violation| match fault {
        Fault::AcknowledgeBeforeFlush | Fault::Step1FromUndurableDocument => {
            matches!(
                violation,
                Violation::VisibleBeforeDurable { .. } | Violation::DeletionBeforeDurable { .. }
            )
        }
        Fault::SkipDedupe => matches!(violation, Violation::NotExactlyOnce { .. }),
        // What is missing shows as a difference, or as a state that rests on what is missing.
        Fault::LoseLaggingFlag => {
            matches!(violation, Violation::Diverged { .. } | Violation::Unloadable { .. })
        }
        Fault::AcknowledgeTwice | Fault::KeptAtOnce => {
            matches!(violation, Violation::SavedBeforeDurable { .. })
        }
        Fault::LoseAcknowledgement => matches!(violation, Violation::NeverSaved { .. }),
        Fault::LoseStep | Fault::ForgetFormer | Fault::TellDeletionEarly => {
            unreachable!("nothing here can find it")
        }
        // What the snapshot lacks is gone, cannot be loaded, or is shown by a room that still has it.
        Fault::SnapshotOmitsPending => matches!(
            violation,
            Violation::SeenAndLost { .. }
                | Violation::Unloadable { .. }
                | Violation::DeletionBeforeDurable { .. }
        ),
    };
    for fault in Fault::OF_YJS {
        let found = (0..40).find_map(|seed| run(seed, Some(fault), false).violation);
        let found = found.unwrap_or_else(|| panic!("{fault} went unnoticed"));
        assert!(is_expected(fault, &found), "{fault} was found as: {found}");
    }
}

#[test]
fn a_seed_of_automerge_is_one_run() {
    let (one, again) = (run_automerge(42, None, false), run_automerge(42, None, false));
    assert_eq!(one, again);
    assert_ne!(one.hash, run_automerge(43, None, false).hash, "another seed is another run");
}

#[test]
fn an_honest_shell_breaks_no_promise_to_automerge_clients() {
    for seed in 0..20 {
        let outcome = run_automerge(seed, None, false);
        assert_eq!(outcome.violation, None, "seed {seed}: {}", outcome.summary);
    }
}

/// As `every_planted_mistake_is_found`, with an Automerge document.
#[test]
fn every_mistake_with_automerge_clients_is_found() {
    let is_expected = |fault: Fault, violation: &Violation| match fault {
        Fault::AcknowledgeBeforeFlush => matches!(violation, Violation::HeadBeforeDurable { .. }),
        // Who waits for an answer says nothing more, and lacks what it does not know of.
        Fault::LoseStep => matches!(violation, Violation::Diverged { .. } | Violation::Restless),
        // What the snapshot lacks is gone, cannot be loaded, or is shown by a room that still has it.
        Fault::SnapshotOmitsPending => matches!(
            violation,
            Violation::HeadLost { .. } | Violation::Unloadable { .. } | Violation::HeadBeforeDurable { .. }
        ),
        _ => false,
    };
    for fault in Fault::OF_AUTOMERGE {
        let found = (0..40).find_map(|seed| run_automerge(seed, Some(fault), false).violation);
        let found = found.unwrap_or_else(|| panic!("{fault} went unnoticed"));
        assert!(is_expected(fault, &found), "{fault} was found as: {found}");
    }
}

#[test]
fn a_seed_with_deletions_is_one_run() {
    let (one, again) = (run_deleting(42, None, false), run_deleting(42, None, false));
    assert_eq!(one, again);
    assert_ne!(one.hash, run(42, None, false).hash, "something is deleted");
}

#[test]
fn what_is_deleted_stays_deleted() {
    for seed in 0..40 {
        let outcome = run_deleting(seed, None, false);
        assert_eq!(outcome.violation, None, "seed {seed}: {}", outcome.summary);
    }
}

/// As `every_planted_mistake_is_found`, with a document that is deleted now and then.
#[test]
fn every_mistake_with_deletions_is_found() {
    for fault in Fault::OF_DELETION {
        let found = (0..40).find_map(|seed| run_deleting(seed, Some(fault), false).violation);
        let found = found.unwrap_or_else(|| panic!("{fault} went unnoticed"));
        assert!(matches!(found, Violation::CameBack { .. }), "{fault} was found as: {found}");
    }
}
