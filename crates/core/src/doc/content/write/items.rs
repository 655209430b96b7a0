//! Writes what arrays, fragments and elements of XML hold into yrs.
//!
//! yrs finds a place in an array by a walk from its beginning, each time. So shared types are put in and taken out as in a text, over
//! which it goes in one pass. It would take plain values for embeds of the text: these are put in and taken out stretch by stretch.

use yrs::{
    Any, Array, ArrayRef, Text, TextRef,
    branch::BranchPtr,
    types::Delta::{Deleted, Inserted, Retain},
};

use super::{Element, Unwritable, Writer, write};
use crate::doc::{
    content::{Content, Delta, Hunk, ItemsHunk},
    read::items_of,
};

type Steps<'a> = Vec<yrs::types::Delta<Element<'a>>>;

/// Puts things at the end of what an empty sequence holds.
pub(super) fn append_items(
    w: &mut Writer<'_, '_>,
    branch: BranchPtr,
    items: &[Content],
) -> Result<(), Unwritable> {
    replace(w, branch, &[], &[Hunk { before: 0..0, after: 0..items.len() }], items)
}

/// Changes a sequence by hunks, which turn what it holds into `after`.
pub(super) fn write_items(
    w: &mut Writer<'_, '_>,
    branch: BranchPtr,
    hunks: &[ItemsHunk],
    after: &[Content],
) -> Result<(), Unwritable> {
    let items = items_of(&ArrayRef::from(branch), w.txn).ok_or(Unwritable::Content)?;
    let there: Vec<_> = items.iter().map(|out| out.try_branch().map(BranchPtr::from)).collect();
    let mut replaced: Vec<Hunk> = Vec::new();
    for ItemsHunk { hunk, changed } in hunks {
        for (n, delta) in changed.iter().enumerate() {
            let (old, new) = (hunk.before.start + n, hunk.after.start + n);
            if *delta == Delta::Other {
                push(&mut replaced, Hunk { before: old..old + 1, after: new..new + 1 });
            } else {
                let inside = there.get(old).copied().flatten().ok_or(Unwritable::Content)?;
                write(w, inside, delta, &after[new])?;
            }
        }
        let (old, new) = (hunk.before.start + changed.len(), hunk.after.start + changed.len());
        push(&mut replaced, Hunk { before: old..hunk.before.end, after: new..hunk.after.end });
    }
    replace(w, branch, &there, &replaced, after)
}

/// Appends a hunk to others, as part of the last one if it follows that in both sequences.
fn push(hunks: &mut Vec<Hunk>, hunk: Hunk) {
    match hunks.last_mut() {
        Some(last) if (last.before.end, last.after.end) == (hunk.before.start, hunk.after.start) => {
            (last.before.end, last.after.end) = (hunk.before.end, hunk.after.end);
        }
        _ => hunks.push(hunk),
    }
}

fn replace(
    w: &mut Writer<'_, '_>,
    branch: BranchPtr,
    there: &[Option<BranchPtr>],
    hunks: &[Hunk],
    after: &[Content],
) -> Result<(), Unwritable> {
    let array = ArrayRef::from(branch);
    let are_types = |hunk: &Hunk| there[hunk.before.clone()].iter().all(Option::is_some);
    // From the last to the first, so that the numbers of those before stay.
    for hunk in hunks.iter().rev() {
        let at = hunk.before.start as u32;
        if !are_types(hunk) {
            w.budget.walk(array.len(w.txn).into())?;
            array.remove_range(w.txn, at, hunk.before.len() as u32);
        }
        // All at once: yrs joins what is put in one by one, and copies what it has joined each time.
        let values: Vec<Any> = after[hunk.after.clone()].iter().filter_map(value).cloned().collect();
        if !values.is_empty() {
            w.budget.walk(array.len(w.txn).into())?;
            array.insert_range(w.txn, at, values);
        }
    }
    let (mut steps, mut kept, mut put) = (Steps::new(), 0, 0);
    for hunk in hunks {
        steps.push(Retain((hunk.before.start - kept) as u32, None));
        kept = hunk.before.end;
        for content in &after[hunk.after.clone()] {
            if value(content).is_some() {
                steps.push(Retain(1, None));
            } else {
                steps.push(Inserted(Element::of(content, w.budget)?, None));
                put += 1;
            }
        }
        if are_types(hunk) && !hunk.before.is_empty() {
            steps.push(Deleted(hunk.before.len() as u32));
        }
    }
    if steps.iter().all(|step| matches!(step, Retain(..))) {
        return Ok(());
    }
    w.budget.walk(split_values(there, hunks, after))?;
    if w.budget.may_pass(put) {
        TextRef::from(branch).apply_delta(w.txn, steps);
    } else {
        step_by_step(w, &array, steps)?;
    }
    w.budget.result()
}

