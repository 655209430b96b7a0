//! A hook between rooms that commit and an application that is sometimes away, on a store that outlives it.
//!
//! Goal: of each document the application hears the newest of each event, in order, never before it is durable and not before it is
//! quiet; and nothing is left behind that nobody is to be told. Method: the store is a set of marks, which rooms and the machine change
//! as they would; at the end the application takes everything.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use syncline_core::{
    hook::{HookEvent, HookFailure, HookMark, HookMarkId},
    id::{CommitNumber, DocumentId, RoomName, TenantId},
    limits::{HOOK_ATTEMPTS, HOOK_CALLS_MAX, HOOK_DEAD_MAX, HOOK_RETRY_AFTER_MS_MAX, HOOK_WAITING_MAX},
    time::{MonotonicMs, Now, WallMs},
};
use syncline_protocol::hooks::{Answer, Effect, Hook, Rules};

const TENANT: TenantId = TenantId(0);
const DOCUMENTS: u8 = 4;

/// When something was changed that comes from the store, or from an operator.
const HURRIED: i64 = i64::MIN / 2;

/// What happens.
#[derive(Clone, Debug)]
enum Step {
    /// A room commits; the hook hears of it, or does not.
    Commit {
        document: u8,
        heard: bool,
    },
    /// A document is deleted, and begins anew with the next commit.
    Delete {
        document: u8,
    },
    Pass {
        ms: u64,
    },
    /// The application answers one of the requests.
    Answer {
        which: usize,
        answer: Answer,
        chance: u32,
    },
    /// An operator wants all dead letters told again, or dropped.
    Retry,
    Drop,
    /// The server is killed and started again.
    Restart,
}

fn steps() -> impl Strategy<Value = Step> {
    let retry_after_ms = prop_oneof![Just(None), (0..100_000_u64).prop_map(Some)];
    let failed = retry_after_ms
        .prop_map(|retry_after_ms| Answer::Failed { failure: HookFailure::Status(500), retry_after_ms });
    let answer = prop_oneof![
        4 => Just(Answer::Taken),
        6 => failed,
        1 => (1..20_000_u64).prop_map(|retry_after_ms| Answer::Held { retry_after_ms }),
    ];
    prop_oneof![
        8 => (0..DOCUMENTS, prop::bool::weighted(0.9)).prop_map(|(document, heard)| Step::Commit { document, heard }),
        1 => (0..DOCUMENTS).prop_map(|document| Step::Delete { document }),
        6 => prop_oneof![0..3_000_u64, Just(100_000_000)].prop_map(|ms| Step::Pass { ms }),
        8 => (any::<usize>(), answer, any::<u32>())
            .prop_map(|(which, answer, chance)| Step::Answer { which, answer, chance }),
        1 => Just(Step::Retry),
        1 => Just(Step::Drop),
        1 => Just(Step::Restart),
    ]
}

/// A document, as its room knows it.
#[derive(Clone, Copy)]
struct Known {
    id: DocumentId,
    commit: u64,
    changed: u64,
    /// When the first change was made that no request was made about; [`HURRIED`] if it is told at once.
    first: Option<i64>,
    /// The same of what a request was made about last.
    told: Option<i64>,
}

struct World {
    hook: Hook,
    now: Now,
    store: BTreeMap<HookMarkId, HookMark>,
    known: BTreeMap<u8, Known>,
    born: u8,
    calls: Vec<HookMarkId>,
    taken: BTreeSet<HookMarkId>,
    /// Everything that was durable at some time.
    durable: BTreeSet<HookMarkId>,
}

