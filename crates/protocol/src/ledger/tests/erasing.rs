//! Erasure: what a ledger holds of an entity is gone at once, and its name is never used again.

use syncline_core::clock::HybridTime;
use syncline_core::entity::conflict::{Choice, ConflictState, Request};

use super::audit::{AuditEvent, AuditHead, AuditIndex, Audited};
use super::stored::is_history;
use super::support::*;
use super::*;

const SECRET: &str = "canary";

/// The number of the user whose devices all are: they were the first to be known.
const ANN: UserNumber = UserNumber(AuditIndex(1));

/// Two records that people decide about, each with conflicts, comments and proposals that hold the secret.
fn bench() -> Bench {
    let types = vec![a_type("ask", Policy::Manual), a_type("note", Policy::Crdt)];
    let mut bench = Bench::new(types, Settings::default());
    bench.handle(Input::Salt([7; 32]));
    for (at, key) in [(0, "ask/a"), (1, "ask/b")] {
        let ops = [create(at + 1, key, &[("v", SECRET.into())])];
        assert_eq!(bench.words("d1", &ops), ["applied"]);
        let ops = [update(2 * at + 1, key, &[("v", "canary of another".into())])];
        assert_eq!(bench.words("d2", &ops), ["conflict"]);
        let id = ConflictId { n: 2 * at + 1, ..FIRST };
        let (by, text) = ("ann".to_owned(), SECRET.to_owned());
        bench.wish(id, ConflictWish::Comment { by: by.clone(), text });
        let proposal = Proposal { set: values(&[("v", SECRET.into())]), ..Proposal::default() };
        bench.wish(id, ConflictWish::Suggest { by: by.clone(), proposal });
        let choice = Choice::Merged(Action::Update {
            set: values(&[("v", SECRET.into())]),
            unset: Default::default(),
        });
        let request = Request {
            resolution_id: "r".into(),
            conflict_rev: 1,
            entity_ver: RecordVersion(1),
            choice,
            rationale: SECRET.into(),
            by,
            approval: false,
        };
        assert!(matches!(bench.wish(id, ConflictWish::Resolve(request)), Answer::Conflict { .. }));
        let ops = [update(2 * at + 2, key, &[("v", "canary again".into())])];
        assert_eq!(bench.words("d2", &ops), ["conflict"], "one stays open");
    }
    bench
}

fn erase(bench: &mut Bench, key: &str) -> (Erased, bool) {
    let key = entity(key);
    match bench.ask(|request| Input::Erase { request, what: Erasure::Entity { key, by: user() } }) {
        Answer::Erased { erased, is_new } => (erased, is_new),
        other => panic!("{other:?}"),
    }
}

/// The things that are stored, but for history, and that hold the secret.
fn secrets(bench: &Bench) -> Vec<Write> {
    let holds = |write: &Write| {
        let bytes = write.to_stored().bytes.unwrap_or_default();
        bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes())
    };
    last_of_each(&bench.stored).into_iter().filter(holds).collect()
}

fn is_of(write: &Write, of: &EntityKey) -> bool {
    match write {
        Write::Record(key, _) => key == of,
        Write::Result(_, kept) => kept.result.entity == *of,
        Write::Conflict(_, conflict) => conflict.entity() == of,
        Write::Comment(id, ..) => (id.n <= 2) == (of.id.as_str() == "a"),
        _ => panic!("{write:?}"),
    }
}

/// Nothing that is stored holds the values, also after a restart; another entity keeps all of its own.
#[test]
fn all_values_of_the_entity_go_and_no_others() {
    let mut bench = bench();
    let (a, b) = (entity("ask/a"), entity("ask/b"));
    let before = secrets(&bench);
    let of = |all: &[Write], key| all.iter().filter(|write| is_of(write, key)).count();
    assert_eq!(of(&before, &a), of(&before, &b));
    assert!(of(&before, &a) >= 6, "{before:?}");

    let (erased, is_new) = erase(&mut bench, "ask/a");
    assert!(is_new);
    let after = secrets(&bench);
    assert_eq!((of(&after, &a), of(&after, &b)), (0, of(&before, &b)));
    bench.crash();
    assert_eq!(bench.ledger.erased(&a), Some(erased));
    assert!(bench.ledger.record(&a).is_some_and(|record| record.deleted && record.fields.is_empty()));
    for (id, conflict) in bench.ledger.conflicts().filter(|(_, conflict)| *conflict.entity() == a) {
        assert!(!conflict.is_open() && conflict.draft().base.is_empty(), "{conflict:?}");
        assert!(bench.ledger.comments(id).iter().all(|said| said.text.is_empty() && said.proposal.is_none()));
    }
    assert_eq!(erase(&mut bench, "ask/a"), (erased, false), "it is the same each time");
    let stored = bench.stored.len();
    assert_eq!(erase(&mut bench, "ask/a"), (erased, false));
    assert_eq!(bench.stored.len(), stored);
    assert_eq!(bench.data(&b), Some(values(&[("v", SECRET.into())])));
}