/// Returns how many values yrs moves: values that follow each other may be one item, and what is put between two of them cuts it.
fn split_values(there: &[Option<BranchPtr>], hunks: &[Hunk], after: &[Content]) -> u64 {
    let mut behind = vec![0_u64; there.len() + 1];
    for at in (0..there.len()).rev() {
        behind[at] = if there[at].is_none() { behind[at + 1] + 1 } else { 0 };
    }
    let of_hunk = |hunk: &Hunk| {
        let new = &after[hunk.after.clone()];
        let values = new.iter().filter_map(value).count() as u64;
        if values == 0 {
            let is_behind_value = hunk.before.start.checked_sub(1).is_some_and(|last| there[last].is_none());
            return if is_behind_value { behind[hunk.before.start] } else { 0 };
        }
        let mut placed = 0;
        let cuts = new.windows(2).map(|pair| {
            placed += u64::from(value(&pair[0]).is_some());
            let is_cut = value(&pair[0]).is_some() && value(&pair[1]).is_none();
            if is_cut { values - placed } else { 0 }
        });
        cuts.sum()
    };
    hunks.iter().map(of_hunk).sum()
}

/// Goes to each place from the beginning.
fn step_by_step(w: &mut Writer<'_, '_>, array: &ArrayRef, steps: Steps<'_>) -> Result<(), Unwritable> {
    let mut at = 0;
    for step in steps {
        if !matches!(step, Retain(..)) {
            w.budget.walk(array.len(w.txn).into())?;
        }
        match step {
            Retain(count, _) => at += count,
            Deleted(count) => array.remove_range(w.txn, at, count),
            Inserted(element, _) => {
                array.insert(w.txn, at, element);
                at += 1;
            }
        }
    }
    Ok(())
}

