//! Who wrote what, and what branches bring.

use automerge::{AutoCommit, transaction::Transactable};
use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::{
    id::{CommitNumber, ConnectionId},
    limits::TOLD_PATH_BYTES_MAX,
    log::{Author, Engine, LogEntry, LogRecord, Origins},
    time::WallMs,
};

fn by(number: u64, user: &str, update: Bytes, origins: Origins) -> LogRecord {
    let author = Author { user: Some(user.into()), device: None };
    let entry = LogEntry { author, connection: ConnectionId(1), at: WallMs(number), update, origins };
    LogRecord { number: CommitNumber(number), entries: vec![entry] }
}

fn authorship(log: &[LogRecord]) -> Authorship {
    let mut authorship = Authorship::new(Engine::Automerge);
    log.iter().for_each(|record| authorship.take(record).expect("honest"));
    authorship
}

/// Opens the document as a client that nobody was before.
fn client(document: &AutomergeDocument, number: u64) -> AutoCommit {
    let whole = document.encode().expect("sound");
    let actor = ActorId::from(number.to_be_bytes());
    let client =
        if document.is_empty() { AutoCommit::new() } else { AutoCommit::load(&whole).expect("it loads") };
    client.with_actor(actor)
}

/// Returns the id of the text.
fn text_of(client: &AutoCommit) -> ObjId {
    client.get(ROOT, "text").expect("a map").expect("it is there").1
}

/// Users with what they wrote.
fn told(ranges: &[WrittenRange]) -> Vec<(&str, u32, &str, Option<&str>)> {
    ranges
        .iter()
        .map(|range| {
            let user = range.written.as_ref().and_then(|written| written.author.user.as_deref());
            (range.path.as_str(), range.at, range.text.as_str(), user)
        })
        .collect()
}

#[test]
fn every_character_has_its_author() {
    let mut document = AutomergeDocument::default();
    let mut log = Vec::new();
    let mut ann = client(&document, 1);
    let text = ann.put_object(ROOT, "text", ObjType::Text).expect("a map");
    ann.splice_text(&text, 0, 0, "🙂 ann").expect("a text");
    let list = ann.put_object(ROOT, "todo", ObjType::List).expect("a map");
    let item = ann.insert_object(&list, 0, ObjType::Text).expect("a list");
    ann.splice_text(&item, 0, 0, "milk").expect("a text");
    log.extend(document.apply(&ann.save()).expect("honest").map(|update| by(1, "ann", update, None)));
    let mut bob = client(&document, 2);
    bob.splice_text(&text, 2, 0, "bob ").expect("a text");
    bob.split_block(&text, 2).expect("a text");
    bob.put(&item, 0, "s").expect("a text");
    log.extend(document.apply(&bob.save()).expect("honest").map(|update| by(2, "bob", update, None)));
    let (ann, bob) = (Some("ann"), Some("bob"));
    let want = [
        ("/text", 0, "🙂 ", ann),
        // The block takes the place of a character.
        ("/text", 4, "bob ", bob),
        ("/text", 8, "ann", ann),
        ("/todo/0", 0, "s", bob),
        ("/todo/0", 1, "ilk", ann),
    ];
    assert_eq!(told(&document.written_by(&authorship(&log)).expect("sound")), want);
    let only_bob = document.written_by(&authorship(&log[1..])).expect("sound");
    assert_eq!(told(&only_bob)[0], ("/text", 0, "🙂 ", None), "it is older than the history");
}

/// What somebody does in one of three documents: one and its branches.
#[derive(Clone, Debug)]
enum Step {
    Write { document: usize, who: usize, at: usize, remove: usize },
    Merge { from: usize, into: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let write = (0..3usize, 0..2usize, any::<usize>(), 0..3usize)
        .prop_map(|(document, who, at, remove)| Step::Write { document, who, at, remove });
    let merge = (0..3usize, 0..3usize).prop_map(|(from, into)| Step::Merge { from, into });
    prop::collection::vec(prop_oneof![2 => write, 1 => merge], 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Goal: branches hold the same once each was merged into each, and each tells by its own log alone who wrote each character. Method:
    /// each writer has letters of their own, and carl, who merges, has none.
    #[test]
    fn branches_come_together_and_say_who_wrote_what(steps in steps()) {
        let mut documents: [(AutomergeDocument, Vec<LogRecord>); 3] = Default::default();
        let mut begun = client(&documents[0].0, 1_000);
        begun.put_object(ROOT, "text", ObjType::Text).expect("a map");
        let begun = begun.save();
        for (document, log) in &mut documents {
            log.extend(document.apply(&begun).expect("honest").map(|update| by(0, "ann", update, None)));
        }
        let to_all = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (0, 1), (0, 2)];
        let end = to_all.map(|(from, into)| Step::Merge { from, into });
        for (number, step) in (1..).zip(steps.iter().chain(&end)) {
            match *step {
                Step::Write { document, who, at, remove } => {
                    let user = ["ann", "bob"][who];
                    let (document, log) = &mut documents[document];
                    let mut writer = client(document, number);
                    let text = text_of(&writer);
                    let len = writer.length(&text);
                    let at = at % (len + 1);
                    let removed = remove.min(len - at) as isize;
                    writer.splice_text(&text, at, removed, user).expect("a text");
                    let update = document.apply(&writer.save()).expect("honest").expect("it is new");
                    log.push(by(number, user, update, None));
                }
                Step::Merge { from, into } if from == into => {}
                Step::Merge { from, into } => {
                    let Some(lacks) = documents[into].0.lacks_of(&documents[from].0).expect("sound") else { continue };
                    let origins = authorship(&documents[from].1).origins_of(&lacks).expect("honest");
                    let merged = documents[into].0.merged_with(&lacks).expect("sound");
                    let (document, log) = &mut documents[into];
                    let update = document.apply(&lacks).expect("honest").expect("it lacked something");
                    prop_assert_eq!(merged.to_json(), document.to_json());
                    log.push(by(number, "carl", update, origins));
                }
            }
        }
        let [(one, _), (two, _), (three, _)] = &documents;
        prop_assert_eq!((two.heads(), three.heads()), (one.heads(), one.heads()));
        for (document, log) in &documents {
            let ranges = document.written_by(&authorship(log)).expect("sound");
            let text: String = ranges.iter().map(|range| range.text.as_str()).collect();
            prop_assert_eq!(Some(text), document.text("text").expect("sound"));
            for (_, _, text, user) in told(&ranges) {
                let letters = if user == Some("ann") { "an" } else { "bo" };
                prop_assert!(matches!(user, Some("ann" | "bob")) && text.chars().all(|char| letters.contains(char)), "{user:?}: {text}");
            }
        }
    }
}

/// Each range names its path, which may be as long as a change.
#[test]
fn what_has_a_long_path_is_passed_over() {
    let mut document = AutomergeDocument::default();
    let mut ann = client(&document, 1);
    for key in ["k".repeat(TOLD_PATH_BYTES_MAX), "short".to_owned()] {
        let text = ann.put_object(ROOT, key, ObjType::Text).expect("a map");
        ann.splice_text(&text, 0, 0, "word").expect("a text");
    }
    document.apply(&ann.save()).expect("honest");
    let ranges = document.written_by(&authorship(&[])).expect("sound");
    assert_eq!(told(&ranges), [("/short", 0, "word", None)]);
}
