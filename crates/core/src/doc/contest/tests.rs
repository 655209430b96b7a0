//! The bound and the count against YATA itself, step by step, and against people who type.

mod places;

use std::{
    collections::{BTreeSet, HashSet},
    iter,
};

use bytes::Bytes;
use proptest::prelude::*;
use yrs::{
    Any, ClientID, Doc, GetString as _, Map as _, OffsetKind, Options, Text as _, Transact as _, Update,
    updates::decoder::Decode as _,
};

use super::{Added, bound::NOTED_STEPS, count};
use crate::{
    doc::{ApplyError, ReplayError, YjsDocument},
    guard::{Id, scan_update, write_string, write_var_uint},
    id::ClientId,
    limits::CONTEST_STEPS_MAX,
};

/// An item of one element.
#[derive(Clone, Copy, Debug)]
struct Item {
    id: Id,
    origin: Option<Id>,
    right: Option<Id>,
}

fn id(client: u64, clock: u32) -> Id {
    Id { client: ClientId(client), clock }
}

fn write_id(out: &mut Vec<u8>, id: Id) {
    write_var_uint(out, id.client.0);
    write_var_uint(out, id.clock.into());
}

/// Writes items of the root `t` as an update, those of each client in a row.
fn update(items: &[Item]) -> Vec<u8> {
    update_of(b't', items)
}

/// Writes items of a root with a name of one letter.
fn update_of(root: u8, items: &[Item]) -> Vec<u8> {
    let clients: BTreeSet<ClientId> = items.iter().map(|item| item.id.client).collect();
    let mut out = vec![clients.len() as u8];
    for client in clients {
        let own: Vec<_> = items.iter().filter(|item| item.id.client == client).collect();
        write_var_uint(&mut out, own.len() as u64);
        write_id(&mut out, own[0].id);
        for item in own {
            let has = |id: Option<Id>, bit: u8| if id.is_some() { bit } else { 0 };
            out.push(5 | has(item.origin, 0x80) | has(item.right, 0x40));
            item.origin.into_iter().chain(item.right).for_each(|id| write_id(&mut out, id));
            if item.origin.is_none() && item.right.is_none() {
                out.extend([1, 1, root]);
            }
            write_string(&mut out, "1");
        }
    }
    out.push(0);
    out
}

/// A list into which items are integrated as YATA says; returns how many others each walks past.
fn integrate(list: &mut Vec<Item>, item: Item) -> u64 {
    let place = |list: &[Item], id: Id| list.iter().position(|other| other.id == id);
    let start = item.origin.and_then(|origin| place(list, origin)).map_or(0, |at| at + 1);
    let end = item.right.and_then(|right| place(list, right)).filter(|&at| at >= start).unwrap_or(list.len());
    let (mut at, mut steps) = (start, 0);
    let (mut before_origin, mut conflicting) = (HashSet::new(), HashSet::new());
    for (offset, other) in list[start..end].iter().enumerate() {
        before_origin.insert(other.id);
        conflicting.insert(other.id);
        if other.origin == item.origin {
            if other.id.client < item.id.client {
                at = start + offset + 1;
                conflicting.clear();
            } else if other.right == item.right {
                break;
            }
        } else if other.origin.is_some_and(|origin| before_origin.contains(&origin)) {
            if other.origin.is_some_and(|origin| !conflicting.contains(&origin)) {
                at = start + offset + 1;
                conflicting.clear();
            }
        } else {
            break;
        }
        steps += 1;
    }
    list.insert(at, item);
    steps
}

/// Returns whether one item is another, or was written behind it by the same client in one go: between such two nothing can be.
fn is_behind(items: &[Item], one: Id, other: Id) -> bool {
    let before = |at: &Id| {
        let last = Id { clock: at.clock.checked_sub(1)?, ..*at };
        items.iter().any(|item| item.id == *at && item.origin == Some(last)).then_some(last)
    };
    iter::successors(Some(one), before).any(|at| at == other)
}