/// Ops that were taken are answered as they were, without values. No others are taken, nor is an import.
#[test]
fn the_name_is_never_used_again() {
    let mut bench = bench();
    let late = update(1, "ask/a", &[("v", "canary of another".into())]);
    assert!(result(&bench.push("d2", std::slice::from_ref(&late))[0]).data.is_some());
    erase(&mut bench, "ask/a");
    for _ in 0..2 {
        let again = bench.push("d2", std::slice::from_ref(&late));
        assert_eq!(again.iter().map(word).collect::<Vec<_>>(), ["duplicate"]);
        let again = result(&again[0]);
        assert_eq!((&again.outcome, &again.data), (&Outcome::Conflict, &None));
        bench.crash();
    }
    let set = [("v", SECRET.into())];
    let ops = [
        update(5, "ask/a", &set),
        create(6, "ask/a", &set),
        op(7, "ask/a", Action::Restore(values(&set))),
        op(8, "ask/a", Action::Delete),
    ];
    assert_eq!(bench.words("d2", &ops), ["entity-deleted"; 4]);
    let import =
        Import { key: entity("ask/a"), data: Some(values(&set)), hlc: HybridTime::default(), schema_v: 1 };
    let answer = bench.ask(|request| Input::Import { request, records: vec![import] });
    let refused = Imported::Refused(RefusalCode::EntityDeleted.into());
    assert_eq!(answer, Answer::Imported(vec![refused]));
    assert!(secrets(&bench).iter().all(|write| is_of(write, &entity("ask/b"))));
}

/// The audit says once what was erased and by whom, and whoever waits for conflicts is told of those that were open, and no others.
#[test]
fn it_is_told_without_values() {
    let mut bench = bench();
    let before = bench.stored.len();
    let (erased, _) = erase(&mut bench, "ask/a");
    let told: Vec<(_, AuditEvent)> = bench.stored[before..]
        .iter()
        .filter_map(|write| match write {
            Write::Audit(index, entry) => Some((*index, entry.event().expect("it was written"))),
            _ => None,
        })
        .collect();
    let [(_, first), (index, second)] = &told[..] else { panic!("{told:?}") };
    assert!(matches!(first.what, Audited::Conflict { state: ConflictState::Resolved, .. }), "{first:?}");
    let what = Audited::Erased { entity: entity("ask/a"), by: ANN };
    assert_eq!((*index, &second.what, second.payload), (erased.through, &what, None));
    let events = bench.stored[before..].iter().filter(|write| matches!(write, Write::Event(..))).count();
    assert_eq!(events, 1);
    let entries = bench.stored.iter().filter_map(|write| match write {
        Write::Audit(index, entry) => Some((*index, &**entry)),
        _ => None,
    });
    assert_eq!(AuditHead::default().verify(entries), Ok(bench.ledger.heads().audit));
}

/// Erasures wait for whoever has the store, and what it has done is not forgotten.
#[test]
fn what_is_still_to_be_removed_is_known() {
    let mut bench = bench();
    let (first, _) = erase(&mut bench, "ask/a");
    let (second, _) = erase(&mut bench, "ask/never");
    assert_eq!(bench.ledger.unswept(), [(entity("ask/a"), first), (entity("ask/never"), second)].into());
    let swept = Swept { erased: first.through, ..Swept::default() };
    let what = Erasure::History(swept);
    assert_eq!(bench.ask(|request| Input::Erase { request, what }), Answer::Noted);
    bench.crash();
    assert_eq!(bench.ledger.swept(), swept);
    assert_eq!(bench.ledger.unswept(), [(entity("ask/never"), second)].into());
}

/// Nobody writes the document of an erased entity, whether it had a record or not.
#[test]
fn rooms_of_erased_documents_are_closed() {
    for has_record in [true, false] {
        let mut bench = bench();
        let touched = |ticket| Touched {
            ticket: Ticket(ticket),
            key: entity("note/n"),
            merges: Vec::new(),
            typed: true,
        };
        if has_record {
            bench.handle(Input::Touched(touched(1)));
            assert_eq!(bench.rooms, [Ticket(1)]);
        }
        erase(&mut bench, "note/n");
        assert_eq!(bench.deleted, [entity("note/n")]);
        bench.handle(Input::Touched(touched(2)));
        assert_eq!(bench.refused, [Ticket(2)]);
        assert!(bench.ledger.is_gone(&entity("note/n")));
    }
}

