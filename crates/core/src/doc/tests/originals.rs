//! What yrs does not keep, against clients that write nothing else.
//!
//! yrs cannot write these values, so the updates are put together here, as yjs writes them.

use std::collections::BTreeMap;

use super::*;
use crate::guard::{DeleteRange, Id, Reader, StructKind, js, write_string};

/// The bytes of a value and of a struct, without their ids.
type Raw = Vec<u8>;

const NEGATIVE_ZERO: [u8; 2] = [125, 0x40];
const TWELVE: [u8; 2] = [125, 12];
const BIG_TWELVE: [u8; 9] = [122, 0, 0, 0, 0, 0, 0, 0, 12];

/// An update of one client, with what it deletes.
fn update(client: u64, clock: u32, structs: &[Raw], deletes: &[DeleteRange]) -> Bytes {
    let mut out = vec![u8::from(!structs.is_empty())];
    if !structs.is_empty() {
        write_var_uint(&mut out, structs.len() as u64);
        write_var_uint(&mut out, client);
        write_var_uint(&mut out, clock.into());
        out.extend(structs.concat());
    }
    write_var_uint(&mut out, deletes.len() as u64);
    for range in deletes {
        write_var_uint(&mut out, range.client.0);
        out.push(1);
        write_var_uint(&mut out, range.clock.into());
        write_var_uint(&mut out, range.len.into());
    }
    out.into()
}

/// An item after `origin`, or else the first of a root with this name and key.
fn item(content: u8, origin: Option<Id>, root: &str, key: Option<&str>, body: &[u8]) -> Raw {
    let mut out = Vec::new();
    if let Some(origin) = origin {
        out.push(0x80 | content);
        write_var_uint(&mut out, origin.client.0);
        write_var_uint(&mut out, origin.clock.into());
    } else {
        out.extend([u8::from(key.is_some()) << 5 | content, 1]);
        write_string(&mut out, root);
        key.into_iter().for_each(|key| write_string(&mut out, key));
    }
    out.extend(body);
    out
}

fn any_body(values: &[Raw]) -> Raw {
    let mut out = Vec::new();
    write_var_uint(&mut out, values.len() as u64);
    out.extend(values.concat());
    out
}

fn text(text: &str) -> Raw {
    let mut out = Vec::new();
    write_string(&mut out, text);
    out
}

/// Returns what yjs reads in an update: the value of every element that has one.
fn elements(update: &[u8]) -> BTreeMap<Id, String> {
    let scanned = scan_update(update).expect("an update");
    let mut found = BTreeMap::new();
    for section in scanned.sections() {
        for read in scanned.structs(section) {
            let mut reader = Reader::starting_at(update, read.content_at as usize);
            let len =
                if read.kind == (StructKind::Item { content: 8 }) { reader.var_uint().unwrap() } else { 1 };
            for clock in (read.clock..).take(len as usize) {
                let value = match read.kind {
                    StructKind::Item { content: 5 } => json_value(reader.var_string().unwrap()),
                    StructKind::Item { content: 6 } => {
                        reader.var_string().unwrap().to_owned() + &json_value(reader.var_string().unwrap())
                    }
                    StructKind::Item { content: 8 } => js(&mut reader),
                    StructKind::Item { content: 9 } => {
                        reader.var_string().unwrap().to_owned() + &js(&mut reader)
                    }
                    _ => continue,
                };
                found.insert(Id { client: section.client, clock }, value);
            }
        }
    }
    found
}

/// Returns what JavaScript reads in a JSON text, in words.
fn json_value(text: &str) -> String {
    fn words(value: &serde_json::Value) -> String {
        match value {
            serde_json::Value::Number(number) => format!("{:?}", number.as_f64()),
            serde_json::Value::Array(items) => items.iter().map(|item| words(item) + ",").collect(),
            serde_json::Value::Object(members) => {
                members.iter().map(|(name, value)| format!("{name}:{},", words(value))).collect()
            }
            other => other.to_string(),
        }
    }
    words(&serde_json::from_str(text).expect("json"))
}