/// Items that each rest on earlier ones: of whom, which is left of it, and which is right of it. Most are put into few places.
fn items() -> impl Strategy<Value = Vec<Item>> {
    let left = prop_oneof![
        4 => Just(None),
        3 => (0..3_usize).prop_map(Some),
        2 => (0..24_usize).prop_map(Some),
    ];
    let right = (0..4_u8, any::<prop::sample::Index>());
    prop::collection::vec((1..5_u64, left, right, 0..4_u8), 1..24).prop_map(|made| {
        let mut items: Vec<Item> = Vec::new();
        for (client, left, (kind, right), continues) in made {
            let clock = items.iter().filter(|item| item.id.client.0 == client).count() as u32;
            let origin = match clock.checked_sub(1) {
                Some(last) if continues == 0 => Some(id(client, last)),
                _ => left.and_then(|left| items.get(left)).map(|item| item.id),
            };
            let beside: Vec<Id> = items
                .iter()
                .filter(|item| kind == 0 || item.origin == origin)
                .map(|item| item.id)
                .filter(|&right| origin.is_none_or(|origin| !is_behind(&items, origin, right)))
                .collect();
            let right = (kind < 3 && !beside.is_empty()).then(|| *right.get(&beside));
            items.push(Item { id: id(client, clock), origin, right });
        }
        items
    })
}

/// Returns the items in another order in which each comes after those that it names and after those of its client before it.
fn reordered(items: &[Item], picks: &[prop::sample::Index]) -> Vec<Item> {
    let (mut left, mut out, mut known) = (items.to_vec(), Vec::new(), HashSet::new());
    for pick in picks.iter().cycle() {
        let ready = |item: &Item| {
            let last = item.id.clock.checked_sub(1).map(|clock| Id { clock, ..item.id });
            item.origin.into_iter().chain(item.right).chain(last).all(|id| known.contains(&id))
        };
        let ready: Vec<usize> = (0..left.len()).filter(|&at| ready(&left[at])).collect();
        if ready.is_empty() {
            break;
        }
        let item = left.remove(*pick.get(&ready));
        known.insert(item.id);
        out.push(item);
    }
    out
}

/// Counts the steps of each item.
fn counted(update: &[u8]) -> Vec<u64> {
    let nothing = scan_update(&[0, 0]).expect("an update");
    let steps = count::steps(&scan_update(update).expect("an update"), &nothing, &[]);
    steps.into_iter().map(|(_, steps)| steps.own).collect()
}

fn bound_of(document: &YjsDocument) -> u64 {
    document.index().contest().most_with(&Added::default())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_024, ..ProptestConfig::default() })]

    /// Goal: whatever order items come in, they walk no further than was counted; and no more is counted than the bound says.
    #[test]
    fn items_walk_no_further_than_is_counted(
        items in items(),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 64..65),
    ) {
        let whole = update(&items);
        let most = counted(&whole);
        let mut sorted: Vec<Id> = items.iter().map(|item| item.id).collect();
        sorted.sort_unstable();
        let order = reordered(&items, &picks);
        prop_assert_eq!(order.len(), items.len());
        let mut list = Vec::new();
        for &item in &order {
            let steps = integrate(&mut list, item);
            let most = most[sorted.binary_search(&item.id).expect("it is one of them")];
            prop_assert!(steps <= most, "{:?}: {} steps, {} counted", item, steps, most);
        }

        let most = most.iter().sum::<u64>();
        let mut at_once = YjsDocument::default();
        at_once.apply(&whole.into()).expect("well formed");
        prop_assert!(most <= bound_of(&at_once), "{} counted, bound {}", most, bound_of(&at_once));
        let mut one_by_one = YjsDocument::default();
        for &item in &order {
            one_by_one.apply(&update(&[item]).into()).expect("well formed");
        }
        prop_assert!(most <= bound_of(&one_by_one), "{} counted, bound {}", most, bound_of(&one_by_one));
        let encoded = one_by_one.encode().expect("sound");
        prop_assert_eq!(counted(&encoded).iter().sum::<u64>(), most, "and in what yrs made of it");
    }
}

/// A client that types into the root `t`.
fn typist(id: u64) -> Doc {
    let mut options = Options::with_client_id(ClientID::new(id));
    options.offset_kind = OffsetKind::Utf16;
    Doc::with_options(options)
}

/// Types somewhere, or removes, and returns the update.
fn typed(doc: &Doc, at: u32, text: &str) -> Vec<u8> {
    let root = doc.get_or_insert_text("t");
    let mut txn = doc.transact_mut();
    let len = root.get_string(&txn).len() as u32;
    match text {
        "" if len > 0 => root.remove_range(&mut txn, at % len, 1),
        text => root.insert(&mut txn, at % (len + 1), text),
    }
    txn.encode_update_v1()
}

