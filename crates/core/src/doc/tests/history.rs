//! Who worked when, and who wrote what.

use std::collections::BTreeMap;

use serde_json::Value;
use yrs::TextRef;

use super::*;
use crate::limits::TOLD_PATH_BYTES_MAX;

const PAUSE_MS: u64 = 1_000;

fn by(number: u64, user: &str, at: u64, update: &Bytes) -> LogRecord {
    let mut record = record(number, update);
    record.entries[0].at = WallMs(at);
    record.entries[0].author.user = Some(user.into());
    record
}

fn authorship(log: &[LogRecord]) -> Authorship {
    let mut authorship = Authorship::default();
    log.iter().for_each(|record| authorship.take(record).expect("honest"));
    authorship
}

#[test]
fn a_session_ends_with_a_pause() {
    let nothing = Bytes::from_static(&[0, 0]);
    let log = [(1, "ann", 5_000), (2, "bob", 6_000), (3, "ann", 5_500), (4, "ann", 7_001)]
        .map(|(number, user, at)| by(number, user, at, &nothing));
    let sessions = work_sessions(&log, PAUSE_MS);
    let [first, second] = &sessions[..] else { panic!("{sessions:?}") };
    assert_eq!((first.first.0, first.last.0, first.from.0, first.to.0), (1, 3, 5_000, 6_000));
    assert_eq!((first.updates, first.bytes, first.authors.len()), (3, 6, 2));
    assert_eq!((second.first.0, second.last.0, second.from.0, second.to.0), (4, 4, 7_001, 7_001));
}

