//! Random histories: replicas write, lose, double and reorder changes, and in the end bring each other up to date.

use syncline_core::clock::ReplicaId;

use super::choice::Choice;
use super::graph::{Events, Graph};
use super::state;
use super::subject::{At, Breach, Subject};

/// States kept of a history to check the laws on.
const SAMPLES: usize = 6;

/// A replica, or a change on its way: a state with the events it is made of.
struct Copy<S: Subject> {
    state: S::State,
    seen: Events,
}

impl<S: Subject> Clone for Copy<S> {
    fn clone(&self) -> Self {
        Self { state: self.state.clone(), seen: self.seen }
    }
}

impl<S: Subject> Default for Copy<S> {
    fn default() -> Self {
        Self { state: S::State::default(), seen: 0 }
    }
}

impl<S: Subject> Copy<S> {
    fn merge(&mut self, other: &Self) {
        S::merge(&mut self.state, &other.state);
        self.seen |= other.seen;
    }
}

/// A history as it goes on.
struct World<S: Subject> {
    graph: Graph<S::Op>,
    replicas: Vec<Copy<S>>,
    /// What each replica was last known to have.
    acknowledged: Vec<Copy<S>>,
    on_the_way: Vec<Copy<S>>,
    samples: Vec<S::State>,
    has_dropped: bool,
}

/// Makes a history of `steps` steps and checks all laws on it.
///
/// # Errors
/// Names the law that does not hold.
pub(crate) fn run<S: Subject>(choice: &mut Choice<'_>, steps: usize) -> Result<(), Breach> {
    let mut world = World::<S>::new(3 + choice.below(3));
    let ops = S::ops();
    for _ in 0..steps {
        if choice.is_used_up() {
            break;
        }
        world.step(choice, &ops)?;
    }
    world.check_groups(choice)?;
    world.check_samples(choice)?;
    world.heal(choice)
}

impl<S: Subject> World<S> {
    fn new(replicas: usize) -> Self {
        Self {
            graph: Graph::new(),
            replicas: vec![Copy::default(); replicas],
            acknowledged: vec![Copy::default(); replicas],
            on_the_way: Vec::new(),
            samples: vec![S::State::default()],
            has_dropped: false,
        }
    }

    fn step(&mut self, choice: &mut Choice<'_>, ops: &[S::Op]) -> Result<(), Breach> {
        let here = choice.below(self.replicas.len());
        match choice.below(16) {
            0..6 => self.write(here, choice.of(ops))?,
            6..10 => self.deliver(here, choice),
            10..12 => {
                let from = self.replicas[choice.below(self.replicas.len())].clone();
                self.replicas[here].merge(&from);
            }
            12..14 => self.pull(here, choice)?,
            14 => self.acknowledged[here] = self.replicas[here].clone(),
            _ => self.stabilize(here)?,
        }
        if choice.one_in(4) {
            let at = choice.below(SAMPLES);
            let sample = self.replicas[here].state.clone();
            if at < self.samples.len() { self.samples[at] = sample } else { self.samples.push(sample) }
        }
        self.check_view(here)
    }

    fn write(&mut self, here: usize, op: &S::Op) -> Result<(), Breach> {
        if self.graph.is_full() {
            return Ok(());
        }
        let Copy { state, seen } = &mut self.replicas[here];
        let replica = ReplicaId(here as u64 + 1);
        let at = At { replica, time: self.graph.time_after(*seen), number: self.graph.events.len() };
        let before = state.clone();
        let Some(delta) = S::apply(state, at, op) else {
            return Breach::unless(*state == before, "what is refused changes nothing", || {
                format!("{op:?} on {before:?}")
            });
        };
        let event = self.graph.add(replica, *seen, Some(op.clone()));
        *seen |= event;
        check_change::<S>(&before, state, &delta, || format!("{op:?}"))?;
        self.on_the_way.push(Copy { state: delta, seen: event });
        Ok(())
    }

    /// Brings some change that was ever made, perhaps again, perhaps with others as one. Those never chosen are lost.
    fn deliver(&mut self, here: usize, choice: &mut Choice<'_>) {
        if self.on_the_way.is_empty() {
            return;
        }
        let mut group = choice.of(&self.on_the_way).clone();
        while !choice.is_used_up() && choice.one_in(3) {
            group.merge(choice.of(&self.on_the_way));
        }
        self.replicas[here].merge(&group);
    }

    fn pull(&mut self, here: usize, choice: &mut Choice<'_>) -> Result<(), Breach> {
        let from = choice.below(self.replicas.len());
        let Some(delta) = S::since(&self.replicas[from].state, &self.replicas[here].state) else {
            return Ok(());
        };
        let mut whole = self.replicas[here].state.clone();
        S::merge(&mut whole, &self.replicas[from].state);
        let seen = self.replicas[from].seen;
        self.replicas[here].merge(&Copy { state: delta, seen });
        Breach::unless(self.replicas[here].state == whole, "a + b.since(a) = a + b", || {
            format!("\n  want {whole:?}\n  got {:?}", self.replicas[here].state)
        })
    }