fn receive(doc: &Doc, update: &[u8]) {
    doc.transact_mut().apply_update(Update::decode_v1(update).expect("an update")).expect("it applies");
}

proptest! {
    /// Goal: of people who see what they type into nothing has to be counted, wherever they type, also when the document is loaded.
    #[test]
    fn who_sees_the_others_contests_nothing(
        work in prop::collection::vec((0..3_usize, any::<u32>(), prop::sample::select(vec!["a", "hello", "", "0"])), 1..80),
    ) {
        let clients = [typist(1), typist(2), typist(3)];
        let mut document = YjsDocument::default();
        for (who, at, text) in work {
            // The beginning of a text is where most would collide.
            let update = typed(&clients[who], if text == "0" { 0 } else { at }, text);
            clients.iter().for_each(|client| receive(client, &update));
            document.apply(&update.into()).expect("honest");
        }
        prop_assert_eq!(bound_of(&document), 0);
        let whole = document.encode().expect("sound");
        prop_assert_eq!(counted(&whole).iter().sum::<u64>(), 0);
        let mut loaded = YjsDocument::default();
        loaded.replay(&whole).expect("it loads");
        prop_assert_eq!(bound_of(&loaded), 0);
    }
}

/// One client writes items one behind the other.
fn behind_each_other(client: u64, items: u32) -> Vec<Item> {
    let behind = |clock: u32| clock.checked_sub(1).map(|clock| id(client, clock));
    (0..items).map(|clock| Item { id: id(client, clock), origin: behind(clock), right: None }).collect()
}

/// One client writes each item at the beginning, without knowing of others.
fn at_the_beginning(client: u64, items: u32) -> Vec<Item> {
    (0..items).map(|clock| Item { id: id(client, clock), origin: None, right: None }).collect()
}

fn assert_bound_is_above_the_count(document: &YjsDocument, steps: u64) {
    let most = counted(&document.encode().expect("sound")).iter().sum::<u64>();
    assert!(most >= steps && most <= bound_of(document), "{most} counted, bound {}", bound_of(document));
}

/// Client `client` puts items to the beginning of the list, each before the one before it, the first before `right`.
fn before_each_other(client: u64, items: u32, right: Option<Id>) -> Vec<Item> {
    let right = |clock: u32| clock.checked_sub(1).map_or(right, |clock| Some(id(client, clock)));
    (0..items).map(|clock| Item { id: id(client, clock), origin: None, right: right(clock) }).collect()
}

/// Goal: all items of a place that is contested may walk, those too that were there before it was.
#[test]
fn one_item_contests_a_whole_place() {
    let mut document = YjsDocument::default();
    document.apply(&update(&before_each_other(3, 40, None)).into()).expect("honest");
    assert_eq!(bound_of(&document), 0);
    document.apply(&update(&behind_each_other(2, 100)).into()).expect("within the limit");
    assert_bound_is_above_the_count(&document, 40 * 100);
}

/// Goal: with an item that was put to the beginning of nobody knows which list, all that begin one may walk.
#[test]
fn one_item_that_was_put_before_no_beginning_contests_all() {
    let mut document = YjsDocument::default();
    document.apply(&update(&behind_each_other(1, 2)).into()).expect("honest");
    let mut behind = behind_each_other(2, 100);
    behind[0].right = Some(id(1, 1));
    document.apply(&update(&behind).into()).expect("within the limit");
    document.apply(&update(&before_each_other(3, 40, Some(id(1, 0)))).into()).expect("within the limit");
    assert_bound_is_above_the_count(&document, 40 * 100);
}

/// Goal: values of one entry are items of one place.
#[test]
fn entries_that_two_have_set_are_contested() {
    let mut document = YjsDocument::default();
    for client in [2, 3] {
        let doc = typist(client);
        let map = doc.get_or_insert_map("m");
        let mut txn = doc.transact_mut();
        for value in 0..100 {
            map.insert(&mut txn, "k", Any::from(f64::from(value)));
        }
        document.apply(&txn.encode_update_v1().into()).expect("honest");
    }
    assert_bound_is_above_the_count(&document, 1);
}

