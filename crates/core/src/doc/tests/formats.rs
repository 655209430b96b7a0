//! What formats come to is known before they are read.

use std::collections::BTreeMap;

use yrs::types::{Attrs, text::YChange};

use super::*;
use crate::{
    doc::{formats::ENTRY_BYTES, read::json},
    log::Snapshot,
};

/// Client 2 puts embeds into the root `t`, and formats of many names around all of them.
fn overlapping(formats: u32, embeds: u32, value: i64) -> Bytes {
    let doc = client(2);
    let text = doc.get_or_insert_text("t");
    let mut txn = doc.transact_mut();
    for _ in 0..embeds {
        text.insert_embed(&mut txn, 0, Any::from(7));
    }
    for number in 0..formats {
        text.format(&mut txn, 0, embeds, Attrs::from([(format!("m{number}").into(), Any::from(value))]));
    }
    txn.encode_update_v1().into()
}

fn holding(update: &Bytes) -> YjsDocument {
    let mut document = YjsDocument::default();
    document.apply(update).expect("it may be held");
    document
}

/// Goal: a document whose formats would take gigabytes where they are read is held, folded and told apart, but not read or written in.
#[test]
fn formats_that_come_to_too_much_are_kept_but_not_read() {
    let update = overlapping(2_000, 2_000, 1);
    let document = holding(&update);
    assert_eq!(document.to_json(), Err(ReadError::Formats));
    assert_eq!(document.text("t"), Err(ReadError::Formats));
    assert_eq!(document.markdown(None), Err(ReadError::Formats.into()));
    assert_eq!(document.changes_to(&document), Err(ReadError::Formats));
    assert_eq!(document.restore(&document, ClientId(3)), Err(WriteError::Read(ReadError::Formats)));
    let nothing: [DocumentEdit; 0] = [];
    assert_eq!(document.edit(&nothing, ClientId(3)), Err(WriteError::Read(ReadError::Formats).into()));
    assert_eq!(document.written_by(&Authorship::default()), Ok(Vec::new()));

    let number = CommitNumber(1);
    let folded =
        compact::<YjsDocument>(Some(&Snapshot { number, state: update }), &[]).expect("it is folded");
    assert!(holding(&folded.state).same_document(&document).expect("sound"));
    assert!(!holding(&overlapping(2_000, 2_000, 2)).same_document(&document).expect("sound"));
}

/// As many formats in one place as there are runs behind few of them are read.
#[test]
fn many_formats_that_do_not_overlap_are_read() {
    let update = overlapping(2_000, 10, 1);
    let document = holding(&update);
    assert!(!document.index().formats().is_within(), "it is counted");
    assert_eq!(document.text("t"), Ok(Some(String::new())));
    assert!(document.same_document(&holding(&update)).expect("sound"));
    assert!(!document.same_document(&holding(&overlapping(2_000, 10, 2))).expect("sound"));
}

/// Goal: what is written among many formats costs no more than what is read. Method: 5,000 of them hold at ten embeds; many
/// letters put between two of these would each end and begin all of them again.
#[test]
fn formats_are_not_ended_and_begun_again_without_bound() {
    let document = holding(&overlapping(5_000, 10, 1));
    let splice = |at, format: &str| DocumentEdit::Splice {
        path: "/t".to_owned(),
        at,
        remove: 0,
        insert: "a".to_owned(),
        format: BTreeMap::from([(format.to_owned(), 1.into())]),
    };
    assert!(document.edit(&[splice(5, "b")], ClientId(3)).expect("one is written").is_some());
    let many: Vec<_> = (0..400).map(|n| splice(5, ["b", "i"][n % 2])).collect();
    assert_eq!(document.edit(&many, ClientId(3)), Err(WriteError::Read(ReadError::Formats).into()));
}

/// One edit of a text: how much of it, from where, and what.
fn format_edits() -> impl Strategy<Value = Vec<(u8, u32, u32, &'static str)>> {
    let names = prop::sample::select(vec!["bold", "italic", "a", "comment--1", "comment--2"]);
    prop::collection::vec((0..6_u8, any::<u32>(), 1..6_u32, names), 1..40)
}

fn make(doc: &Doc, (what, at, len, name): (u8, u32, u32, &str)) {
    let text = doc.get_or_insert_text("t");
    let mut txn = doc.transact_mut();
    let whole = text.len(&txn);
    let at = at % (whole + 1);
    let len = len.min(whole - at);
    match what {
        0 | 1 => text.insert(&mut txn, at, name),
        2 => drop(text.insert_embed(&mut txn, at, Any::from(7))),
        3 => text.remove_range(&mut txn, at, len),
        _ if len == 0 => {}
        4 => {
            let value = if at.is_multiple_of(2) { true.into() } else { Any::from("x".repeat(3_000)) };
            text.format(&mut txn, at, len, Attrs::from([(name.into(), value)]));
        }
        _ => text.format(&mut txn, at, len, Attrs::from([(name.into(), Any::Null)])),
    }
}

proptest! {
    /// Goal: the count is what yrs would give, and no more than the bound. Method: two clients format one text at random.
    #[test]
    fn formats_are_counted_as_yrs_tells_them(one in format_edits(), other in format_edits()) {
        let docs = [1, 2].map(client);
        one.iter().for_each(|&edit| make(&docs[0], edit));
        other.iter().for_each(|&edit| make(&docs[1], edit));
        let mut document = YjsDocument::default();
        for doc in &docs {
            let update = doc.transact().encode_state_as_update_v1(&StateVector::default());
            document.apply(&update.into()).expect("clients are honest");
        }
        let told = document.contained().read(|txn| {
            let runs = txn.get_text("t").map_or_else(Vec::new, |text| text.diff(txn, YChange::identity));
            let bytes = |(name, value): (&std::sync::Arc<str>, &Any)| {
                name.len() as u64 + json(value).to_string().len() as u64 + ENTRY_BYTES
            };
            let formats = runs.iter().filter_map(|run| run.attributes.as_ref());
            formats.map(|format| format.iter().map(bytes).sum::<u64>()).sum::<u64>()
        });
        let told = told.expect("sound");
        prop_assert_eq!(document.formats_bytes(), Ok(told));
        prop_assert!(told <= document.index().formats().most_bytes());
        let again = holding(&document.encode().expect("sound"));
        prop_assert_eq!(
            document.marked().expect("sound").in_place(),
            again.marked().expect("sound").in_place()
        );
    }
}
