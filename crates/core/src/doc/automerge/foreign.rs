//! Looks into a whole document from outside before automerge builds its graph of changes.
//!
//! The graph takes memory in the square of the checkpoints (see [`super::graph`]), and who writes a document chooses which of its changes
//! are: those whose hashes begin with a zero byte. A document does not hold these hashes, and automerge tells them when it has built the graph. So
//! the document is read under other names first. Each actor gets a prefix that rests on every byte of the document: the order of the
//! actors stays, and all hashes are others, which nobody could choose. What the changes are under their own names is then worked out,
//! each from those that it rests on.

use std::collections::BTreeMap;

use automerge::{ActorId, Automerge, Change, ChangeHash, LoadOptions, OnPartialLoad, VerificationMode};
use sha2::{Digest, Sha256};

use super::{
    AutomergeError,
    contain::{Failed, contained},
};
use crate::guard::{Malformed, automerge::Leb128};

/// Bytes before the actors of a document, and those of a change, that are their magic number, checksum and kind.
const HEADER_BYTES: u64 = 9;

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const DOCUMENT: u8 = 0;
const CHANGE: u8 = 1;

/// Bytes that each actor gets in front.
const PREFIX_BYTES: usize = 8;

/// Returns the changes in a document that was scanned, each with its hash and its actor.
pub(super) fn changes_in(document: &[u8]) -> Result<BTreeMap<ChangeHash, ActorId>, AutomergeError> {
    let renamed = renamed(document)?;
    let options = LoadOptions::new()
        .on_partial_load(OnPartialLoad::Error)
        .verification_mode(VerificationMode::DontCheck);
    let changes =
        contained(|| Automerge::load_with_options(&renamed, options).map(|loaded| loaded.get_changes(&[])));
    let changes = changes.map_err(|Failed| AutomergeError::Refused)?.map_err(|_| AutomergeError::Refused)?;
    let mut own: BTreeMap<ChangeHash, ChangeHash> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for change in &changes {
        let (hash, actor) = own_names(change, &own)?;
        own.insert(change.hash(), hash);
        found.insert(hash, actor);
    }
    Ok(found)
}

/// Returns a document whose actors have other names.
fn renamed(document: &[u8]) -> Result<Vec<u8>, Malformed> {
    let prefix = &Sha256::digest(document)[..PREFIX_BYTES];
    let mut reader = body_of(document)?;
    let mut body = Vec::with_capacity(document.len() * 2);
    let count = reader.count(1, u64::MAX)?;
    write_uleb(&mut body, count);
    for _ in 0..count {
        let actor = reader.prefixed()?;
        write_uleb(&mut body, (PREFIX_BYTES + actor.len()) as u64);
        body.extend_from_slice(prefix);
        body.extend_from_slice(actor);
    }
    body.extend_from_slice(reader.rest());
    let hashed = hashed_part(DOCUMENT, &body);
    Ok([&MAGIC, &Sha256::digest(&hashed)[..4], &hashed].concat())
}

/// Returns the hash of a change of a renamed document, and its actor, as they are under their own names. `own` holds the hashes of those
/// before it.
fn own_names(
    change: &Change,
    own: &BTreeMap<ChangeHash, ChangeHash>,
) -> Result<(ChangeHash, ActorId), AutomergeError> {
    let mut reader = body_of(change.raw_bytes())?;
    let mut body = Vec::with_capacity(change.raw_bytes().len());
    let rests_on = reader.hashes(u64::MAX)?.iter().map(|hash| own.get(&ChangeHash(*hash)).copied());
    let mut rests_on: Vec<ChangeHash> = rests_on.collect::<Option<_>>().ok_or(AutomergeError::Refused)?;
    rests_on.sort_unstable();
    write_uleb(&mut body, rests_on.len() as u64);
    rests_on.iter().for_each(|hash| body.extend_from_slice(&hash.0));
    let actor = own_name(&mut reader)?;
    write_prefixed(&mut body, actor);
    let whole = reader.rest();
    reader.uleb()?;
    reader.uleb()?;
    reader.sleb()?;
    reader.prefixed()?;
    body.extend_from_slice(&whole[..whole.len() - reader.rest().len()]);
    let others = reader.count(1, u64::MAX)?;
    write_uleb(&mut body, others);
    for _ in 0..others {
        write_prefixed(&mut body, own_name(&mut reader)?);
    }
    body.extend_from_slice(reader.rest());
    let hash = Sha256::digest(hashed_part(CHANGE, &body));
    Ok((ChangeHash(hash.into()), ActorId::from(actor)))
}

/// Reads an actor that was renamed, and returns its own name.
fn own_name<'a>(reader: &mut Leb128<'a>) -> Result<&'a [u8], AutomergeError> {
    reader.prefixed()?.get(PREFIX_BYTES..).ok_or(AutomergeError::Refused)
}

