//! How much of it is run, and what is told of a breach.
//!
//! `SYNCLINE_LAWS_HISTORIES` sets how many random histories a type gets, `SYNCLINE_LAWS_SEED` where their seeds begin, and
//! `SYNCLINE_LAWS_OPERATIONS` how many operations the exhaustive histories have.

use super::choice::Choice;
use super::exhaustive::{self, Scope};
use super::subject::{Breach, Subject};
use super::world;

/// Random histories of a type, unless the environment says otherwise.
const HISTORIES: u64 = 150;
/// Steps of a random history.
const STEPS: usize = 40;
/// Operations of the exhaustive histories of 2 and of 3 replicas, unless the environment says otherwise.
const OPERATIONS: usize = 3;

/// Seeds of histories that broke a law once, each on a line of its own. They are run first, by every type.
const SEEDS: &str = include_str!("seeds.txt");

/// Checks a type on random histories.
pub(crate) fn random<S: Subject>() {
    let stored = SEEDS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let stored = stored.map(|line| line.trim().parse().expect("a line of seeds.txt is a number"));
    let first = setting("SYNCLINE_LAWS_SEED").unwrap_or(1);
    let new = first..first + setting("SYNCLINE_LAWS_HISTORIES").unwrap_or(HISTORIES);
    let mut count = 0;
    for seed in stored.chain(new) {
        if let Some((steps, breach)) = broken::<S>(seed) {
            let Breach { law, on } = breach;
            panic!(
                "`{law}` does not hold for {} after {steps} steps of seed {seed}; add the seed to tests/laws/seeds.txt\n{on}",
                name::<S>()
            );
        }
        count += 1;
    }
    println!("{}: {count} random histories", name::<S>());
}

/// Checks a type on all small histories.
pub(crate) fn exhaustive<S: Subject>() {
    let operations = setting("SYNCLINE_LAWS_OPERATIONS").map_or(OPERATIONS, |operations| operations as usize);
    for replicas in [2, 3] {
        let scope = Scope { replicas, operations };
        match exhaustive::run::<S>(scope) {
            Ok(count) => println!("{}: {count} histories of {scope:?}", name::<S>()),
            Err(Breach { law, on }) => panic!("`{law}` does not hold for {} in {scope:?}\n{on}", name::<S>()),
        }
    }
}

/// Returns the breach that the history of a seed shows, in the fewest steps that show one.
pub(crate) fn broken<S: Subject>(seed: u64) -> Option<(usize, Breach)> {
    let run = |steps| world::run::<S>(&mut Choice::Seed(seed), steps).err();
    run(STEPS)?;
    (0..=STEPS).find_map(|steps| Some((steps, run(steps)?)))
}

/// Returns the name of a subject without the modules that it and its parameters lie in.
pub(crate) fn name<S: Subject>() -> String {
    let parts = std::any::type_name::<S>().split_inclusive(['<', ',', '>']);
    parts.map(|part| part.rsplit("::").next().unwrap_or(part)).collect()
}

fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a number, not `{value}`")))
}
