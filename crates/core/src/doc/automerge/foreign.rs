//! Takes a whole document from outside apart into its changes, without automerge ever holding it as it came.
//!
//! The graph of changes takes memory in the square of the checkpoints (see [`super::graph`]), and who writes a document chooses which of its
//! changes are: those whose hashes begin with a zero byte. A document does not hold these hashes, and automerge tells them when it has built
//! the graph. So the document is read under other names first. Each actor gets a prefix that rests on every byte of the document: the
//! order of the actors stays, and all hashes are others, which nobody could choose. What the changes are under their own names is then
//! worked out, each from those that it rests on. Besides, what a document says beyond its changes is believed nowhere: automerge loads
//! some from whose inside it cannot give a change back.

use std::collections::{BTreeMap, BTreeSet};

use automerge::{Automerge, Change, ChangeHash, LoadOptions, OnPartialLoad, VerificationMode};
use sha2::{Digest, Sha256};

use super::{
    AutomergeError,
    contain::{Failed, contained},
    writing::is_possible,
};
use crate::guard::{
    Malformed,
    automerge::{Leb128, MAGIC},
    write_buf, write_var_uint,
};

/// Bytes of the magic number, the checksum and the kind that a chunk begins with.
const HEADER_BYTES: u64 = 9;

const DOCUMENT: u8 = 0;
const CHANGE: u8 = 1;

/// Bytes that each actor gets in front.
const PREFIX_BYTES: usize = 8;

/// Returns the changes in a document that was scanned, each behind those that it rests on.
pub(super) fn changes_in(document: &[u8]) -> Result<Vec<Change>, AutomergeError> {
    let renamed = renamed(document)?;
    let options = LoadOptions::new()
        .on_partial_load(OnPartialLoad::Error)
        .verification_mode(VerificationMode::DontCheck);
    let changes =
        contained(|| Automerge::load_with_options(&renamed, options).map(|loaded| loaded.get_changes(&[])));
    let changes = changes.map_err(|Failed| AutomergeError::Refused)?.map_err(|_| AutomergeError::Refused)?;
    let (mut own, mut heads) = (BTreeMap::new(), BTreeSet::new());
    let mut found = Vec::with_capacity(changes.len());
    for renamed in changes {
        let change =
            contained(|| Change::from_bytes(own_names(&renamed, &own)?).map_err(|_| AutomergeError::Refused));
        let change = change.map_err(|Failed| AutomergeError::Refused)??;
        if !is_possible(&change) {
            return Err(AutomergeError::Refused);
        }
        change.deps().iter().for_each(|older| _ = heads.remove(older));
        heads.insert(change.hash());
        own.insert(renamed.hash(), change.hash());
        found.push(change);
    }
    if heads.into_iter().eq(heads_of(document)?) { Ok(found) } else { Err(AutomergeError::Refused) }
}

/// Returns the heads that a document names, in order.
fn heads_of(document: &[u8]) -> Result<BTreeSet<ChangeHash>, Malformed> {
    let mut reader = body_of(document)?;
    for _ in 0..reader.count(1, u64::MAX)? {
        reader.prefixed()?;
    }
    Ok(reader.hashes(u64::MAX)?.iter().copied().map(ChangeHash).collect())
}

/// Returns a document whose actors have other names.
fn renamed(document: &[u8]) -> Result<Vec<u8>, Malformed> {
    let prefix = &Sha256::digest(document)[..PREFIX_BYTES];
    let mut reader = body_of(document)?;
    let mut body = Vec::with_capacity(document.len() * 2);
    let count = reader.count(1, u64::MAX)?;
    write_var_uint(&mut body, count);
    for _ in 0..count {
        let actor = reader.prefixed()?;
        write_var_uint(&mut body, (PREFIX_BYTES + actor.len()) as u64);
        body.extend_from_slice(prefix);
        body.extend_from_slice(actor);
    }
    body.extend_from_slice(reader.rest());
    Ok(chunk(DOCUMENT, &body))
}

/// Returns a change of a renamed document as it is under its own names. `own` holds the hashes of those before it.
fn own_names(change: &Change, own: &BTreeMap<ChangeHash, ChangeHash>) -> Result<Vec<u8>, AutomergeError> {
    let mut reader = body_of(change.raw_bytes())?;
    let mut body = Vec::with_capacity(change.raw_bytes().len());
    let rests_on = reader.hashes(u64::MAX)?.iter().map(|hash| own.get(&ChangeHash(*hash)).copied());
    let rests_on: Vec<ChangeHash> = rests_on.collect::<Option<_>>().ok_or(AutomergeError::Refused)?;
    write_var_uint(&mut body, rests_on.len() as u64);
    rests_on.iter().for_each(|hash| body.extend_from_slice(&hash.0));
    write_buf(&mut body, own_name(&mut reader)?);
    let whole = reader.rest();
    reader.uleb()?;
    reader.uleb()?;
    reader.sleb()?;
    reader.prefixed()?;
    body.extend_from_slice(&whole[..whole.len() - reader.rest().len()]);
    let others = reader.count(1, u64::MAX)?;
    write_var_uint(&mut body, others);
    for _ in 0..others {
        write_buf(&mut body, own_name(&mut reader)?);
    }
    body.extend_from_slice(reader.rest());
    Ok(chunk(CHANGE, &body))
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

/// Writes a chunk. Its checksum is the beginning of the hash of what follows.
fn chunk(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut hashed = vec![kind];
    write_buf(&mut hashed, body);
    [&MAGIC, &Sha256::digest(&hashed)[..4], &hashed].concat()
}

#[cfg(test)]
mod tests {
    use automerge::{
        ActorId, AutoCommit, ObjType, ROOT, ReadDoc,
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

    /// Whoever names other heads than the changes have would be believed by whoever is sent the document.
    #[test]
    fn a_document_that_names_other_heads_is_refused() {
        let mut client = AutoCommit::new();
        client.put(ROOT, "key", 1).expect("a map");
        let whole = client.save();
        let own = client.get_heads()[0].0;
        let with_head = |head: [u8; 32]| {
            let mut body = body_of(&whole).expect("a document").rest().to_vec();
            let at = body.windows(32).position(|bytes| bytes == own).expect("it is named");
            body[at..at + 32].copy_from_slice(&head);
            changes_in(&chunk(DOCUMENT, &body)).map(|changes| changes.len())
        };
        assert_eq!(with_head(own), Ok(1));
        assert_eq!(with_head(own.map(|byte| byte ^ 1)), Err(AutomergeError::Refused));
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
            let raw = |changes: Vec<Change>| -> BTreeSet<Vec<u8>> {
                changes.iter().map(|change| change.raw_bytes().to_vec()).collect()
            };
            prop_assert_eq!(raw(changes_in(&whole).expect("it is sound")), raw(loaded.get_changes(&[])));
        }
    }
}
