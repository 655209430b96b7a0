//! The simulator keeps its own promises: it replays, honest shells pass, and every planted mistake is found.

use syncline_sim::{Fault, Violation, run};

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
        // What the snapshot lacks is gone, cannot be loaded, or is shown by a room that still has it.
        Fault::SnapshotOmitsPending => matches!(
            violation,
            Violation::SeenAndLost { .. }
                | Violation::Unloadable { .. }
                | Violation::DeletionBeforeDurable { .. }
        ),
    };
    for fault in Fault::ALL {
        let found = (0..40).find_map(|seed| run(seed, Some(fault), false).violation);
        let found = found.unwrap_or_else(|| panic!("{fault} went unnoticed"));
        assert!(is_expected(fault, &found), "{fault} was found as: {found}");
    }
}
