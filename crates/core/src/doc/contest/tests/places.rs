//! The bound goes on from what was counted, and from what came into a place last.

use super::*;
use crate::doc::contest::bound::{grown, most};

/// Applies an update, and counts however low the bound is.
fn apply_counted(document: &mut YjsDocument, update: Vec<u8>) {
    let update = Bytes::from(update);
    let scanned = scan_update(&update).expect("an update");
    let mut plan = document.index().plan(&scanned).expect("well formed");
    document.count_contest(&scanned, &mut plan).expect("within the limit");
    document.take_in(&update, &scanned, plan).expect("well formed");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_024, ..ProptestConfig::default() })]

    /// Goal: the bound holds whenever it was counted, and with a few items since then it is hardly above it.
    #[test]
    fn the_bound_goes_on_from_what_was_counted(
        items in items(),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 64..65),
        is_counted in prop::collection::vec(prop::bool::weighted(0.3), 24..25),
    ) {
        let order = reordered(&items, &picks);
        let mut document = YjsDocument::default();
        for (at, &item) in order.iter().enumerate() {
            let bytes = update(&[item]);
            match is_counted[at] {
                true => apply_counted(&mut document, bytes),
                false => drop(document.apply(&bytes.into()).expect("well formed")),
            }
            let most = counted(&update(&order[..=at])).iter().sum::<u64>();
            prop_assert!(most <= bound_of(&document), "{} counted, bound {}", most, bound_of(&document));
            if is_counted[at] {
                prop_assert_eq!(most, bound_of(&document));
            }
        }
    }

    /// Goal: what an item walks grows no faster than is reckoned.
    #[test]
    fn walks_grow_no_faster_than_is_reckoned(
        either in 0..3_000_000_u64, same in 0..3_000_000_u64, new_either in 0..9_000_u64, new_same in 0..9_000_u64,
    ) {
        let then = count::walk(either, same);
        prop_assert!(count::walk(either + new_either, same + new_same) <= grown(then, 1, new_either + new_same));
        prop_assert!(then <= most(1, either + same));
    }
}

/// What somebody does in a list: puts an item to its beginning or behind its first element, or writes behind an item.
#[derive(Clone, Debug)]
enum Move {
    /// Before the one that was put there last, one that was put there some time, any item, or nothing.
    Put {
        is_behind: bool,
        client: u64,
        before: u8,
        index: prop::sample::Index,
    },
    Write {
        behind: prop::sample::Index,
        items: u32,
    },
}

fn moves() -> impl Strategy<Value = Vec<(Move, bool)>> {
    let put = (any::<bool>(), 1..5_u64, 0..12_u8, any::<prop::sample::Index>());
    let put =
        put.prop_map(|(is_behind, client, before, index)| Move::Put { is_behind, client, before, index });
    let write = (any::<prop::sample::Index>(), 1..200_u32);
    let write = write.prop_map(|(behind, items)| Move::Write { behind, items });
    prop::collection::vec((prop_oneof![4 => put, 1 => write], prop::bool::weighted(0.1)), 1..60)
}

/// Returns the items that each makes. The first two are the list's first two elements.
fn made(moves: &[(Move, bool)]) -> Vec<Vec<Item>> {
    let mut steps = vec![behind_each_other(9, 2)];
    let mut places: [Vec<Id>; 2] = [vec![id(9, 0)], vec![id(9, 1)]];
    for (at, (step, _)) in (0..).zip(moves) {
        let all: Vec<Item> = steps.concat();
        steps.push(match step {
            Move::Write { behind, items } => in_turns(100 + 2 * at, behind.get(&all).id, *items),
            Move::Put { is_behind, client, before, index } => {
                let place = &mut places[usize::from(*is_behind)];
                let right = match before {
                    0..6 => place.last().copied(),
                    6..10 => Some(*index.get(place)),
                    10 => Some(index.get(&all).id).filter(|&right| !is_behind || right != id(9, 0)),
                    _ => None,
                };
                let clock = all.iter().filter(|item| item.id.client.0 == *client).count() as u32;
                let item = Item { id: id(*client, clock), origin: is_behind.then_some(id(9, 0)), right };
                place.push(item.id);
                vec![item]
            }
        });
    }
    steps
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Goal: the bound holds where many are put into one place, whenever it was counted, and much is written behind some of them.
    #[test]
    fn the_bound_holds_in_places_that_many_use(moves in moves()) {
        let mut document = YjsDocument::default();
        let is_counted = iter::once(false).chain(moves.iter().map(|&(_, is_counted)| is_counted));
        for (items, is_counted) in made(&moves).into_iter().zip(is_counted) {
            let bytes = update(&items);
            match is_counted {
                true => apply_counted(&mut document, bytes),
                false => drop(document.apply(&bytes.into()).expect("well formed")),
            }
            let most = counted(&document.encode().expect("sound")).iter().sum::<u64>();
            prop_assert!(most <= bound_of(&document), "{} counted, bound {}", most, bound_of(&document));
        }
    }
}

