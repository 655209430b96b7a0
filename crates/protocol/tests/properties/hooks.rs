//! A hook between rooms that commit and an application that is sometimes away, on a store that outlives it.
//!
//! Goal: of each name the application hears the newest of each event, of one document after another, in order, never before it is durable
//! and not before it is quiet; and nothing is left behind that nobody is to be told. Method: the store is a set of marks, which rooms and the
//! machine change as they would: what rooms tell is heard now, later or never, and their batches may come between what the machine wants
//! stored and that; at the end the application takes everything.

mod steps;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use syncline_core::{
    hook::{HookEvent, HookFailure, HookMark, HookMarkId},
    id::{CommitNumber, DocumentId, RoomName, TenantId},
    limits::{HOOK_CALLS_MAX, HOOK_DEAD_MAX, HOOK_RETRY_AFTER_MS_MAX},
    time::{Now, WallMs},
};
use syncline_protocol::hooks::{Answer, Effect, Hook, Reading, Rules};

const TENANT: TenantId = TenantId(0);
const NAMES: u8 = 3;

/// When something was changed that comes from the store, or from an operator.
const HURRIED: i64 = i64::MIN / 2;

/// Whether the hook hears of what a room has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Now,
    Later,
    /// Its inbox was full.
    Never,
    /// It was full for the first of what there is to tell.
    InPart,
}

/// What a room does.
#[derive(Clone, Copy, Debug)]
enum Does {
    Commit,
    /// The next commit begins another document of the name.
    Delete,
}

/// What happens.
#[derive(Clone, Debug)]
enum Step {
    Room {
        name: u8,
        does: Does,
        heard: Heard,
    },
    /// The same as soon as the machine wants something stored or read, and before that is.
    Slip {
        name: u8,
        does: Does,
    },
    Hear,
    /// What is stored of deleted documents is removed.
    Sweep,
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
        40 => Just(Answer::Taken),
        60 => failed,
        10 => (1..20_000_u64).prop_map(|retry_after_ms| Answer::Held { retry_after_ms }),
        1 => Just(Answer::Unwanted),
    ];
    let heard = prop_oneof![
        12 => Just(Heard::Now),
        4 => Just(Heard::Later),
        1 => Just(Heard::Never),
        1 => Just(Heard::InPart),
    ];
    let does = || prop_oneof![5 => Just(Does::Commit), 1 => Just(Does::Delete)];
    prop_oneof![
        9 => (0..NAMES, does(), heard).prop_map(|(name, does, heard)| Step::Room { name, does, heard }),
        3 => (0..NAMES, does()).prop_map(|(name, does)| Step::Slip { name, does }),
        2 => Just(Step::Hear),
        1 => Just(Step::Sweep),
        6 => prop_oneof![0..3_000_u64, Just(100_000_000)].prop_map(|ms| Step::Pass { ms }),
        9 => (any::<usize>(), answer, any::<u32>())
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
    /// When the hook has heard of the last change.
    changed: u64,
    /// When it has heard of the first change that no request was made about; [`HURRIED`] if it is told at once.
    first: Option<i64>,
    /// The same of what a request was made about last.
    told: Option<i64>,
}

struct World {
    hook: Hook,
    now: Now,
    store: BTreeMap<HookMarkId, HookMark>,
    /// What names mean.
    known: BTreeMap<u8, Known>,
    born: u8,
    /// Documents of which something is stored still that nobody finds.
    deleted: Vec<DocumentId>,
    /// What rooms have told, and whether something was lost.
    inbox: VecDeque<HookMark>,
    missed: bool,
    slips: VecDeque<(u8, Does)>,
    /// Requests under way, and whether there was what they are about when they were made.
    calls: Vec<(HookMark, bool)>,
    taken: BTreeSet<HookMarkId>,
    /// Everything that was durable at some time.
    durable: BTreeSet<HookMarkId>,
    /// Dead letters that were told again.
    revived: BTreeSet<HookMarkId>,
    /// The furthest that the application has heard of each name.
    heard: BTreeMap<RoomName, Place>,
}

/// Documents are born in the order of their ids.
type Place = (DocumentId, HookEvent, CommitNumber);

fn place(id: HookMarkId) -> Place {
    (id.document, id.event, id.commit)
}

fn room(name: u8) -> RoomName {
    RoomName::new(&format!("plan {name}")).expect("a name")
}

