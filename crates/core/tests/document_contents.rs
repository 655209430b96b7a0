//! A Yjs document may hold anything anywhere: characters in arrays, formats among XML, what was put in one type behind what is in
//! another. Whatever is taken in is read, folded and edited, and nobody waits for ever.

#![cfg(feature = "yjs")]

use std::{
    collections::BTreeMap,
    env, process,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use bytes::Bytes;
use serde_json::json;
use syncline_core::{
    doc::{
        ApplyError, Authorship, CompactError, DocumentEdit, MarkdownError, WriteError, YjsDocument, compact,
    },
    guard::{write_buf, write_string, write_var_uint},
    id::{ClientId, CommitNumber, ConnectionId},
    log::{Author, LogEntry, LogRecord, Snapshot},
    time::WallMs,
};

/// Documents that are made unless `SYNCLINE_CONTENTS` says how many; `SYNCLINE_SEED` makes others of them.
const DOCUMENTS_DEFAULT: u64 = 2_000;

/// Longest time that a document of some dozen structs takes, on any machine.
const LONGEST: Duration = Duration::from_secs(60);

/// Draws from a seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) % below
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.roll(all.len() as u64) as usize]
    }
}

/// What was written so far, by each of two clients.
#[derive(Clone, Default)]
struct Written {
    clocks: [u64; 2],
    /// Where types begin.
    types: Vec<Element>,
}

/// A client, and how many elements it had made before this one.
type Element = (u64, u64);

fn write_element(out: &mut Vec<u8>, (client, clock): Element) {
    write_var_uint(out, client);
    write_var_uint(out, clock);
}

impl Written {
    fn any(&self, dice: &mut Dice) -> Option<Element> {
        let client = dice.roll(2);
        let clock = self.clocks[client as usize];
        (clock > 0).then(|| (client + 1, dice.roll(clock)))
    }

    /// Some structs of one of the clients, and deletions of anything.
    fn update(&mut self, dice: &mut Dice) -> Vec<u8> {
        let (client, structs) = (dice.roll(2), dice.roll(4));
        let mut out = vec![u8::from(structs > 0)];
        if structs > 0 {
            write_var_uint(&mut out, structs);
            write_element(&mut out, (client + 1, self.clocks[client as usize]));
        }
        for _ in 0..structs {
            self.clocks[client as usize] += match dice.roll(24) {
                0 => {
                    let len = 1 + dice.roll(2);
                    out.extend([0, len as u8]);
                    len
                }
                _ => self.item(dice, client, &mut out),
            };
        }
        let deleted: Vec<Element> = (0..dice.roll(3)).filter_map(|_| self.any(dice)).collect();
        write_var_uint(&mut out, deleted.len() as u64);
        for (client, clock) in deleted {
            write_var_uint(&mut out, client);
            out.push(1);
            write_var_uint(&mut out, clock);
            write_var_uint(&mut out, 1 + dice.roll((self.clocks[client as usize - 1] - clock).min(8)));
        }
        out
    }

    /// Writes an item, and returns how long it is.
    fn item(&mut self, dice: &mut Dice, client: u64, out: &mut Vec<u8>) -> u64 {
        let content = dice.one_of(&[1, 3, 4, 4, 4, 5, 6, 6, 7, 7, 7, 7, 8, 8, 9]);
        let [origin, right] = [(); 2].map(|()| if dice.roll(3) > 0 { self.any(dice) } else { None });
        let is_alone = origin.is_none() && right.is_none();
        let name = (is_alone && dice.roll(3) == 0).then_some("n");
        let flags = [(0x80, origin.is_some()), (0x40, right.is_some()), (0x20, name.is_some())];
        out.push(flags.iter().filter(|(_, is_set)| *is_set).fold(content, |info, (flag, _)| info | flag));
        origin.into_iter().chain(right).for_each(|element| write_element(out, element));
        if is_alone {
            if dice.roll(4) > 0 && !self.types.is_empty() {
                out.push(0);
                write_element(out, dice.one_of(&self.types));
            } else {
                out.push(1);
                write_string(out, dice.one_of(&["a", "b"]));
            }
            name.into_iter().for_each(|name| write_string(out, name));
        }
        if content == 7 {
            self.types.push((client + 1, self.clocks[client as usize]));
        }
        content_into(dice, content, out)
    }
}

/// Writes a content of a kind; returns how long it is.
fn content_into(dice: &mut Dice, content: u8, out: &mut Vec<u8>) -> u64 {
    match content {
        1 => {
            let len = 1 + dice.roll(2);
            write_var_uint(out, len);
            return len;
        }
        3 => write_buf(out, &[1, 2, 3]),
        4 => {
            let text = dice.one_of(&["a", "abc", "🙂", "ü🙂b", "\n", "a\nb"]);
            write_string(out, text);
            return text.encode_utf16().count() as u64;
        }
        5 => write_string(out, dice.one_of(&["1", "\"a🙂\"", "{\"image\":\"x\"}", "[1,2]"])),
        6 => {
            write_string(out, dice.one_of(&["bold", "link", "header"]));
            write_string(out, dice.one_of(&["true", "null", "{\"href\":\"x\"}", "1"]));
        }
        7 => {
            let kind = dice.roll(7) as u8;
            out.push(kind);
            if matches!(kind, 3 | 5) {
                write_string(out, dice.one_of(&["paragraph", "p", "bulletList", "listItem", "table"]));
            }
        }
        8 => {
            let count = 1 + dice.roll(3);
            write_var_uint(out, count);
            // Undefined, null, true, a number, a string, an object and an array with one thing in each.
            let any: [&[u8]; 7] = [
                &[127],
                &[126],
                &[120],
                &[125, 7],
                &[119, 1, b'a'],
                &[118, 1, 1, b'a', 126],
                &[117, 1, 125, 1],
            ];
            (0..count).for_each(|_| out.extend(dice.one_of(&any)));
            return count;
        }
        _ => {
            write_string(out, "guid");
            out.extend([118, 0]);
        }
    }
    1
}