fn mark(document: DocumentId, commit: u64, event: HookEvent) -> HookMark {
    let id = HookMarkId { tenant: TENANT, document, commit: CommitNumber(commit), event };
    HookMark { id, name: RoomName::new("plan").expect("a name"), at: WallMs(commit), dead: None }
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            hook: Hook::new(Rules::default(), false),
            now: Now::default(),
            store: BTreeMap::new(),
            known: BTreeMap::new(),
            born: 0,
            calls: Vec::new(),
            taken: BTreeSet::new(),
            durable: BTreeSet::new(),
        };
        world.carry_out();
        world
    }

    fn store(&mut self, mark: &HookMark) {
        self.store.insert(mark.id, mark.clone());
        self.durable.insert(mark.id);
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Commit { document, heard } => self.commit(document, heard),
            Step::Delete { document } => self.delete(document),
            Step::Pass { ms } => self.pass(ms),
            Step::Answer { which, answer, chance } => {
                if !self.calls.is_empty() {
                    let id = self.calls.remove(which % self.calls.len());
                    if answer == Answer::Taken {
                        self.taken.insert(id);
                    } else if let Some(known) = self.known.values_mut().find(|known| known.id == id.document)
                        && id.event == HookEvent::Changed
                    {
                        // It has waited all the while.
                        known.first = known.told;
                    }
                    self.hook.answered(self.now, id, answer, chance);
                }
            }
            Step::Retry => self.retry(),
            Step::Drop => assert!(self.hook.drop_dead(TENANT, None) <= HOOK_DEAD_MAX),
            Step::Restart => {
                (self.hook, self.calls) = (Hook::new(Rules::default(), false), Vec::new());
            }
        }
        self.carry_out();
    }

    /// A room's batch, and what the hook hears of it.
    fn commit(&mut self, document: u8, heard: bool) {
        self.born += 1;
        let born = DocumentId([self.born; 16]);
        let known = Known { id: born, commit: 0, changed: 0, first: None, told: None };
        let known = self.known.entry(document).or_insert(known);
        known.commit += 1;
        known.changed = self.now.monotonic.0;
        known.first.get_or_insert(known.changed.cast_signed());
        let Known { id, commit, .. } = *known;
        let mut marks = vec![mark(id, commit, HookEvent::Changed)];
        if commit == 1 {
            marks.insert(0, mark(id, 1, HookEvent::Created));
        }
        self.store.remove(&mark(id, commit - 1, HookEvent::Changed).id);
        for mark in marks {
            self.store(&mark);
            if heard {
                self.hook.note(self.now, mark);
            }
        }
        if !heard {
            self.hook.missed(self.now);
        }
    }

    /// Notes that these are told at once.
    fn hurry(&mut self, documents: &[DocumentId]) {
        let theirs = self.known.values_mut().filter(|known| documents.contains(&known.id));
        theirs.for_each(|known| known.first = Some(HURRIED));
    }

    fn retry(&mut self) {
        let dead: Vec<_> = self.hook.dead_letters(TENANT).map(|mark| mark.id.document).collect();
        self.hurry(&dead);
        self.hook.retry(self.now, TENANT, None);
    }

    fn delete(&mut self, document: u8) {
        let Some(Known { id, .. }) = self.known.remove(&document) else { return };
        self.store.retain(|mark, _| mark.document != id);
        let mark = mark(id, 0, HookEvent::Deleted);
        self.store(&mark);
        self.hook.note(self.now, mark);
    }

    fn pass(&mut self, ms: u64) {
        self.now.monotonic = self.now.monotonic.after(ms);
        self.now.wall.0 += ms;
        self.hook.handle_timeout(self.now);
    }

    fn carry_out(&mut self) {
        while let Some(effect) = self.hook.poll_effect() {
            match effect {
                Effect::Send(mark) => self.sent(&mark),
                Effect::Keep(mark) => drop(self.store.insert(mark.id, mark)),
                Effect::Forget(id) => drop(self.store.remove(&id)),
                Effect::Load => {
                    let all: Vec<_> = self.store.values().cloned().collect();
                    self.hurry(&all.iter().map(|mark| mark.id.document).collect::<Vec<_>>());
                    all.into_iter().for_each(|mark| self.hook.load(self.now, mark));
                    self.hook.loaded(self.now, true);
                }
            }
        }
        let due = self.hook.poll_timeout();
        assert!(due.is_none_or(|at| at > self.now.monotonic), "what is due is told");
    }

    fn sent(&mut self, mark: &HookMark) {
        let id = mark.id;
        assert!(mark.dead.is_none() && self.durable.contains(&id), "{id:?} is told before it is durable");
        assert!(self.calls.len() < HOOK_CALLS_MAX);
        assert!(self.calls.iter().all(|call| call.document != id.document), "one at a time");
        let is_first =
            |waiting: &HookMark| waiting.id.document != id.document || waiting.id.event >= id.event;
        assert!(
            self.store.values().filter(|mark| mark.dead.is_none()).all(is_first),
            "{id:?} is out of order"
        );
        let known = self.known.values_mut().find(|known| known.id == id.document);
        if let Some(known) = known.filter(|_| id.event == HookEvent::Changed) {
            let now = self.now.monotonic.0;
            let debounce = Rules::default().debounce;
            let is_quiet = now >= known.changed + debounce.quiet_ms;
            let is_long = |first| now.cast_signed() >= first + debounce.longest_ms.cast_signed();
            assert!(is_quiet || known.first.is_none_or(is_long), "{id:?} is told too early");
            known.told = known.first.take();
        }
        self.calls.push(id);
    }

    /// The application is back, and takes everything.
    fn end(&mut self) {
        self.retry();
        self.carry_out();
        let mut rounds = 0;
        while !self.calls.is_empty() || self.hook.poll_timeout().is_some() {
            rounds += 1;
            assert!(rounds < 1_000, "it goes on for ever");
            for id in std::mem::take(&mut self.calls) {
                self.taken.insert(id);
                self.hook.answered(self.now, id, Answer::Taken, 0);
                self.carry_out();
            }
            self.pass(2 * HOOK_RETRY_AFTER_MS_MAX);
            self.carry_out();
        }
        assert_eq!(self.store, BTreeMap::new(), "everything was told");
        assert_eq!(self.hook.stats().waiting, 0);
    }
}