    fn stabilize(&mut self, here: usize) -> Result<(), Breach> {
        if self.graph.is_full() {
            return Ok(());
        }
        let others = self.acknowledged.iter().enumerate().filter(|(at, _)| *at != here);
        let acknowledged: Vec<S::State> = others.map(|(_, copy)| copy.state.clone()).collect();
        let Copy { state, seen } = &mut self.replicas[here];
        let before = state.clone();
        let Some(delta) = S::stabilize(state, &acknowledged) else { return Ok(()) };
        let law = "what is stable is not read";
        Breach::unless(S::view(&before) == S::view(state), law, || {
            format!("\n  before {before:?}\n  after {state:?}")
        })?;
        if delta != S::State::default() {
            // Others that have not heard of it may read older changes than they would with it: so it counts as seen.
            let event = self.graph.add(ReplicaId(here as u64 + 1), *seen, None);
            *seen |= event;
            check_change::<S>(&before, state, &delta, || "stabilize".into())?;
            self.on_the_way.push(Copy { state: delta, seen: event });
            self.has_dropped = true;
        }
        Ok(())
    }

    fn check_view(&self, here: usize) -> Result<(), Breach> {
        let Copy { state, seen } = &self.replicas[here];
        if !self.graph.is_closed(*seen) {
            return Ok(());
        }
        let (got, want) = (S::view(state), S::expected(&self.graph, *seen));
        Breach::unless(got == want, "reads are as specified", || {
            format!(
                "\n  got {got:?}\n  want {want:?}\n  state {state:?}\n  seen {seen:b} of {:?}",
                self.graph
            )
        })
    }

    /// Changes may be gathered in any order.
    fn check_groups(&self, choice: &mut Choice<'_>) -> Result<(), Breach> {
        let mut order: Vec<usize> = (0..self.on_the_way.len().min(8)).collect();
        let gather = |order: &[usize]| {
            let mut group = Copy::<S>::default();
            order.iter().for_each(|&at| group.merge(&self.on_the_way[at]));
            group.state
        };
        let forwards = gather(&order);
        shuffle(&mut order, choice);
        Breach::unless(gather(&order) == forwards, "changes gather in any order", || {
            format!("{:?}", order.iter().map(|&at| &self.on_the_way[at].state).collect::<Vec<_>>())
        })
    }

    fn check_samples(&mut self, choice: &mut Choice<'_>) -> Result<(), Breach> {
        self.samples.extend(self.replicas.iter().map(|copy| copy.state.clone()));
        self.samples.extend(self.on_the_way.iter().take(3).map(|copy| copy.state.clone()));
        for _ in 0..6 {
            let (a, b, c) = (choice.of(&self.samples), choice.of(&self.samples), choice.of(&self.samples));
            state::check::<S>(a, b, c)?;
        }
        Ok(())
    }

    /// Brings all together in an order that differs from replica to replica: they must be equal, and as specified.
    fn heal(&mut self, choice: &mut Choice<'_>) -> Result<(), Breach> {
        let all = self.replicas.clone();
        let mut order: Vec<usize> = (0..all.len()).collect();
        for here in 0..all.len() {
            shuffle(&mut order, choice);
            order.iter().for_each(|&from| self.replicas[here].merge(&all[from]));
        }
        let first = &self.replicas[0];
        for other in &self.replicas {
            Breach::unless(first.state == other.state, "who has merged the same is the same", || {
                format!("\n  one {:?}\n  other {:?}", first.state, other.state)
            })?;
        }
        self.check_view(0)?;
        self.check_push_only(choice)
    }

    /// A replica that gets each change once, in some order, and never a whole state, ends as the others.
    fn check_push_only(&self, choice: &mut Choice<'_>) -> Result<(), Breach> {
        let mut order: Vec<usize> = (0..self.on_the_way.len()).collect();
        shuffle(&mut order, choice);
        let mut pushed = Copy::<S>::default();
        order.iter().for_each(|&at| pushed.merge(&self.on_the_way[at]));
        let all = &self.replicas[0];
        Breach::unless(pushed.seen == all.seen, "no event without a change", String::new)?;
        Breach::unless(pushed.state == all.state, "all changes make the whole state", || {
            format!("\n  changes {:?}\n  states {:?}", pushed.state, all.state)
        })
    }
}

/// A change inflates the state, and is what it was changed by.
fn check_change<S: Subject>(
    before: &S::State,
    after: &S::State,
    delta: &S::State,
    what: impl Fn() -> String,
) -> Result<(), Breach> {
    let on = || format!("{}\n  before {before:?}\n  after {after:?}\n  delta {delta:?}", what());
    let mut with_delta = before.clone();
    S::merge(&mut with_delta, delta);
    Breach::unless(with_delta == *after, "a + change = changed a", on)?;
    let mut with_before = after.clone();
    S::merge(&mut with_before, before);
    Breach::unless(with_before == *after, "a change only adds", on)
}

fn shuffle<T>(items: &mut [T], choice: &mut Choice<'_>) {
    for end in (1..items.len()).rev() {
        items.swap(end, choice.below(end + 1));
    }
}