fn erase_user(bench: &mut Bench, name: &str) -> (UserName, Vec<ActorName>) {
    let (user, by) = (UserName::new(name).expect("a name"), UserName::new("eve").expect("a name"));
    match bench.ask(|request| Input::Erase { request, what: Erasure::User { user, by } }) {
        Answer::UserErased { known_as, devices } => (known_as, devices),
        other => panic!("{other:?}"),
    }
}

/// A user's devices are shut out, nothing has their name but what has documents forget it, and what they have written stays. In the
/// audit and in events it never was: they have a number there, and their name beside one entry.
#[test]
fn a_user_is_known_by_another_name() {
    let mut bench = bench();
    let assignee = "ann".to_owned();
    bench.wish(ConflictId { n: 2, ..FIRST }, ConflictWish::Assign { assignee, deadline: None });
    let has_name = |write: &Write| {
        let bytes = write.to_stored().bytes.unwrap_or_default();
        bytes.windows(4).any(|part| part == b"\xa3ann")
    };
    let named = |bench: &Bench| last_of_each(&bench.stored).into_iter().filter(has_name).collect::<Vec<_>>();
    let history = |write: &&Write| is_history(&write.to_stored().name) && has_name(write);
    // Two devices, two conflicts that they have settled, one that they have, and four times that they have said something; and what
    // they are called.
    assert_eq!(named(&bench).len(), 10);
    let beside: Vec<_> = bench.stored.iter().filter(history).collect();
    assert!(matches!(beside[..], [Write::AuditPayload(index, _)] if UserNumber(*index) == ANN), "{beside:?}");
    let records = bench.data(&entity("ask/a"));
    let before = bench.stored.len();
    let (known_as, devices) = erase_user(&mut bench, "ann");
    assert_eq!(known_as, ANN.erased_name());
    assert_eq!(devices.iter().map(ActorName::as_str).collect::<Vec<_>>(), ["d1", "d2"]);
    let told = bench.stored[before..].iter().filter(|write| matches!(write, Write::Event(..))).count();
    assert_eq!(told, 2, "that the devices are shut out, and no more");
    bench.crash();
    assert!(matches!(named(&bench)[..], [Write::Renaming(ANN, Some(_))]), "{:?}", named(&bench));
    assert_eq!(bench.data(&entity("ask/a")), records);
    assert_eq!(bench.ledger.user_called(ANN), known_as);
    assert_eq!(bench.ledger.unswept_users().into_keys().collect::<Vec<_>>(), [ANN]);
    let conflict = bench.ledger.conflict(ConflictId { n: 2, ..FIRST }).expect("it is there");
    assert_eq!((conflict.assignee(), conflict.is_open()), (Some(known_as.as_str()), true));
    let actor = ActorName::device("d1").expect("a name");
    let refused = bench.ask(|request| Input::Pull { request, actor, user: user(), scopes: Vec::new() });
    assert!(matches!(refused, Answer::Refused(Refused::Device(_))), "{refused:?}");
    let stored = bench.stored.len();
    assert_eq!(erase_user(&mut bench, "ann"), (known_as, Vec::new()), "they are gone already");
    assert_eq!(bench.stored.len(), stored);
}

/// Documents may name somebody whom the ledger does not know. Whoever comes again is somebody new.
#[test]
fn anybody_may_be_erased() {
    let mut bench = bench();
    let (first, devices) = erase_user(&mut bench, "bob");
    assert!(devices.is_empty());
    assert_eq!(erase_user(&mut bench, "bob").0, first);
    let renamed: Vec<_> =
        bench.ledger.renamings().values().map(|renaming| renaming.user.as_str().to_owned()).collect();
    assert_eq!(renamed, ["bob"]);
    let (bob, request) = (UserName::new("bob").expect("a name"), RequestId(77));
    let (actor, about) = (ActorName::device("d7").expect("a name"), DeviceAbout::default());
    bench.handle(Input::Bind { request, actor, user: bob, about });
    let (second, devices) = erase_user(&mut bench, "bob");
    assert_eq!((devices.len(), second == first), (1, false));
    let entries = bench.stored.iter().filter_map(|write| match write {
        Write::Audit(index, entry) => Some((*index, &**entry)),
        _ => None,
    });
    assert_eq!(AuditHead::default().verify(entries), Ok(bench.ledger.heads().audit));
}