proptest! {
    #[test]
    fn the_newest_of_each_document_is_told(steps in prop::collection::vec(steps(), 1..80)) {
        let mut world = World::new();
        let mut dropped = BTreeSet::new();
        for step in &steps {
            if matches!(step, Step::Drop) {
                dropped.extend(world.hook.dead_letters(TENANT).map(|mark| mark.id));
            }
            world.step(step);
        }
        world.end();
        for known in world.known.values() {
            let newest = mark(known.id, known.commit, HookEvent::Changed).id;
            prop_assert!(world.taken.contains(&newest) || dropped.contains(&newest), "{:?} was not told", newest);
        }
    }
}

fn now(ms: u64) -> Now {
    Now { monotonic: MonotonicMs(ms), wall: WallMs(ms) }
}

/// A hook that has read an empty store.
fn begun() -> Hook {
    let mut hook = Hook::new(Rules::default(), false);
    assert_eq!(hook.poll_effect(), Some(Effect::Load));
    hook.loaded(now(0), true);
    hook
}

fn failed() -> Answer {
    Answer::Failed { failure: HookFailure::Late, retry_after_ms: None }
}

const fn document(number: u16) -> DocumentId {
    let [high, low] = number.to_be_bytes();
    DocumentId([high, low, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}

#[test]
fn a_document_that_changes_all_the_time_is_told_now_and_then() {
    let mut hook = begun();
    let mut told = Vec::new();
    for tick in 0..=21_u64 {
        let at = now(tick * 1_000);
        hook.handle_timeout(at);
        while let Some(effect) = hook.poll_effect() {
            let Effect::Send(mark) = effect else { continue };
            told.push((tick, mark.id.commit.0));
            hook.answered(at, mark.id, Answer::Taken, 0);
        }
        hook.note(at, mark(document(1), tick + 1, HookEvent::Changed));
    }
    assert_eq!(told, [(10, 10), (20, 20)]);
    assert_eq!(hook.poll_timeout(), Some(MonotonicMs(23_000)), "and when it is quiet");
}

/// What is tried in vain becomes a dead letter, which the next change of the document takes the place of.
#[test]
fn what_cannot_be_told_is_given_up_and_kept() {
    let mut hook = begun();
    let first = mark(document(1), 1, HookEvent::Changed);
    hook.note(now(0), first.clone());
    let (mut attempts, mut at) = (0, now(0));
    while let Some(due) = hook.poll_timeout() {
        at = now(due.0);
        hook.handle_timeout(at);
        assert_eq!(hook.poll_effect(), Some(Effect::Send(first.clone())));
        attempts += 1;
        hook.answered(at, first.id, failed(), u32::MAX / 2);
    }
    assert_eq!(attempts, HOOK_ATTEMPTS);
    let Some(Effect::Keep(letter)) = hook.poll_effect() else { panic!("it is kept") };
    let dead = letter.dead.expect("a dead letter");
    assert_eq!((dead.at, dead.attempts, dead.failure), (at.wall, HOOK_ATTEMPTS, HookFailure::Late));
    assert_eq!(hook.dead_letters(TENANT).collect::<Vec<_>>(), [&letter]);
    assert_eq!(hook.dead_letters(TenantId(1)).count(), 0, "it is of one tenant");
    assert_eq!(hook.retry(at, TenantId(1), Some(&first.id)), 0);

    assert_eq!(hook.retry(at, TENANT, Some(&first.id)), 1);
    assert_eq!(hook.poll_effect(), Some(Effect::Keep(first.clone())));
    assert_eq!(hook.poll_effect(), Some(Effect::Send(first.clone())));
    hook.answered(at, first.id, failed(), 0);
    hook.load(at, letter);
    hook.note(at, mark(document(1), 3, HookEvent::Changed));
    let forgotten: Vec<_> = std::iter::from_fn(|| hook.poll_effect()).collect();
    assert_eq!(forgotten, [Effect::Forget(first.id), Effect::Forget(first.id)], "one of both");
    assert_eq!(hook.stats().dead, 0);
}

#[test]
fn an_application_that_wants_nothing_more_is_told_nothing_more() {
    let mut hook = begun();
    for number in 1..=9 {
        hook.note(now(0), mark(document(number), 1, HookEvent::Created));
    }
    let Some(Effect::Send(first)) = hook.poll_effect() else { panic!("it is told at once") };
    hook.answered(now(0), first.id, Answer::Unwanted, 0);
    let rest: Vec<_> = std::iter::from_fn(|| hook.poll_effect()).collect();
    assert_eq!(rest.len(), HOOK_CALLS_MAX - 1, "what was under way");
    for effect in rest {
        let Effect::Send(mark) = effect else { panic!("nothing is forgotten") };
        hook.answered(now(0), mark.id, failed(), 0);
    }
    hook.note(now(9), mark(document(1), 2, HookEvent::Changed));
    assert_eq!((hook.poll_effect(), hook.poll_timeout(), hook.is_unwanted()), (None, None, true));
    assert!(
        Hook::new(Rules::default(), true).poll_effect() == Some(Effect::Load),
        "its dead letters are read"
    );
}

/// `Retry-After` holds everything, and no longer than an hour.
#[test]
fn an_application_is_left_in_peace_as_it_asks() {
    for (asked, want) in [(60_000, 60_000), (u64::MAX, HOOK_RETRY_AFTER_MS_MAX)] {
        let mut hook = begun();
        hook.note(now(0), mark(document(1), 1, HookEvent::Created));
        let Some(Effect::Send(first)) = hook.poll_effect() else { panic!("it is told at once") };
        let (failure, retry_after_ms) = (HookFailure::Status(429), Some(asked));
        hook.answered(now(0), first.id, Answer::Failed { failure, retry_after_ms }, 0);
        hook.note(now(0), mark(document(2), 1, HookEvent::Created));
        assert_eq!(hook.poll_timeout(), Some(MonotonicMs(want)));
        hook.handle_timeout(now(want));
        assert!(matches!(hook.poll_effect(), Some(Effect::Send(_))));
    }
}

#[test]
fn dead_letters_are_bounded_and_the_oldest_go() {
    let mut hook = begun();
    let letter = |number: u16| {
        let dead = syncline_core::hook::DeadLetter {
            at: WallMs(number.into()),
            attempts: 10,
            failure: HookFailure::Unreachable,
        };
        HookMark { dead: Some(dead), ..mark(document(number), 1, HookEvent::Changed) }
    };
    let count = u16::try_from(HOOK_DEAD_MAX).expect("small");
    (0..=count).rev().for_each(|number| hook.load(now(0), letter(number)));
    assert_eq!(hook.poll_effect(), Some(Effect::Forget(letter(0).id)));
    assert_eq!((hook.stats().dead, hook.stats().dropped), (HOOK_DEAD_MAX, 1));
    assert_eq!(hook.dead_letters(TENANT).next(), Some(&letter(1)));
}

/// What does not fit into memory is read when half of what does is done.
#[test]
fn memory_is_bounded_and_nothing_is_left_behind() {
    let mut hook = begun();
    let all = u16::try_from(HOOK_WAITING_MAX).expect("small") + 1;
    for number in 0..all {
        hook.note(now(0), mark(document(number), 1, HookEvent::Created));
    }
    assert!(!hook.has_room());
    assert_eq!(hook.stats().waiting, HOOK_WAITING_MAX);
    let mut told = 0;
    while let Some(effect) = hook.poll_effect() {
        match effect {
            Effect::Send(mark) => {
                told += 1;
                hook.answered(now(0), mark.id, Answer::Taken, 0);
            }
            Effect::Load => {
                assert!(told >= HOOK_WAITING_MAX / 2);
                for number in 0..all {
                    // The first half was told, and is not in the store any more.
                    if usize::from(number) >= told {
                        hook.load(now(0), mark(document(number), 1, HookEvent::Created));
                    }
                }
                hook.loaded(now(0), true);
            }
            Effect::Keep(_) | Effect::Forget(_) => {}
        }
    }
    assert_eq!(told, usize::from(all));
}