#[test]
fn every_stretch_has_its_author() {
    let (ann, bob) = (client(1), client(2));
    let type_in = |doc: &Doc, at, text: &str| -> Bytes {
        let mut txn = doc.transact_mut();
        let root = txn.get_or_insert_text("text");
        root.insert(&mut txn, at, text);
        txn.encode_update_v1().into()
    };
    let before = type_in(&ann, 0, "old ");
    let one = type_in(&ann, 4, "🙂 ann");
    for update in [&before, &one] {
        receive(&bob, update);
    }
    let other = type_in(&bob, 7, "bob ");
    let mut document = YjsDocument::default();
    for update in [&before, &one, &other] {
        document.apply(update).expect("honest");
    }
    let log = [by(2, "ann", 10, &one), by(3, "bob", 20, &other)];
    let ranges = document.written_by(&authorship(&log)).expect("sound");
    let seen: Vec<_> = ranges
        .iter()
        .map(|range| {
            let user = range.written.as_ref().and_then(|written| written.author.user.as_deref());
            (range.path.as_str(), range.at, range.text.as_str(), user)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("/text", 0, "old ", None),
            ("/text", 4, "🙂 ", Some("ann")),
            ("/text", 7, "bob ", Some("bob")),
            ("/text", 11, "ann", Some("ann")),
        ]
    );
    assert_eq!(ranges[2].written.as_ref().map(|written| (written.at.0, written.commit.0)), Some((20, 3)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Two write, each sees the other's updates now and then. The ranges are the text, and each letter has the author who
    /// alone uses it.
    #[test]
    fn ranges_are_the_text(history in prop::collection::vec((any::<bool>(), edits(), any::<bool>()), 1..40)) {
        let (docs, mut sent) = ([client(1), client(2)], [Vec::new(), Vec::new()]);
        let (mut document, mut log) = (YjsDocument::default(), Vec::new());
        for (number, (who, made, meet)) in (1..).zip(&history) {
            let who = usize::from(*who);
            let made = match made {
                Edit::Insert(at, _) => Edit::Insert(*at, ["ann", "🙂bob"][who]),
                other => other.clone(),
            };
            let update = edit(&docs[who], &made);
            document.apply(&update).expect("honest");
            log.push(by(number, ["ann", "bob"][who], number, &update));
            sent[who].push(update);
            if *meet {
                for update in sent[1 - who].drain(..) {
                    receive(&docs[who], &update);
                }
            }
        }
        let ranges = document.written_by(&authorship(&log)).expect("sound");
        let in_text = ranges.iter().filter(|range| range.path == "/text");
        let text: String = in_text.clone().map(|range| range.text.as_str()).collect();
        prop_assert_eq!(Some(text).filter(|text| !text.is_empty()), document.text("text").expect("sound").filter(|text| !text.is_empty()));
        for range in in_text {
            let user = range.written.as_ref().and_then(|written| written.author.user.as_deref());
            let letters = if user == Some("ann") { "an" } else { "🙂bo" };
            prop_assert!(range.text.chars().all(|char| letters.contains(char)), "{range:?}");
        }
    }
}

/// What somebody does in one of three documents: one and its branches.
#[derive(Clone, Debug)]
enum Step {
    Write {
        document: usize,
        who: usize,
        made: Edit,
    },
    /// The history of what is merged has only so many commits.
    Merge {
        from: usize,
        into: usize,
        kept: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let write =
        (0..3usize, 0..2usize, edits()).prop_map(|(document, who, made)| Step::Write { document, who, made });
    let kept = prop_oneof![4 => Just(usize::MAX), 1 => 0..3usize];
    let merge = (0..3usize, 0..3usize, kept).prop_map(|(from, into, kept)| Step::Merge { from, into, kept });
    prop::collection::vec(prop_oneof![2 => write, 1 => merge], 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Goal: each document tells who wrote each letter of its text and when, by its own log alone, however it came there; or that nobody
    /// knows, if that was forgotten before it was merged. Method: each writer has letters of their own, and carl, who merges, has none.
    #[test]
    fn who_wrote_it_is_known_after_merges(steps in steps()) {
        let mut documents: [(YjsDocument, Vec<LogRecord>); 3] = Default::default();
        let mut writers = BTreeMap::new();
        let mut is_all_kept = true;
        for (number, step) in (1..).zip(&steps) {
            match step {
                Step::Write { document, who, made } => {
                    let (document, log) = &mut documents[*document];
                    // Each time that somebody opens it they are another client.
                    let doc = client(100 + number);
                    receive(&doc, &document.encode().expect("sound"));
                    let made = match made {
                        Edit::Insert(at, _) => Edit::Insert(*at, ["ann", "bob"][*who]),
                        other => other.clone(),
                    };
                    let applied = document.apply(&edit(&doc, &made)).expect("honest");
                    writers.insert(number, ["ann", "bob"][*who]);
                    log.extend(applied.update.map(|update| by(number, ["ann", "bob"][*who], number, &update)));
                }
                Step::Merge { from, into, .. } if from == into => {}
                Step::Merge { from, into, kept } => {
                    let lacks = documents[*into].0.lacks_of(&documents[*from].0).expect("sound");
                    let Some(lacks) = lacks else { continue };
                    let log = &documents[*from].1;
                    is_all_kept &= *kept >= log.len();
                    let known = &log[log.len().saturating_sub(*kept)..];
                    let origins = authorship(known).origins_of(&lacks).expect("honest");
                    let (document, log) = &mut documents[*into];
                    let update = document.apply(&lacks).expect("honest").update.expect("it lacked something");
                    let mut record = by(number, "carl", number, &update);
                    record.entries[0].origins = origins;
                    log.push(record);
                }
            }
        }
        for (document, log) in &documents {
            let ranges = document.written_by(&authorship(log)).expect("sound");
            for range in ranges.iter().filter(|range| range.path == "/text") {
                let Some(written) = &range.written else {
                    prop_assert!(!is_all_kept, "{range:?}");
                    continue;
                };
                let user = written.author.user.as_deref();
                prop_assert_eq!(user, writers.get(&written.at.0).copied());
                let letters = if user == Some("ann") { "an" } else { "bo" };
                prop_assert!(range.text.chars().all(|char| letters.contains(char)), "{range:?}");
            }
        }
    }
}

/// A map with a text under a long key and under a short one, before and after something was written in both.
fn under_long_and_short_keys() -> [YjsDocument; 2] {
    let writer = client(1);
    let long = "k".repeat(TOLD_PATH_BYTES_MAX);
    let keys = [long.as_str(), "short"];
    let mut document = YjsDocument::default();
    let mut states = Vec::new();
    for word in ["before", "after"] {
        let mut txn = writer.transact_mut();
        let map = txn.get_or_insert_map("map");
        for key in keys {
            let text: TextRef = map.get_or_init(&mut txn, key);
            text.push(&mut txn, word);
        }
        document.apply(&txn.encode_update_v1().into()).expect("honest");
        drop(txn);
        let mut state = YjsDocument::default();
        state.replay(&document.encode().expect("sound")).expect("sound");
        states.push(state);
    }
    states.try_into().expect("two states")
}

/// Each range and each change names its path, which may be as long as an update.
#[test]
fn what_has_a_long_path_is_not_told_piece_by_piece() {
    let [before, after] = under_long_and_short_keys();
    let ranges = after.written_by(&Authorship::default()).expect("sound");
    let paths: Vec<&str> = ranges.iter().map(|range| range.path.as_str()).collect();
    assert_eq!(paths, ["/map/short"]);
    let changes = before.changes_to(&after).expect("sound");
    let [Change::Value { path, before, after }, Change::Text(text)] = &changes[..] else {
        panic!("{changes:?}");
    };
    assert_eq!((path.len(), text.path.as_str()), ("/map/".len() + TOLD_PATH_BYTES_MAX, "/map/short"));
    let told = |value: &Option<Value>| value.as_ref().map(Value::to_string).unwrap_or_default();
    assert!(told(before).contains("\"before\"") && told(after).contains("\"beforeafter\""), "{changes:?}");
}
