//! The laws of replicated types, checked on states that replicas really reach.
//!
//! A [`Subject`](subject::Subject) says how a type is written to and read, and what must be read: a specification over the
//! graph of all events, which knows nothing of how the type works. [`world`] makes random histories of 3 to 5 replicas with
//! loss, doubling and reordering, [`exhaustive`] makes all small ones, and [`state`] holds the laws for the states found.

#![allow(dead_code, reason = "each test binary and fuzz target uses some of these")]

pub(crate) mod choice;
pub(crate) mod exhaustive;
pub(crate) mod fuzz;
pub(crate) mod graph;
pub(crate) mod run;
pub(crate) mod state;
pub(crate) mod subject;
pub(crate) mod subjects;
pub(crate) mod world;
pub(crate) mod wrong;

/// Makes the tests of one or more subjects: `laws!(or_set: OrSets, rga: Lists)`.
#[allow(unused_macros, reason = "only one test binary has all the subjects")]
macro_rules! laws {
    ($($name:ident: $subject:ty),* $(,)?) => {$(
        mod $name {
            #[test]
            fn random_histories() {
                crate::laws::run::random::<$subject>();
            }

            #[test]
            fn all_small_histories() {
                crate::laws::run::exhaustive::<$subject>();
            }
        }
    )*};
}
#[allow(unused_imports, reason = "only one test binary has all the subjects")]
pub(crate) use laws;