/// What two clients made who agree on nothing.
#[derive(Default)]
struct Made {
    document: YjsDocument,
    /// What was stored of it.
    log: Vec<LogRecord>,
    /// How many of their updates were taken in, and refused.
    fates: [u64; 2],
}

fn made(dice: &mut Dice) -> Made {
    let (mut written, Made { mut document, mut log, mut fates }) = (Written::default(), Made::default());
    for _ in 0..=dice.roll(24) {
        let before = written.clone();
        let update = written.update(dice);
        let applied = document.apply(&Bytes::from(update));
        assert_ne!(applied, Err(ApplyError::Broken));
        fates[usize::from(applied.is_err())] += 1;
        match applied {
            Ok(applied) => log.extend(applied.update.map(|update| record(log.len() as u64 + 1, update))),
            Err(_) => written = before,
        }
    }
    Made { document, log, fates }
}

fn record(number: u64, update: Bytes) -> LogRecord {
    let entry = LogEntry {
        author: Author::default(),
        connection: ConnectionId(1),
        at: WallMs(0),
        update,
        origins: None,
    };
    LogRecord { number: CommitNumber(number), entries: vec![entry] }
}

/// Does with a document all that can be done, and returns what did not work.
fn use_all_of(Made { document, log, .. }: &Made) -> Vec<String> {
    let mut failures = Vec::new();
    let mut see = |what: &str, error: Option<String>| {
        failures.extend(error.map(|error| format!("{what}: {error}")));
    };
    see("json", document.to_json().err().map(|error| error.to_string()));
    for root in ["a", "b"] {
        see("text", document.text(root).err().map(|error| error.to_string()));
        let markdown = document.markdown(Some(root)).err();
        let markdown = markdown.filter(|error| matches!(error, MarkdownError::Read(_)));
        see("markdown", markdown.map(|error| error.to_string()));
    }
    see("blame", document.written_by(&Authorship::default()).err().map(|error| error.to_string()));
    let state = document.encode().expect("it is sound");
    let folded = compact::<YjsDocument>(Some(&Snapshot { number: CommitNumber(1), state }), &[]);
    see("fold", folded.err().map(|error| error.to_string()));
    if !log.is_empty() {
        // That it can be loaded; who disagree on the order of neighbours may find another one.
        let replayed = compact::<YjsDocument>(None, log).err();
        let replayed = replayed.filter(|error| *error != CompactError::Differs);
        see("log", replayed.map(|error| error.to_string()));
    }
    let empty = YjsDocument::default();
    see("difference", document.changes_to(&empty).err().map(|error| error.to_string()));
    for (what, one, other) in [("empty", document, &empty), ("restore", &empty, document)] {
        let restored = one.restore(other, ClientId(3));
        let unexpected = restored.err().filter(|error| !matches!(error, WriteError::Unwritable));
        see(what, unexpected.map(|error| error.to_string()));
    }
    let edits = [DocumentEdit::Add { path: "/c".into(), value: json!([{"a": 1}, 2]) }];
    see("edit", document.edit(&edits, ClientId(3)).err().map(|error| error.to_string()));
    failures
}

fn setting(name: &str) -> Option<u64> {
    env::var(name).ok().map(|value| value.parse().expect("a number"))
}

/// Ends the process if the test does not come to the next document: nothing else ends a loop without end.
fn watch() -> mpsc::Sender<u64> {
    let (at, come_to) = mpsc::channel();
    thread::spawn(move || {
        let mut last = None;
        loop {
            match come_to.recv_timeout(LONGEST) {
                Ok(seed) => last = Some(seed),
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    eprintln!("the document of seed {last:?} is never read to its end");
                    process::abort();
                }
            }
        }
    });
    at
}

/// Goal: whatever stands where, a document is read, folded, compared, and another part of it edited, without a panic and without end.
/// Method: two clients write items of all kinds at random, anywhere.
#[test]
fn whatever_stands_where_is_read() {
    let first = setting("SYNCLINE_SEED").unwrap_or_default();
    let (watch, mut failures, mut fates) = (watch(), BTreeMap::new(), [0; 2]);
    for seed in first..first + setting("SYNCLINE_CONTENTS").unwrap_or(DOCUMENTS_DEFAULT) {
        watch.send(seed).expect("somebody watches");
        let made = made(&mut Dice(seed));
        fates = [fates[0] + made.fates[0], fates[1] + made.fates[1]];
        for failure in use_all_of(&made) {
            failures.entry(failure).or_insert((seed, 0_u64)).1 += 1;
        }
    }
    println!("{} updates were taken in, {} refused", fates[0], fates[1]);
    assert!(failures.is_empty(), "with which seed what failed first, and how often: {failures:#?}");
    assert!(fates[0] > fates[1] / 2, "most of what is made is hostile, not all: {fates:?}");
}
