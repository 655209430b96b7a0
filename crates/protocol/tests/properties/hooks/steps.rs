//! What the machine of a hook does step by step.

use syncline_core::{
    hook::{DeadLetter, HookEvent, HookFailure, HookMark},
    id::{DocumentId, RoomName, TenantId},
    limits::{
        HOOK_ATTEMPTS, HOOK_CALLS_MAX, HOOK_DEAD_MAX, HOOK_READ_MS, HOOK_READ_MS_MAX,
        HOOK_RETRY_AFTER_MS_MAX, HOOK_WAITING_MAX,
    },
    time::{MonotonicMs, Now, WallMs},
};
use syncline_protocol::hooks::{Answer, Effect, Hook, Reading, Rules};

use super::{TENANT, mark_of};

fn now(ms: u64) -> Now {
    Now { monotonic: MonotonicMs(ms), wall: WallMs(ms) }
}

/// A hook that has read an empty store.
fn begun() -> Hook {
    let mut hook = Hook::new(Rules::default(), false);
    assert_eq!(hook.poll_effect(), Some(Effect::Load));
    hook.loaded(now(0), Reading::Whole);
    hook
}

/// Returns a mark of a document that has a name of its own.
fn mark(document: DocumentId, commit: u64, event: HookEvent) -> HookMark {
    mark_of(RoomName::new(&document.to_string()).expect("a name"), document, commit, event)
}