fn mark_of(name: RoomName, document: DocumentId, commit: u64, event: HookEvent) -> HookMark {
    let id = HookMarkId { tenant: TENANT, document, commit: CommitNumber(commit), event };
    HookMark { id, name, at: WallMs(commit), attempts: 0, dead: None }
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            hook: Hook::new(Rules::default(), false),
            now: Now::default(),
            store: BTreeMap::new(),
            known: BTreeMap::new(),
            born: 0,
            deleted: Vec::new(),
            inbox: VecDeque::new(),
            missed: false,
            slips: VecDeque::new(),
            calls: Vec::new(),
            taken: BTreeSet::new(),
            durable: BTreeSet::new(),
            revived: BTreeSet::new(),
            heard: BTreeMap::new(),
        };
        world.carry_out();
        world
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Room { name, does, heard } => {
                self.room(name, does, heard);
                if heard != Heard::Later {
                    self.hear();
                }
            }
            Step::Slip { name, does } => self.slips.push_back((name, does)),
            Step::Hear => self.hear(),
            Step::Sweep => self.sweep(),
            Step::Pass { ms } => self.pass(ms),
            Step::Answer { which, answer, chance } => {
                if !self.calls.is_empty() {
                    let call = self.calls.remove(which % self.calls.len());
                    self.answer(call, answer, chance);
                }
            }
            Step::Retry => self.retry(),
            Step::Drop => assert!(self.hook.drop_dead(TENANT, None) <= HOOK_DEAD_MAX),
            Step::Restart => self.restart(),
        }
        self.carry_out();
    }

    fn restart(&mut self) {
        (self.hook, self.calls) = (Hook::new(Rules::default(), false), Vec::new());
        (self.inbox, self.missed) = (VecDeque::new(), false);
    }

    fn answer(&mut self, (mark, is_there): (HookMark, bool), answer: Answer, chance: u32) {
        let id = mark.id;
        let answer = if is_there { answer } else { Answer::Gone };
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

    /// A room's batch, and what it tells when that is durable.
    fn room(&mut self, name: u8, does: Does, heard: Heard) {
        let marks = match does {
            Does::Commit => self.commit(name),
            Does::Delete => self.delete(name),
        };
        for (number, mark) in marks.into_iter().enumerate() {
            self.store.insert(mark.id, mark.clone());
            self.durable.insert(mark.id);
            if heard == Heard::Never || (heard == Heard::InPart && number == 0) {
                self.missed = true;
            } else {
                self.inbox.push_back(mark);
            }
        }
    }

    fn commit(&mut self, name: u8) -> Vec<HookMark> {
        self.born += 1;
        let born = DocumentId([self.born; 16]);
        let known = Known { id: born, commit: 0, changed: 0, first: None, told: None };
        let known = self.known.entry(name).or_insert(known);
        known.commit += 1;
        let Known { id, commit, .. } = *known;
        self.store.remove(&mark_of(room(name), id, commit - 1, HookEvent::Changed).id);
        let created = (commit == 1).then_some(HookEvent::Created);
        let events = created.into_iter().chain([HookEvent::Changed]);
        events.map(|event| mark_of(room(name), id, commit, event)).collect()
    }

    fn delete(&mut self, name: u8) -> Vec<HookMark> {
        let Some(Known { id, .. }) = self.known.remove(&name) else { return Vec::new() };
        self.deleted.push(id);
        vec![HookMark { at: self.now.wall, ..mark_of(room(name), id, 0, HookEvent::Deleted) }]
    }

    fn sweep(&mut self) {
        for document in std::mem::take(&mut self.deleted) {
            self.store.retain(|id, _| id.document != document || id.event == HookEvent::Deleted);
        }
    }

    /// The hook takes in what it was told.
    fn hear(&mut self) {
        if std::mem::take(&mut self.missed) {
            self.hook.missed(self.now);
        }
        for mark in std::mem::take(&mut self.inbox) {
            let known = self.known.values_mut().find(|known| known.id == mark.id.document);
            if let Some(known) = known.filter(|_| mark.id.event == HookEvent::Changed) {
                known.changed = self.now.monotonic.0;
                known.first.get_or_insert(known.changed.cast_signed());
            }
            self.hook.note(self.now, mark);
        }
    }

    /// Notes that these are told at once.
    fn hurry(&mut self, documents: &[DocumentId]) {
        let theirs = self.known.values_mut().filter(|known| documents.contains(&known.id));
        theirs.for_each(|known| known.first = Some(HURRIED));
    }

    fn retry(&mut self) {
        let dead: Vec<_> = self.hook.dead_letters(TENANT).map(|mark| mark.id).collect();
        self.hurry(&dead.iter().map(|id| id.document).collect::<Vec<_>>());
        self.revived.extend(dead);
        self.hook.retry(self.now, TENANT, None);
    }

    fn pass(&mut self, ms: u64) {
        self.now.monotonic = self.now.monotonic.after(ms);
        self.now.wall.0 += ms;
        self.hook.handle_timeout(self.now);
    }

    fn carry_out(&mut self) {
        let mut batch = Vec::new();
        while let Some(effect) = self.hook.poll_effect() {
            match effect {
                Effect::Send(mark) => self.sent(&mark, &batch),
                Effect::Keep(_) | Effect::Forget(_) => batch.push(effect),
                Effect::Load => {
                    self.apply(&std::mem::take(&mut batch));
                    self.load();
                }
            }
        }
        self.apply(&batch);
        let due = self.hook.poll_timeout();
        assert!(due.is_none_or(|at| at > self.now.monotonic), "what is due is told");
    }

    /// Stores what the machine wants stored, behind what rooms have stored meanwhile.
    fn apply(&mut self, batch: &[Effect]) {
        if !batch.is_empty() {
            self.slip();
            apply(&mut self.store, batch);
        }
    }

    fn slip(&mut self) {
        while let Some((name, does)) = self.slips.pop_front() {
            self.room(name, does, Heard::Later);
        }
    }

    fn load(&mut self) {
        for is_end in [true, false] {
            let those = self.store.values().filter(|mark| (mark.id.event == HookEvent::Deleted) == is_end);
            let those: Vec<_> = those.cloned().collect();
            self.hurry(&those.iter().map(|mark| mark.id.document).collect::<Vec<_>>());
            those.into_iter().for_each(|mark| self.hook.load(self.now, mark));
            self.slip();
        }
        self.hear();
        self.hook.loaded(self.now, Reading::Whole);
    }

    /// Checks a request that is made when this is still to be stored.
    fn sent(&mut self, mark: &HookMark, batch: &[Effect]) {
        let id = mark.id;
        assert!(mark.dead.is_none() && self.durable.contains(&id), "{id:?} is told before it is durable");
        assert!(self.calls.len() < HOOK_CALLS_MAX);
        let is_there =
            id.event == HookEvent::Deleted || self.known.values().any(|known| known.id == id.document);
        let mut store = self.store.clone();
        apply(&mut store, batch);
        assert!(self.calls.iter().all(|(call, _)| call.name != mark.name), "one at a time");
        self.calls.push((mark.clone(), is_there));
        if !is_there {
            return;
        }
        let is_rotten = |other: &HookMark| {
            other.id.event != HookEvent::Deleted
                && self.known.values().all(|known| known.id != other.id.document)
        };
        let before = store.values().find(|other| {
            other.name == mark.name && other.dead.is_none() && !is_rotten(other) && {
                let (document, event, _) = place(other.id);
                (document, event) < (id.document, id.event)
            }
        });
        assert_eq!(before, None, "{id:?} is out of order");
        if !self.revived.contains(&id) {
            let heard = self.heard.entry(mark.name.clone()).or_insert(place(id));
            assert!(*heard <= place(id), "{id:?} is told behind {heard:?}");
            *heard = place(id);
        }
        self.check_quiet(id);
    }

    fn check_quiet(&mut self, id: HookMarkId) {
        let known = self.known.values_mut().find(|known| known.id == id.document);
        let Some(known) = known.filter(|_| id.event == HookEvent::Changed) else { return };
        let now = self.now.monotonic.0;
        let debounce = Rules::default().debounce;
        let is_quiet = now >= known.changed + debounce.quiet_ms;
        let is_long = |first| now.cast_signed() >= first + debounce.longest_ms.cast_signed();
        assert!(is_quiet || known.first.is_none_or(is_long), "{id:?} is told too early");
        known.told = known.first.take();
    }

    /// The application is back, and takes everything.
    fn end(&mut self) {
        if self.hook.is_unwanted() {
            self.restart();
        }
        self.slip();
        self.sweep();
        self.hear();
        self.carry_out();
        self.retry();
        self.carry_out();
        let mut rounds = 0;
        while !self.calls.is_empty() || self.hook.poll_timeout().is_some() {
            rounds += 1;
            assert!(rounds < 1_000, "it goes on for ever");
            for call in std::mem::take(&mut self.calls) {
                self.answer(call, Answer::Taken, 0);
                self.carry_out();
            }
            self.pass(2 * HOOK_RETRY_AFTER_MS_MAX);
            self.carry_out();
        }
        assert_eq!(self.store, BTreeMap::new(), "everything was told");
        assert_eq!(self.hook.stats().waiting, 0);
    }
}