fn values() -> impl Strategy<Value = Raw> {
    let tagged = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
    let leaf = prop_oneof![
        Just(NEGATIVE_ZERO.to_vec()),
        Just(TWELVE.to_vec()),
        any::<i8>().prop_map(move |value| tagged(122, &i64::from(value).to_be_bytes())),
        any::<i64>().prop_map(move |value| tagged(122, &value.to_be_bytes())),
        any::<f64>().prop_map(move |value| tagged(123, &value.to_be_bytes())),
        any::<f32>().prop_map(move |value| tagged(124, &value.to_be_bytes())),
        prop::sample::select(vec![vec![120], vec![121], vec![126], vec![127]]),
        "[a-zü]{0,40}".prop_map(move |value| tagged(119, &text(&value))),
    ];
    leaf.prop_recursive(3, 12, 4, move |inner| {
        let object = prop::collection::btree_map("[a-c]", inner.clone(), 0..3).prop_map(|members| {
            let members = members.iter().map(|(name, value)| [&text(name), &value[..]].concat());
            members.fold(Vec::from([118]), |out, member| [&out[..], &member].concat())
        });
        let object = object.prop_map(|object| {
            let mut reader = Reader::new(&object);
            reader.u8().unwrap();
            let mut count = 0;
            while reader.left() > 0 {
                reader.var_string().unwrap();
                js(&mut reader);
                count += 1;
            }
            [&[118, count], &object[1..]].concat()
        });
        let array =
            prop::collection::vec(inner, 0..4).prop_map(|items| [&[117], &any_body(&items)[..]].concat());
        prop_oneof![object, array]
    })
}

