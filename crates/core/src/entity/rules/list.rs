//! Lists whose items are known by their `id`, merged one by one.
//!
//! With the list that the author started from (`was`) it is clear who changed, added and removed what. An item that one side
//! changed is that side's; one that both changed to different values is that of the later write. An item that one side
//! removed is gone unless the other changed it: an edit is worth more than a removal. Without `was` nothing counts as removed.
//!
//! The items stay in the server's order, and new ones follow in the op's.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Settled;
use crate::entity::Value;

type ById<'a> = BTreeMap<&'a Value, &'a Value>;

/// Merges two lists. Items of the server's list that have no `id` stay as they are.
pub(super) fn merge(ours: &[Value], theirs: &[Value], was: Option<&[Value]>, later: bool) -> Settled {
    let (mine, known) = (by_id(ours), by_id(theirs));
    let base = was.map(by_id);
    let mut merge = Merge { base, later, loses_ours: false, loses_theirs: false };
    let mut items: Vec<Value> = Vec::new();
    for their in theirs {
        let Some(id) = their.id() else {
            items.push(their.clone());
            continue;
        };
        items.extend(merge.item(id, mine.get(id).copied(), Some(their)).cloned());
    }
    for our in ours {
        let Some(id) = our.id().filter(|id| !known.contains_key(id)) else { continue };
        items.extend(merge.item(id, Some(our), None).cloned());
    }
    let Merge { loses_ours, loses_theirs, .. } = merge;
    if items == theirs && !loses_ours {
        return Settled::Same;
    }
    if items == theirs {
        return Settled::Keep(Some(Value::List(ours.to_vec())));
    }
    if items == ours {
        return Settled::Take(Some(Value::List(items)));
    }
    Settled::Combine { value: Value::List(items), loses_ours, loses_theirs }
}

struct Merge<'a> {
    base: Option<ById<'a>>,
    later: bool,
    loses_ours: bool,
    loses_theirs: bool,
}

impl<'a> Merge<'a> {
    fn item(&mut self, id: &Value, our: Option<&'a Value>, their: Option<&'a Value>) -> Option<&'a Value> {
        if our == their {
            return our;
        }
        let Some(base) = &self.base else { return self.by_time(our, their) };
        let base = base.get(id).copied();
        if our == base {
            return their;
        }
        if their == base {
            return our;
        }
        self.by_time(our, their)
    }

    fn by_time(&mut self, our: Option<&'a Value>, their: Option<&'a Value>) -> Option<&'a Value> {
        if our.is_none() || their.is_none() {
            return our.or(their);
        }
        self.loses_ours |= !self.later;
        self.loses_theirs |= self.later;
        if self.later { our } else { their }
    }
}

fn by_id(items: &[Value]) -> ById<'_> {
    items.iter().filter_map(|item| Some((item.id()?, item))).collect()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn list(items: &[(i64, i64)]) -> Vec<Value> {
        let item = |&(id, value): &(i64, i64)| {
            Value::Map([("id".into(), id.into()), ("v".into(), value.into())].into_iter().collect())
        };
        items.iter().map(item).collect()
    }

    type Items = &'static [(i64, i64)];

    /// The base is always 1, 2, 3 with value 0.
    #[test]
    fn items_are_merged_one_by_one() {
        let rows: [(Items, Items, bool, Items); 7] = [
            (&[(1, 5), (2, 0), (3, 0)], &[(1, 0), (2, 6), (3, 0)], false, &[(1, 5), (2, 6), (3, 0)]),
            (&[(1, 5), (2, 0), (3, 0)], &[(1, 6), (2, 0), (3, 0)], false, &[(1, 6), (2, 0), (3, 0)]),
            (&[(1, 5), (2, 0), (3, 0)], &[(1, 6), (2, 0), (3, 0)], true, &[(1, 5), (2, 0), (3, 0)]),
            (&[(2, 0), (3, 0)], &[(1, 0), (2, 0), (3, 0), (4, 1)], false, &[(2, 0), (3, 0), (4, 1)]),
            (&[(2, 0), (3, 0)], &[(1, 6), (2, 0), (3, 0)], true, &[(1, 6), (2, 0), (3, 0)]),
            (&[(1, 5), (2, 0), (3, 0)], &[(2, 0), (3, 0)], false, &[(2, 0), (3, 0), (1, 5)]),
            (
                &[(1, 0), (2, 0), (3, 0), (9, 9)],
                &[(1, 0), (2, 0), (3, 0), (8, 8)],
                false,
                &[(1, 0), (2, 0), (3, 0), (8, 8), (9, 9)],
            ),
        ];
        let base = list(&[(1, 0), (2, 0), (3, 0)]);
        for (ours, theirs, later, want) in rows {
            let (ours, theirs) = (list(ours), list(theirs));
            let got = match merge(&ours, &theirs, Some(&base), later) {
                Settled::Take(Some(Value::List(items)))
                | Settled::Combine { value: Value::List(items), .. } => items,
                Settled::Same | Settled::Keep(_) => theirs.clone(),
                other => panic!("{other:?}"),
            };
            assert_eq!(got, list(want), "{ours:?} {theirs:?}");
        }
        let gone = merge(&list(&[]), &list(&[(1, 6)]), Some(&base), true);
        assert_eq!(gone, Settled::Same, "an edit is worth more than a removal");
        assert_eq!(merge(&[], &list(&[(1, 6)]), None, true), Settled::Same);
        assert_eq!(
            merge(&list(&[(1, 7)]), &list(&[(1, 6)]), None, false),
            Settled::Keep(Some(Value::List(vec![list(&[(1, 7)])[0].clone()])))
        );
    }
}