/// Goal: an item that was put before one that had others before it is walked past by all of these, with what is written behind it.
#[test]
fn those_that_an_author_did_not_know_may_walk_too() {
    let mut document = YjsDocument::default();
    document.apply(&update(&before_each_other(3, 16, None)).into()).expect("honest");
    let mut behind = behind_each_other(2, 1);
    behind[0].right = Some(id(3, 0));
    document.apply(&update(&behind).into()).expect("within the limit");
    for item in in_turns(4, id(2, 0), 1_000) {
        document.apply(&update(&[item]).into()).expect("within the limit");
    }
    assert_bound_is_above_the_count(&document, 15 * 1_000);
}

/// Goal: of items that were put before the same one the lower client walks past none, but who is put before that one may.
#[test]
fn who_is_put_before_one_may_walk_past_those_beside_it() {
    let put = |client: u64, right: Option<Id>| Item { id: id(client, 0), origin: Some(id(9, 0)), right };
    let mut document = YjsDocument::default();
    document.apply(&update(&behind_each_other(9, 2)).into()).expect("honest");
    for item in [put(60, Some(id(9, 1))), put(50, None)].into_iter().chain(in_turns(51, id(50, 0), 200)) {
        document.apply(&update(&[item]).into()).expect("within the limit");
    }
    apply_counted(&mut document, update(&[put(1, None)]));
    document.apply(&update(&[put(2, Some(id(1, 0)))]).into()).expect("within the limit");
    assert_bound_is_above_the_count(&document, 200);
}

/// Applies updates of one item each, of which nothing is contested.
fn apply_honest(document: &mut YjsDocument, items: &[Item]) {
    for &item in items {
        document.apply(&update(&[item]).into()).expect("honest");
    }
    assert_eq!(bound_of(document), 0);
}

fn beside(client: u64, right: Option<Id>) -> Item {
    Item { id: id(client, 0), origin: Some(id(9, 0)), right }
}

/// Goal: who writes behind an element from which another has gone on walks past all that the other wrote, however long ago.
#[test]
fn what_was_written_behind_an_element_may_be_walked_past() {
    let mut document = YjsDocument::default();
    apply_honest(&mut document, &behind_each_other(9, 2));
    apply_honest(&mut document, &in_turns(51, id(9, 1), 300));
    document.apply(&update(&[beside(20, None)]).into()).expect("within the limit");
    assert_bound_is_above_the_count(&document, 300);
}

/// Goal: an item walks past one that was put where it is put, and past what was written behind that.
#[test]
fn what_came_to_the_same_place_may_be_walked_past() {
    let mut document = YjsDocument::default();
    apply_honest(&mut document, &behind_each_other(9, 2));
    apply_honest(&mut document, &[beside(1, Some(id(9, 1)))]);
    apply_honest(&mut document, &in_turns(51, id(1, 0), 9));
    document.apply(&update(&[beside(2, Some(id(9, 1)))]).into()).expect("within the limit");
    assert_bound_is_above_the_count(&document, 10);
}

/// Goal: what came into another place says nothing of this one.
#[test]
fn an_item_of_another_place_is_not_known_here() {
    let mut document = YjsDocument::default();
    apply_honest(&mut document, &behind_each_other(9, 2));
    apply_honest(&mut document, &[beside(1, Some(id(9, 1)))]);
    apply_honest(&mut document, &in_turns(51, id(1, 0), 300));
    apply_honest(&mut document, &before_each_other(3, 1, Some(id(9, 0))));
    document.apply(&update(&[beside(2, Some(id(3, 0)))]).into()).expect("within the limit");
    assert_bound_is_above_the_count(&document, 300);
}

/// Client `client` and the next one write items behind one, in turns, so that yrs does not join them.
fn in_turns(client: u64, behind: Id, items: u32) -> Vec<Item> {
    let writer = |item: u32| id(client + u64::from(item % 2), item / 2);
    let before = |item: u32| item.checked_sub(1).map_or(behind, writer);
    (0..items).map(|item| Item { id: writer(item), origin: Some(before(item)), right: None }).collect()
}
