//! What the tests of several modules share.

use proptest::{collection::vec, prelude::*};

use crate::conformance::Step;

/// Random steps over few keys, so that they meet often.
pub(crate) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let key = || vec(prop_oneof![Just(1_u8), Just(2), Just(0xff)], 1..4);
    let value = prop_oneof![3 => vec(any::<u8>(), 0..40), 1 => vec(any::<u8>(), 600..900)];
    let operations = vec((key(), proptest::option::weighted(0.7, value)), 0..12);
    let bound = || vec(prop_oneof![Just(0_u8), Just(1), Just(2), Just(0xff)], 0..4);
    let step = prop_oneof![
        10 => operations.clone().prop_map(Step::Commit),
        1 => (operations, 0..4_usize).prop_map(|(operations, failure)| Step::FailedCommit(operations, failure)),
        5 => (bound(), bound(), 0..10_usize).prop_map(|(prefix, from, limit)| Step::Scan(prefix, from, limit)),
        1 => Just(Step::Restart),
        1 => Just(Step::Vacuum),
    ];
    vec(step, 0..most)
}