/// One edit, with places as numbers that are reduced to what there is.
#[derive(Clone, Debug)]
enum Write {
    /// Puts values after an element of an array.
    Push {
        after: u32,
        values: Vec<Raw>,
    },
    /// Puts values after those that the client put last, and sends all of them as one struct.
    Extend(Vec<Raw>),
    Set {
        key: u8,
        value: Raw,
    },
    Subdocument {
        key: u8,
        value: Raw,
    },
    Embed(&'static str),
    Format(&'static str),
    Delete {
        at: u32,
        len: u32,
    },
}

fn writes() -> impl Strategy<Value = Write> {
    let json =
        || prop::sample::select(vec!["-0", "{\"a\":[-0.0,-1]}", "\"-0\"", "12", "9007199254740993", "null"]);
    prop_oneof![
        4 => (any::<u32>(), prop::collection::vec(values(), 1..5)).prop_map(|(after, values)| Write::Push { after, values }),
        2 => prop::collection::vec(values(), 1..4).prop_map(Write::Extend),
        2 => (0..3u8, values()).prop_map(|(key, value)| Write::Set { key, value }),
        1 => (0..3u8, values()).prop_map(|(key, value)| Write::Subdocument { key, value }),
        1 => json().prop_map(Write::Embed),
        1 => json().prop_map(Write::Format),
        2 => (any::<u32>(), 1..6u32).prop_map(|(at, len)| Write::Delete { at, len }),
    ]
}

/// Clients who see everything at once and write in turn.
#[derive(Default)]
struct Writers {
    clocks: BTreeMap<u64, u32>,
    /// Of each client: where its last struct begins, with what in it if it is in the array.
    last: BTreeMap<u64, (u32, Option<Id>, Vec<Raw>)>,
    array: Vec<Id>,
    entries: BTreeMap<u8, Id>,
    written: BTreeMap<Id, String>,
}

impl Writers {
    fn write(&mut self, client: u64, write: &Write) -> Option<Bytes> {
        let clock = *self.clocks.entry(client).or_default();
        let id = Id { client: ClientId(client), clock };
        let (body, len) = match write {
            Write::Push { after, values } => {
                let origin = (!self.array.is_empty()).then(|| self.array[*after as usize % self.array.len()]);
                return Some(self.push(client, clock, origin, &[], values));
            }
            Write::Extend(values) => {
                let (clock, origin, before) = self.last.remove(&client)?;
                return Some(self.push(client, clock, origin, &before, values));
            }
            Write::Set { key, value } => {
                let origin = self.entries.insert(*key, id);
                (item(8, origin, "map", Some(&key.to_string()), &any_body(std::slice::from_ref(value))), 1)
            }
            Write::Subdocument { key, value } => {
                let origin = self.entries.insert(*key, id);
                let options = [&text("guid")[..], &[118, 1], &text("meta"), value].concat();
                (item(9, origin, "map", Some(&key.to_string()), &options), 1)
            }
            Write::Embed(json) => (item(5, None, "text", None, &text(json)), 1),
            Write::Format(json) => (item(6, None, "text", None, &[text("bold"), text(json)].concat()), 1),
            Write::Delete { at, len } => {
                let len = (*len).min(clock);
                let at = at % (clock - len + 1);
                let range = DeleteRange { client: ClientId(client), clock: at, len };
                return (len > 0).then(|| update(client, 0, &[], &[range]));
            }
        };
        self.last.remove(&client);
        Some(self.send(client, clock, clock + len, body))
    }

    /// Writes values after those `before`, which the client sent last, from clock `clock` on.
    fn push(&mut self, client: u64, clock: u32, origin: Option<Id>, before: &[Raw], new: &[Raw]) -> Bytes {
        let values = [before, new].concat();
        let from = clock + before.len() as u32;
        let end = clock + values.len() as u32;
        self.array.extend((from..end).map(|clock| Id { client: ClientId(client), clock }));
        let body = item(8, origin, "array", None, &any_body(&values));
        self.last.insert(client, (clock, origin, values));
        self.send(client, clock, end, body)
    }

    fn send(&mut self, client: u64, clock: u32, end: u32, body: Raw) -> Bytes {
        let sent = update(client, clock, &[body], &[]);
        self.written.extend(elements(&sent));
        self.clocks.insert(client, end);
        sent
    }

    /// Checks that every value in an update is the one that was written.
    fn check(&self, update: &[u8], what: &str) -> Result<(), TestCaseError> {
        for (id, value) in elements(update) {
            prop_assert_eq!(Some(&value), self.written.get(&id), "{}: {:?}", what, id);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Goal: whoever reads anything that the engine sends or stores reads the values that were written. Method: clients
    /// write values that yrs does not keep, which it splits, joins and deletes; each value is compared as yjs reads it.
    #[test]
    fn every_value_is_read_as_it_was_written(
        work in prop::collection::vec((1..4u64, writes()), 1..40),
        known in prop::collection::vec(any::<u32>(), 3),
    ) {
        let mut writers = Writers::default();
        let mut document = YjsDocument::default();
        let mut log = Vec::new();
        for (client, one) in &work {
            let Some(sent) = writers.write(*client, one) else { continue };
            let applied = document.apply(&sent).map_err(|error| TestCaseError::fail(error.to_string()))?;
            prop_assert!(!applied.gap);
            if let Some(update) = applied.update {
                writers.check(&update, "sent on")?;
                log.push(record(log.len() as u64 + 1, &update));
            }
        }
        let encoded = document.encode().expect("sound");
        writers.check(&encoded, "encoded")?;
        let clocks = writers.clocks.iter().zip(known).map(|((&client, &end), known)| (ClientId(client), known % (end + 1)));
        let clocks: BTreeMap<_, _> = clocks.collect();
        writers.check(&document.diff_since(&clocks).expect("sound"), "a difference")?;
        if log.is_empty() {
            return Ok(());
        }
        let snapshot = compact::<YjsDocument>(None, &log).map_err(|error| TestCaseError::fail(error.to_string()))?;
        writers.check(&snapshot.state, "folded")?;
        let half = compact::<YjsDocument>(None, &log[..log.len().div_ceil(2)]).expect("the half of it folds");
        let folded = compact::<YjsDocument>(Some(&half), &log[log.len().div_ceil(2)..]).expect("the rest folds");
        writers.check(&folded.state, "folded twice")?;
        prop_assert_eq!(elements(&folded.state), elements(&encoded));
    }
}

/// Goal: a subdocument keeps options that yrs does not know, for whoever joins later and after a restart.
#[test]
fn a_subdocument_keeps_its_options() {
    let options =
        [&text("guid")[..], &[118, 1], &text("meta"), &[118, 1], &text("title"), &[119], &text("Annex")];
    let sent = update(1, 0, &[item(9, None, "map", Some("k"), &options.concat())], &[]);
    let mut document = YjsDocument::default();
    let applied = document.apply(&sent).expect("honest");
    assert_eq!(applied.update.as_ref(), Some(&sent));
    assert_eq!(document.encode(), Ok(sent.clone()));
    assert_eq!(document.diff(&[0]), Ok(sent.clone()));
    let snapshot = compact::<YjsDocument>(None, &[record(1, &sent)]).expect("it folds");
    assert_eq!(snapshot.state, sent);
    let loaded = YjsDocument::load(Some(&snapshot), &[]).expect("it loads");
    assert_eq!(loaded.encode(), Ok(sent));
}

/// Goal: deleting subdocuments harms nobody. Method: yrs follows freed memory when it deletes some that it then joins or
/// frees with what they were in, so there must be none in it; neighbours are deleted at once, one with its surroundings.
#[test]
fn a_subdocument_never_reaches_yrs() {
    let options = [&text("guid \"1\"")[..], &[118, 0]].concat();
    let id = |clock| Id { client: ClientId(1), clock };
    let structs = [
        item(9, None, "array", None, &options),
        item(9, Some(id(0)), "array", None, &options),
        item(7, None, "map", Some("k"), &[0]),
        [&[9, 0, 1, 2][..], &options].concat(),
    ];
    let sent = update(1, 0, &structs, &[]);
    let mut document = YjsDocument::default();
    assert_eq!(document.apply(&sent).expect("honest").update, Some(sent.clone()));
    assert_eq!(document.contained().read(|txn| txn.subdocs().count()), Ok(0));
    let named = serde_json::json!({"guid": "guid \"1\""});
    assert_eq!(
        document.to_json(),
        Ok(serde_json::json!({"array": [&named, &named], "map": {"k": [&named]}}))
    );
    assert_eq!(elements(&document.encode().expect("sound")), elements(&sent));
    let gone = DeleteRange { client: ClientId(1), clock: 0, len: 3 };
    document.apply(&update(1, 0, &[], &[gone])).expect("honest");
    assert_eq!(document.to_json(), Ok(serde_json::json!({"array": "", "map": ""})));
    assert_eq!(elements(&document.encode().expect("sound")), BTreeMap::new());
}

/// Goal: what is deleted takes no memory, and the usual takes none at any time.
#[test]
fn what_is_remembered_is_forgotten_when_it_is_deleted() {
    let mut document = YjsDocument::default();
    let values = [TWELVE.to_vec(), vec![119, 2, b'-', b'0']];
    document.apply(&update(1, 0, &[item(8, None, "array", None, &any_body(&values))], &[])).expect("honest");
    assert_eq!(document.originals().memory_bytes(), 0);
    let mut entry = None;
    for clock in 2..100 {
        let body = any_body(&[NEGATIVE_ZERO.to_vec()]);
        let set = item(8, entry, "map", Some("k"), &body);
        document.apply(&update(1, clock, &[set], &[])).expect("honest");
        entry = Some(Id { client: ClientId(1), clock });
    }
    let of_one = document.originals().memory_bytes();
    assert!(of_one > 0 && of_one < 200, "{of_one} bytes for one value of 2");
    let gone = DeleteRange { client: ClientId(1), clock: 99, len: 1 };
    document.apply(&update(1, 0, &[], &[gone])).expect("honest");
    assert_eq!(document.originals().memory_bytes(), 0);
}

/// Goal: a compaction that loses what yrs does not keep is noticed.
#[test]
fn documents_are_compared_by_what_yrs_does_not_keep() {
    let with = |value: &[u8]| {
        let mut document = YjsDocument::default();
        let push = item(8, None, "array", None, &any_body(&[value.to_vec()]));
        document.apply(&update(1, 0, &[push], &[])).expect("honest");
        document
    };
    assert_eq!(with(&TWELVE).to_json(), with(&BIG_TWELVE).to_json());
    assert_eq!(with(&TWELVE).same_document(&with(&BIG_TWELVE)), Ok(false));
    assert_eq!(with(&BIG_TWELVE).same_document(&with(&TWELVE)), Ok(false));
    assert_eq!(with(&BIG_TWELVE).same_document(&with(&BIG_TWELVE)), Ok(true));
}

/// Goal: an update that goes in in slices, in part, is remembered, and it is found fast. Method: 20,000 values as
/// structs of their own, the first half known; then each with a neighbour of its own, so that yrs cannot join them.
#[test]
fn many_structs_are_restored() {
    let structs = |range: std::ops::Range<u32>| -> Vec<Raw> {
        let before = |clock: u32| clock.checked_sub(1).map(|clock| Id { client: ClientId(1), clock });
        range.map(|clock| item(8, before(clock), "array", None, &any_body(&[BIG_TWELVE.to_vec()]))).collect()
    };
    let mut document = YjsDocument::default();
    document.apply(&update(1, 0, &structs(0..10_000), &[])).expect("honest");
    let applied = document.apply(&update(1, 0, &structs(0..20_000), &[])).expect("honest");
    let is_written = |update: &[u8], count: usize| {
        let found = elements(update);
        assert_eq!(found.len(), count);
        assert!(found.values().all(|value| value == "12n"));
    };
    is_written(&applied.update.expect("the second half is new"), 10_000);
    is_written(&document.encode().expect("sound"), 20_000);
    let between = (0..19_999).map(|clock| {
        let mut out = vec![0xc8];
        for neighbour in [clock, clock + 1] {
            out.push(1);
            write_var_uint(&mut out, neighbour);
        }
        [out, any_body(&[BIG_TWELVE.to_vec()])].concat()
    });
    let between: Vec<Raw> = between.collect();
    document.apply(&update(2, 0, &between, &[])).expect("honest");
    is_written(&document.encode().expect("sound"), 39_999);
}