fn value(content: &Content) -> Option<&Any> {
    match content {
        Content::Value(value) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use yrs::{Doc, Out, Transact, types::Attrs};

    use super::*;
    use crate::{
        doc::content::{Items, Named, content_of, delta, write::Budget},
        limits::FORMATS_BYTES_MAX,
    };

    /// Few, so that stretches of two sequences are the same; maps and arrays with one thing in them, or none.
    fn contents() -> impl Strategy<Value = Content> {
        let value = (0..3_i64).prop_map(|number| Content::Value(number.into()));
        let inside = || proptest::option::of(value.clone());
        prop_oneof![
            value.clone(),
            inside().prop_map(|inside| Content::Map(
                inside.map(|value| ("a".to_owned(), value)).into_iter().collect()
            )),
            inside().prop_map(|inside| Content::Items(Items::Array, inside.into_iter().collect())),
        ]
    }

    /// Whether it is no plain value, and no array with one.
    fn has_no_value(content: &Content) -> bool {
        match content {
            Content::Items(_, items) => items.is_empty(),
            content => value(content).is_none(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// Goal: whatever an array held, it holds what it should afterwards, in one pass and step by step, and shared types need no walk.
        /// Method: it holds one thing after the other, so that there are places where something was removed; and a format, which some
        /// client may put in an array.
        #[test]
        fn arrays_hold_what_they_should(all in vec(vec(contents(), 0..8), 1..5), format: bool, once: bool) {
            let doc = Doc::new();
            let array = doc.get_or_insert_array("a");
            let branch = BranchPtr::from(array.as_ref());
            let mut txn = doc.transact_mut();
            let mut before: Vec<Content> = Vec::new();
            for (n, after) in all.iter().enumerate() {
                let Delta::Items(hunks) = delta(
                    &Content::Items(Items::Array, before.clone()),
                    &Content::Items(Items::Array, after.clone()),
                ) else { continue };
                let are_types = before.iter().chain(after).all(has_no_value);
                let steps = if once && are_types { 0 } else { u64::MAX };
                let budget = Budget::of_steps(steps, if once { 1 } else { u64::MAX });
                let mut writer = Writer::new(&mut txn, &budget);
                if n == 0 {
                    append_items(&mut writer, branch, after).expect("it can be written");
                } else {
                    write_items(&mut writer, branch, &hunks, after).expect("it can be written");
                }
                prop_assert_eq!(content_of(Out::YArray(array.clone()), &txn), Content::Items(Items::Array, after.clone()));
                if format {
                    let bold = Attrs::from([("bold".into(), true.into())]);
                    let len = array.len(&txn);
                    TextRef::from(branch).format(&mut txn, 0, len, bold);
                }
                before.clone_from(after);
            }
        }
    }

    /// Goal: an array that cannot be passed over once is walked over so far and no further.
    #[test]
    fn arrays_are_walked_over_so_far_and_no_further() {
        let maps = vec![Content::Map(Named::new()); 5];
        let written = |arrays, steps, at_once| {
            let doc = Doc::new();
            let budget = Budget::of_steps(steps, at_once);
            (0..arrays).try_for_each(|number| {
                let array = doc.get_or_insert_array(number.to_string());
                let mut txn = doc.transact_mut();
                append_items(&mut Writer::new(&mut txn, &budget), BranchPtr::from(array.as_ref()), &maps)
            })
        };
        // The array has none, one, two, three and four of them.
        assert_eq!(written(1, 10, FORMATS_BYTES_MAX), Ok(()));
        assert_eq!(written(1, 9, FORMATS_BYTES_MAX), Err(Unwritable::Long));
        // Once there is enough for all of them, twice there is not.
        assert_eq!(written(1, 0, FORMATS_BYTES_MAX / 5), Ok(()));
        assert_eq!(written(2, 0, FORMATS_BYTES_MAX / 5), Err(Unwritable::Long));
    }

    /// Goal: what is put between values is paid for by the values that are moved for it, in the array and in what is put there.
    #[test]
    fn values_are_cut_so_often_and_no_more() {
        let (map, one) = (Content::Map(Named::new()), Content::Value(1_i64.into()));
        let sequence = |kinds: &str| -> Vec<Content> {
            kinds.chars().map(|kind| if kind == 'm' { map.clone() } else { one.clone() }).collect()
        };
        let written = |before: &str, after: &str, steps| {
            let (before, after) = (sequence(before), sequence(after));
            let doc = Doc::new();
            let array = doc.get_or_insert_array("a");
            let branch = BranchPtr::from(array.as_ref());
            let mut txn = doc.transact_mut();
            let (enough, budget) = (Budget::new(0), Budget::of_steps(steps, 0));
            append_items(&mut Writer::new(&mut txn, &enough), branch, &before)?;
            let items = |all| Content::Items(Items::Array, all);
            match delta(&items(before), &items(after.clone())) {
                Delta::Items(hunks) => {
                    write_items(&mut Writer::new(&mut txn, &budget), branch, &hunks, &after)
                }
                _ => Ok(()),
            }
        };
        let cases = [
            ("", "1m1m1", 3),
            ("", "m111m", 0),
            ("1111", "1m111", 3),
            ("m11", "mm11", 0),
            ("11m", "11mm", 0),
        ];
        for (before, after, steps) in cases {
            assert_eq!(written(before, after, steps), Ok(()), "{before} to {after}");
            if steps > 0 {
                assert_eq!(written(before, after, steps - 1), Err(Unwritable::Long), "{before} to {after}");
            }
        }
    }

    /// Goal: what yrs asks for while it writes, and is not given, is told to who wrote.
    #[test]
    fn what_cannot_be_written_deep_inside_is_told() {
        let deep =
            Content::Items(Items::Array, vec![Content::Map([("a".to_owned(), Content::Opaque)].into())]);
        let doc = Doc::new();
        let array = doc.get_or_insert_array("a");
        let mut txn = doc.transact_mut();
        let budget = Budget::new(0);
        let mut writer = Writer::new(&mut txn, &budget);
        let written = append_items(&mut writer, BranchPtr::from(array.as_ref()), &[deep]);
        assert_eq!(written, Err(Unwritable::Content));
    }
}