fn effects(hook: &mut Hook) -> Vec<Effect> {
    std::iter::from_fn(|| hook.poll_effect()).collect()
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

/// What is tried in vain becomes a dead letter, and each attempt is stored.
#[test]
fn what_cannot_be_told_is_given_up_and_kept() {
    let mut hook = begun();
    let first = mark(document(1), 1, HookEvent::Changed);
    hook.note(now(0), first.clone());
    let (mut attempts, mut at) = (0, now(0));
    while let Some(due) = hook.poll_timeout() {
        let tried = HookMark { attempts, ..first.clone() };
        if attempts > 0 {
            assert_eq!(hook.poll_effect(), Some(Effect::Keep(tried.clone())));
        }
        at = now(due.0);
        hook.handle_timeout(at);
        assert_eq!(hook.poll_effect(), Some(Effect::Send(tried)));
        attempts += 1;
        hook.answered(at, first.id, failed(), u32::MAX / 2);
    }
    assert_eq!(attempts, HOOK_ATTEMPTS);
    let dead = Some(DeadLetter { at: at.wall, failure: HookFailure::Late });
    let letter = HookMark { attempts, dead, ..first.clone() };
    assert_eq!(effects(&mut hook), [Effect::Keep(letter.clone())]);
    assert_eq!(hook.dead_letters(TENANT).collect::<Vec<_>>(), [&letter]);
    assert_eq!(hook.dead_letters(TenantId(1)).count(), 0, "it is of one tenant");
    assert_eq!(hook.retry(at, TenantId(1), Some(&first.id)), 0);
    assert_eq!(hook.retry(at, TENANT, Some(&first.id)), 1);
    assert_eq!(effects(&mut hook), [Effect::Keep(first.clone()), Effect::Send(first)], "from the beginning");
    assert_eq!(hook.stats().dead, 0);
}

/// A server that starts often gives up in the end.
#[test]
fn attempts_are_counted_on_behind_a_start() {
    let mut stored = mark(document(1), 1, HookEvent::Changed);
    for attempts in 1..HOOK_ATTEMPTS {
        let mut hook = Hook::new(Rules::default(), false);
        hook.load(now(0), stored.clone());
        hook.loaded(now(0), Reading::Whole);
        assert_eq!(effects(&mut hook), [Effect::Load, Effect::Send(stored.clone())]);
        hook.answered(now(0), stored.id, failed(), 0);
        let all = effects(&mut hook);
        let [Effect::Keep(kept)] = &all[..] else { panic!("{all:?} is no attempt that is kept") };
        assert_eq!((kept.attempts, kept.dead), (attempts, None));
        stored = kept.clone();
    }
    let mut hook = Hook::new(Rules::default(), false);
    hook.load(now(0), stored.clone());
    hook.loaded(now(0), Reading::Whole);
    hook.answered(now(0), stored.id, failed(), 0);
    assert_eq!(hook.stats().buried, 1);
}

/// The next document of a name waits for the end of the one before, as long as that may be told by itself.
#[test]
fn a_document_waits_for_the_end_of_the_one_before() {
    let name = RoomName::new("plan").expect("a name");
    let of = |number, commit, event| mark_of(name.clone(), document(number), commit, event);
    for is_given_up in [false, true] {
        let mut hook = begun();
        let (end, created) = (of(1, 0, HookEvent::Deleted), of(2, 1, HookEvent::Created));
        hook.note(now(0), end.clone());
        assert_eq!(effects(&mut hook), [Effect::Send(end.clone())]);
        hook.note(now(0), created.clone());
        hook.note(now(0), of(2, 1, HookEvent::Changed));
        assert_eq!(effects(&mut hook), [], "one request at a time");
        for _ in 1..HOOK_ATTEMPTS {
            let at = hook.poll_timeout().map_or(now(0), |due| now(due.0));
            hook.answered(at, end.id, failed(), 0);
            let due = hook.poll_timeout().expect("it is told again");
            assert!(matches!(effects(&mut hook)[..], [Effect::Keep(_)]), "and nothing else");
            hook.handle_timeout(now(due.0));
            let all = effects(&mut hook);
            assert!(matches!(&all[..], [Effect::Send(mark)] if mark.id == end.id), "{all:?}");
        }
        let answer = if is_given_up { failed() } else { Answer::Taken };
        hook.answered(now(u64::MAX / 2), end.id, answer, 0);
        let all = effects(&mut hook);
        assert!(all.contains(&Effect::Send(created)), "{all:?}");
    }
}

/// What is read may be older than what waits, and newer than what was given up.
#[test]
fn of_what_is_read_the_newest_is_told() {
    let dead = Some(DeadLetter { at: WallMs(1), failure: HookFailure::Late });
    let letter = HookMark { dead, attempts: 10, ..mark(document(1), 6, HookEvent::Changed) };
    let waits = mark(document(1), 7, HookEvent::Changed);
    for is_first in [true, false] {
        let mut hook = Hook::new(Rules::default(), false);
        assert_eq!(hook.poll_effect(), Some(Effect::Load));
        let mut both = [letter.clone(), waits.clone()];
        if !is_first {
            both.reverse();
        }
        both.into_iter().for_each(|mark| hook.load(now(0), mark));
        hook.loaded(now(0), Reading::Whole);
        assert_eq!(effects(&mut hook), [Effect::Forget(letter.id), Effect::Send(waits.clone())]);
        assert_eq!(hook.retry(now(0), TENANT, None), 0);
    }
}

/// What the machine has stored itself may be there behind the next commit, which removes what a room has stored.
#[test]
fn what_was_told_again_is_forgotten_behind_the_next_commit() {
    let first = mark(document(1), 6, HookEvent::Changed);
    let next = mark(document(1), 7, HookEvent::Changed);
    let dead = Some(DeadLetter { at: WallMs(1), failure: HookFailure::Late });
    for is_retried in [true, false] {
        let mut hook = begun();
        if is_retried {
            hook.load(now(0), HookMark { dead, ..first.clone() });
            assert_eq!(hook.retry(now(0), TENANT, None), 1);
        } else {
            hook.note(now(0), first.clone());
            hook.handle_timeout(now(9_000));
            hook.answered(now(9_000), first.id, failed(), 0);
        }
        effects(&mut hook);
        hook.note(now(9_000), next.clone());
        assert_eq!(effects(&mut hook), [Effect::Forget(first.id)]);
    }
    let mut hook = begun();
    hook.note(now(0), first);
    hook.note(now(0), next.clone());
    assert_eq!(effects(&mut hook), [], "the batch of the next commit removes it");
    hook.handle_timeout(now(9_000));
    hook.answered(now(9_000), next.id, failed(), 0);
    effects(&mut hook);
    let end = mark(document(1), 0, HookEvent::Deleted);
    hook.note(now(9_000), end);
    assert_eq!(
        effects(&mut hook),
        [Effect::Forget(next.id)],
        "what is stored of the document was removed before"
    );
}

/// What cannot be read is read again, with growing pauses, and what comes meanwhile is told.
#[test]
fn what_cannot_be_read_is_read_again() {
    let mut hook = Hook::new(Rules::default(), false);
    let mut at = 0;
    for pause_ms in [1, 2, 4, 8].map(|times| times * HOOK_READ_MS) {
        assert_eq!(effects(&mut hook), [Effect::Load]);
        hook.loaded(now(at), Reading::Failed);
        assert_eq!(hook.poll_timeout(), Some(MonotonicMs(at + pause_ms)));
        hook.handle_timeout(now(at + pause_ms - 1));
        assert_eq!(effects(&mut hook), []);
        at += pause_ms;
        hook.handle_timeout(now(at));
    }
    let created = mark(document(1), 1, HookEvent::Created);
    for _ in 0..64 {
        assert_eq!(effects(&mut hook), [Effect::Load]);
        hook.loaded(now(at), Reading::Failed);
        let due = hook.poll_timeout().expect("it is read again").0;
        assert!(due - at <= HOOK_READ_MS_MAX);
        at = due;
        hook.handle_timeout(now(at));
    }
    assert_eq!(effects(&mut hook), [Effect::Load]);
    hook.loaded(now(at), Reading::Failed);
    hook.note(now(at), created.clone());
    assert_eq!(effects(&mut hook), [Effect::Send(created)]);
}

#[test]
fn an_application_that_wants_nothing_more_is_told_nothing_more() {
    let mut hook = begun();
    for number in 1..=9 {
        hook.note(now(0), mark(document(number), 1, HookEvent::Created));
    }
    let Some(Effect::Send(first)) = hook.poll_effect() else { panic!("it is told at once") };
    hook.answered(now(0), first.id, Answer::Unwanted, 0);
    let rest = effects(&mut hook);
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
        assert!(matches!(effects(&mut hook)[..], [Effect::Keep(_), Effect::Send(_), Effect::Send(_)]));
    }
}