/// Returns what follows the header of a chunk.
fn body_of(chunk: &[u8]) -> Result<Leb128<'_>, Malformed> {
    let mut reader = Leb128::new(chunk, 0);
    reader.take(HEADER_BYTES)?;
    Ok(Leb128::new(reader.prefixed()?, 0))
}

/// Returns what a chunk is the hash of: all but its beginning.
fn hashed_part(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len() + 10);
    bytes.push(kind);
    write_prefixed(&mut bytes, body);
    bytes
}

fn write_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    write_uleb(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn write_uleb(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use automerge::{
        AutoCommit, ObjType, ROOT, ReadDoc,
        marks::{ExpandMark, Mark},
        transaction::{CommitOptions, Transactable},
    };
    use proptest::prelude::*;

    use super::*;

    /// What one of three people does.
    #[derive(Clone, Debug)]
    enum Step {
        Put(usize, u8, i64),
        Type(usize, usize, String),
        Remove(usize, usize),
        Mark(usize, usize),
        Count(usize, i64),
        Say(usize, String),
        Merge(usize, usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let who = || 0..3_usize;
        let step = prop_oneof![
            (who(), any::<u8>(), any::<i64>()).prop_map(|(who, key, value)| Step::Put(who, key % 4, value)),
            (who(), any::<usize>(), "[a🙂]{1,9}").prop_map(|(who, at, text)| Step::Type(who, at, text)),
            (who(), any::<usize>()).prop_map(|(who, at)| Step::Remove(who, at)),
            (who(), any::<usize>()).prop_map(|(who, at)| Step::Mark(who, at)),
            (who(), -9..9_i64).prop_map(|(who, by)| Step::Count(who, by)),
            (who(), "[a-z]{0,9}").prop_map(|(who, said)| Step::Say(who, said)),
            (who(), who()).prop_map(|(from, into)| Step::Merge(from, into)),
        ];
        prop::collection::vec(step, 0..60)
    }

    /// Three who begin with one document.
    fn people() -> Vec<AutoCommit> {
        let mut first = AutoCommit::new().with_actor(ActorId::from(&[7_u8; 16]));
        first.put_object(ROOT, "text", ObjType::Text).expect("a map");
        first.put(ROOT, "count", automerge::ScalarValue::counter(0)).expect("a map");
        (0..3)
            .map(|who| first.fork().with_actor(ActorId::from(vec![who * 3; 1 + usize::from(who)])))
            .collect()
    }

    fn take(people: &mut [AutoCommit], step: &Step) {
        let text = people[0].get(ROOT, "text").expect("a map").expect("it is there").1;
        let place = |doc: &AutoCommit, at: usize| at % doc.length(&text).max(1);
        match step {
            Step::Put(who, key, value) => people[*who].put(ROOT, format!("k{key}"), *value).expect("a map"),
            Step::Type(who, at, chars) => {
                let doc = &mut people[*who];
                let at = at % (doc.length(&text) + 1);
                doc.splice_text(&text, at, 0, chars).expect("within the text");
            }
            Step::Remove(who, at) => {
                let doc = &mut people[*who];
                let at = place(doc, *at);
                if doc.length(&text) > at {
                    doc.splice_text(&text, at, 1, "").expect("within the text");
                }
            }
            Step::Mark(who, at) => {
                let doc = &mut people[*who];
                let (at, end) = (place(doc, *at), doc.length(&text));
                if at < end {
                    let mark = Mark::new("bold".to_owned(), true, at, end);
                    doc.mark(&text, mark, ExpandMark::After).expect("within the text");
                }
            }
            Step::Count(who, by) => people[*who].increment(ROOT, "count", *by).expect("a counter"),
            Step::Say(who, said) => {
                people[*who].put(ROOT, "said", said.as_str()).expect("a map");
                people[*who]
                    .commit_with(CommitOptions::default().with_message(said).with_time(said.len() as i64));
            }
            Step::Merge(from, into) => {
                let mut from = people[*from].fork();
                people[*into].merge(&mut from).expect("one document");
            }
        }
        for doc in people {
            doc.commit();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// What is worked out is what automerge says once it has the document.
        #[test]
        fn the_changes_of_a_document_are_found_out(steps in steps()) {
            let mut people = people();
            steps.iter().for_each(|step| take(&mut people, step));
            for from in [1, 2] {
                take(&mut people, &Step::Merge(from, 0));
            }
            let whole = people[0].save();
            let loaded = Automerge::load(&whole).expect("it is sound");
            let want = loaded.get_changes_meta(&[]).into_iter().map(|change| (change.hash, change.actor.into_owned()));
            prop_assert_eq!(changes_in(&whole).expect("it is sound"), want.collect());
        }
    }
}