/// Goal: 72 KB that take 36,000,000 steps are refused, whichever half comes first.
#[test]
fn items_that_walk_past_too_many_are_refused() {
    let halves = [behind_each_other(2, 6_000), at_the_beginning(3, 6_000)];
    let [behind, beginning] = halves.map(|items| Bytes::from(update(&items)));
    let mut document = YjsDocument::default();
    document.apply(&behind).expect("each is behind the one before");
    let before = document.encode();
    assert_eq!(document.apply(&beginning), Err(ApplyError::TooConcurrent));
    assert_eq!(document.encode(), before);

    let mut other = YjsDocument::default();
    other.apply(&beginning).expect("they walk past nothing");
    assert_eq!(other.apply(&behind), Err(ApplyError::TooConcurrent), "in another order they would");
}

/// Goal: of values of one entry that name none before them each is compared with all, one after the other.
#[test]
fn values_of_one_entry_are_not_taken_without_bound() {
    let value = [0x25, 1, 1, b'm', 1, b'k', 1, b'1'];
    let values = |count: u32| {
        let mut out = vec![1];
        write_var_uint(&mut out, count.into());
        Bytes::from([&out[..], &[2, 0], &value.repeat(count as usize), &[0]].concat())
    };
    assert_eq!(YjsDocument::default().apply(&values(13_000)), Err(ApplyError::TooConcurrent));
    YjsDocument::default().apply(&values(1_000)).expect("within the limit");
}

/// Goal: an item that walks past many of higher client ids, and past many of lower ones behind them, counts as more than its steps.
#[test]
fn walks_past_higher_and_lower_clients_count_as_more() {
    let parts = [behind_each_other(1, 4_000), before_each_other(9, 6_000, Some(id(1, 0)))].concat();
    let steps = |walkers: u32| {
        let items = [parts.clone(), at_the_beginning(5, walkers)].concat();
        counted(&update(&items)).iter().sum::<u64>()
    };
    let (one, two) = (steps(1), steps(2));
    assert_eq!(two - one, one, "each counts as much as the first, and is walked past by as many");
    assert_eq!(one, 10_000 + 5_000 * 5_000 / NOTED_STEPS + 6_000);
}

/// Goal: two people who each put thousands of items one by one to the beginning of a list, both offline, stay within the limit.
#[test]
fn thousands_of_items_that_two_put_to_one_beginning_are_within_the_limit() {
    let steps = |items: u32| {
        let both = [before_each_other(2, items, None), before_each_other(3, items, None)].concat();
        counted(&update(&both)).iter().sum::<u64>()
    };
    assert!(steps(2_800) <= CONTEST_STEPS_MAX && steps(3_000) > CONTEST_STEPS_MAX);
}

/// Goal: a branch that would make a document too contested is not merged to be looked at either.
#[test]
fn branches_that_are_too_concurrent_are_not_merged() {
    let [behind, beginning] =
        [behind_each_other(2, 6_000), at_the_beginning(3, 6_000)].map(|items| update(&items));
    let mut document = YjsDocument::default();
    document.apply(&behind.into()).expect("each is behind the one before");
    let merged = document.merged_with(&beginning.into()).map(drop);
    assert_eq!(merged, Err(ReplayError::Refused(ApplyError::TooConcurrent).into()));
}

/// Goal: what is within the limit is counted once and taken in.
#[test]
fn items_that_walk_past_few_are_taken_in() {
    let mut document = YjsDocument::default();
    document.apply(&update_of(b'u', &behind_each_other(4, 5_000)).into()).expect("honest");
    document.apply(&update(&behind_each_other(2, 1_000)).into()).expect("honest");
    // As an answer to a sync request they say which elements were deleted, again.
    let deleted = [1, 4, 1, 7, 1];
    let with_deletions = |mut update: Vec<u8>| {
        update.pop();
        Bytes::from([&update[..], &deleted].concat())
    };
    document.apply(&with_deletions(vec![0, 0])).expect("honest");
    document.apply(&with_deletions(update(&at_the_beginning(3, 1_000)))).expect("within the limit");
    let counted = document.index().contest().counted;
    assert_eq!((counted.steps, counted.pieces), (1_000 * 1_000, 7_000));

    let next = Item { id: id(5, 0), origin: Some(id(2, 999)), right: None };
    document.apply(&update(&[next]).into()).expect("it walks past nothing");
    assert_eq!(document.index().contest().counted, counted, "it was not counted again");
}