/// Changes the store as the task of a hook does.
fn apply(store: &mut BTreeMap<HookMarkId, HookMark>, batch: &[Effect]) {
    for effect in batch {
        match effect {
            Effect::Keep(mark) => {
                let commit = CommitNumber(mark.id.commit.0.saturating_sub(1));
                if mark.dead.is_none() && mark.id.event == HookEvent::Changed {
                    store.remove(&HookMarkId { commit, ..mark.id });
                }
                store.insert(mark.id, mark.clone());
            }
            Effect::Forget(id) => drop(store.remove(id)),
            Effect::Send(_) | Effect::Load => unreachable!("they store nothing"),
        }
    }
}

proptest! {
    #[test]
    fn the_newest_of_each_document_is_told(steps in prop::collection::vec(steps(), 1..100)) {
        let mut world = World::new();
        let mut dropped = BTreeSet::new();
        for step in &steps {
            if matches!(step, Step::Drop) {
                dropped.extend(world.hook.dead_letters(TENANT).map(|mark| mark.id));
            }
            world.step(step);
        }
        world.end();
        let newest = world.known.iter().map(|(name, known)| {
            mark_of(room(*name), known.id, known.commit, HookEvent::Changed).id
        });
        let ends = world.durable.iter().copied().filter(|id| id.event == HookEvent::Deleted);
        for owed in newest.chain(ends) {
            prop_assert!(world.taken.contains(&owed) || dropped.contains(&owed), "{:?} was not told", owed);
        }
    }
}