#[test]
fn dead_letters_are_bounded_and_the_oldest_go() {
    let mut hook = begun();
    let letter = |number: u16| {
        let dead = DeadLetter { at: WallMs(number.into()), failure: HookFailure::Unreachable };
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
                hook.loaded(now(0), Reading::Whole);
            }
            Effect::Keep(_) | Effect::Forget(_) => {}
        }
    }
    assert_eq!(told, usize::from(all));
}

/// Goal: a name that does not fit into memory is told in order, too. Method: memory is full when a document is deleted and another begins;
/// then there is room for the second before the first was read.
#[test]
fn what_was_left_out_is_read_before_what_comes_behind_it() {
    // It comes before all others that are due.
    let name = RoomName::new("!").expect("a name");
    let end = mark_of(name.clone(), document(u16::MAX - 1), 0, HookEvent::Deleted);
    let created = mark_of(name, document(u16::MAX), 1, HookEvent::Created);
    let mut hook = begun();
    let all = u16::try_from(HOOK_WAITING_MAX).expect("small");
    (0..all).for_each(|number| hook.note(now(0), mark(document(number), 1, HookEvent::Created)));
    hook.note(now(0), end.clone());
    let mut told = Vec::new();
    while let Some(effect) = hook.poll_effect() {
        match effect {
            Effect::Send(mark) => {
                hook.answered(now(0), mark.id, Answer::Taken, 0);
                if told.is_empty() {
                    assert!(hook.has_room());
                    hook.note(now(0), created.clone());
                }
                told.push(mark.id);
            }
            Effect::Load => {
                assert!(!told.contains(&created.id));
                [&end, &created].into_iter().for_each(|mark| hook.load(now(0), mark.clone()));
                hook.loaded(now(0), Reading::Whole);
            }
            Effect::Keep(_) | Effect::Forget(_) => {}
        }
    }
    let at = |id| told.iter().position(|told| *told == id);
    assert!(at(end.id).is_some() && at(end.id) < at(created.id));
}

/// The same of a document that was deleted while the store was read: what was read of the one behind it is read again.
#[test]
fn what_was_read_too_early_is_read_again() {
    let name = RoomName::new("!").expect("a name");
    let end = mark_of(name.clone(), document(u16::MAX - 1), 0, HookEvent::Deleted);
    let created = mark_of(name, document(u16::MAX), 1, HookEvent::Created);
    let mut hook = Hook::new(Rules::default(), false);
    let all = u16::try_from(HOOK_WAITING_MAX).expect("small") - 1;
    (0..all).for_each(|number| hook.load(now(0), mark(document(number), 1, HookEvent::Created)));
    hook.load(now(0), created.clone());
    hook.note(now(0), end);
    hook.loaded(now(0), Reading::InPart);
    let sent = effects(&mut hook);
    assert_eq!(sent.len(), 1 + HOOK_CALLS_MAX);
    assert!(!sent.contains(&Effect::Send(created)));
}

/// What is told of one change is no attempt to tell the next.
#[test]
fn attempts_are_of_what_was_not_taken() {
    let mut hook = begun();
    let first = mark(document(1), 6, HookEvent::Changed);
    let next = mark(document(1), 7, HookEvent::Changed);
    hook.note(now(0), first.clone());
    hook.handle_timeout(now(9_000));
    hook.answered(now(9_000), first.id, failed(), 0);
    hook.handle_timeout(now(90_000));
    hook.note(now(90_000), next.clone());
    hook.answered(now(90_000), first.id, Answer::Taken, 0);
    effects(&mut hook);
    hook.handle_timeout(now(180_000));
    assert_eq!(effects(&mut hook), [Effect::Send(next)]);
}
