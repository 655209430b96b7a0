//! Entries in the order of their keys.

use alloc::{boxed::Box, vec, vec::Vec};
use core::borrow::Borrow;
use core::{mem, slice};

/// Most entries of a leaf: few enough to be moved for each that comes, and enough that there are few leaves.
const LEAF_MAX: usize = 20;

/// Most nodes below another.
const NODES_MAX: usize = 64;

/// A map in the order of its keys: a tree whose entries are all in its leaves.
///
/// A lookup in a large map waits for memory at each level, so there are few. A map of one entry, as in most changes, takes
/// no memory of its own. Where leaves end depends on the order in which keys came: equality does not see it.
///
/// Getting, inserting and removing cost the logarithm of the size, and moving a leaf.
#[derive(Clone, Debug)]
pub(crate) enum Sorted<K, V> {
    One((K, V)),
    Tree { len: usize, root: Node<K, V> },
}

#[derive(Debug)]
pub(crate) enum Node<K, V> {
    /// Ascending; empty only as the root.
    Leaf(Vec<(K, V)>),
    /// In a place of its own, so that a leaf is no more than the place where its entries are.
    Inner(Box<Inner<K, V>>),
}

/// At least one node, all of one height. The key between two is above all before it and at most the first behind it.
#[derive(Debug)]
pub(crate) struct Inner<K, V> {
    bounds: Vec<K>,
    nodes: Vec<Node<K, V>>,
}

impl<K, V> Sorted<K, V> {
    pub(crate) const fn new() -> Self {
        Self::Tree { len: 0, root: Node::Leaf(Vec::new()) }
    }

    pub(crate) const fn of(key: K, value: V) -> Self {
        Self::One((key, value))
    }

    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Tree { len, .. } => *len,
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the entries, ascending.
    pub(crate) fn iter(&self) -> Iter<'_, K, V> {
        let mut iter = Iter { left: self.len(), above: Vec::new(), leaf: [].iter() };
        match self {
            Self::One(entry) => iter.leaf = slice::from_ref(entry).iter(),
            Self::Tree { root, .. } => iter.enter(root),
        }
        iter
    }

    pub(crate) fn keys(&self) -> impl ExactSizeIterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    pub(crate) fn last_key(&self) -> Option<&K> {
        let mut node = match self {
            Self::One((key, _)) => return Some(key),
            Self::Tree { root, .. } => root,
        };
        loop {
            match node {
                Node::Leaf(entries) => return entries.last().map(|(key, _)| key),
                Node::Inner(inner) => node = inner.nodes.last()?,
            }
        }
    }
}

impl<K: Clone + Ord, V> Sorted<K, V> {
    /// Puts `value` in the place of that of `key`, which is returned.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self {
            Self::Tree { len: 0, .. } => {
                *self = Self::of(key, value);
                None
            }
            Self::Tree { len, root } => {
                let before = root.insert(key, value);
                *len += usize::from(before.is_none());
                before
            }
            Self::One((known, before)) if *known == key => Some(mem::replace(before, value)),
            Self::One(_) => {
                if let Self::One(entry) = mem::take(self) {
                    *self = Self::Tree { len: 1, root: Node::Leaf(vec![entry]) };
                }
                self.insert(key, value)
            }
        }
    }

    /// Removes a key and returns its value.
    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Tree { len, root } => {
                let value = root.remove(key)?;
                *len -= 1;
                if let Node::Inner(inner) = root
                    && inner.nodes.len() < 2
                {
                    *root = inner.nodes.pop().unwrap_or(Node::Leaf(Vec::new()));
                }
                Some(value)
            }
            Self::One((known, _)) if (*known).borrow() != key => None,
            Self::One(_) => match mem::take(self) {
                Self::One((_, value)) => Some(value),
                Self::Tree { .. } => None,
            },
        }
    }

    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let mut node = match self {
            Self::One((known, value)) => return ((*known).borrow() == key).then_some(value),
            Self::Tree { root, .. } => root,
        };
        loop {
            match node {
                Node::Inner(inner) => node = &mut inner.nodes[place(&inner.bounds, key)],
                Node::Leaf(entries) => return find(entries, key).ok().map(|at| &mut entries[at].1),
            }
        }
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let mut node = match self {
            Self::One((known, value)) => return (known.borrow() == key).then_some(value),
            Self::Tree { root, .. } => root,
        };
        loop {
            match node {
                Node::Inner(inner) => node = &inner.nodes[place(&inner.bounds, key)],
                Node::Leaf(entries) => return find(entries, key).ok().map(|at| &entries[at].1),
            }
        }
    }

    /// Calls `visit` with the entries from `first` to `last`, both included.
    pub(crate) fn range<'a>(&'a self, first: &K, last: &K, mut visit: impl FnMut(&'a K, &'a V)) {
        match self {
            Self::One((key, value)) if first <= key && key <= last => visit(key, value),
            Self::One(_) => {}
            Self::Tree { root, .. } => root.range(first, last, &mut visit),
        }
    }
}

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for Sorted<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<K: Eq, V: Eq> Eq for Sorted<K, V> {}

impl<K: Clone + Ord, V> Node<K, V> {
    /// As [`Sorted::insert`], for the root.
    fn insert(&mut self, key: K, value: V) -> Option<V> {
        if self.is_full() {
            let mut first = mem::replace(self, Self::Leaf(Vec::new()));
            let (bound, second) = first.split(&key);
            *self = Self::inner(vec![bound], vec![first, second]);
        }
        let mut node = self;
        loop {
            match node {
                Self::Inner(inner) => {
                    let Inner { bounds, nodes } = &mut **inner;
                    let mut at = place(bounds, &key);
                    if nodes[at].is_full() {
                        let (bound, second) = nodes[at].split(&key);
                        let is_behind = bound <= key;
                        bounds.insert(at, bound);
                        nodes.insert(at + 1, second);
                        at += usize::from(is_behind);
                    }
                    node = &mut nodes[at];
                }
                Self::Leaf(entries) => match find(entries, &key) {
                    Ok(at) => return Some(mem::replace(&mut entries[at].1, value)),
                    Err(at) => {
                        entries.insert(at, (key, value));
                        return None;
                    }
                },
            }
        }
    }

    /// Cuts off the second half of a full node, and returns it behind its bound.
    ///
    /// If `key` stands behind all, as little as can be is cut off: keys that come in order fill the nodes.
    fn split(&mut self, key: &K) -> (K, Self) {
        match self {
            Self::Leaf(entries) => {
                let mut second = Vec::with_capacity(LEAF_MAX);
                if entries.last().is_some_and(|(last, _)| last >= key) {
                    second.extend(entries.drain(LEAF_MAX / 2..));
                }
                let bound = second.first().map_or(key, |(first, _)| first).clone();
                (bound, Self::Leaf(second))
            }
            Self::Inner(inner) => {
                let Inner { bounds, nodes } = &mut **inner;
                let is_last = bounds.last().is_some_and(|last| last <= key);
                let keep = if is_last { NODES_MAX - 1 } else { NODES_MAX / 2 };
                let second = Self::inner(bounds.split_off(keep), nodes.split_off(keep));
                // The last that is left stands between the two: as many are left as nodes, of which there are some.
                let bound = bounds.pop().unwrap_or_else(|| key.clone());
                (bound, second)
            }
        }
    }

    fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Leaf(entries) => find(entries, key).ok().map(|at| entries.remove(at).1),
            Self::Inner(inner) => {
                let at = place(&inner.bounds, key);
                let value = inner.nodes[at].remove(key)?;
                inner.join_if_small(at);
                Some(value)
            }
        }
    }

    fn range<'a>(&'a self, first: &K, last: &K, visit: &mut impl FnMut(&'a K, &'a V)) {
        match self {
            Self::Inner(inner) => {
                let Inner { bounds, nodes } = &**inner;
                let nodes = &nodes[place(bounds, first)..=place(bounds, last)];
                nodes.iter().for_each(|node| node.range(first, last, visit));
            }
            Self::Leaf(entries) => {
                let entries = entries.iter().skip_while(|(key, _)| key < first);
                entries.take_while(|(key, _)| key <= last).for_each(|(key, value)| visit(key, value));
            }
        }
    }
}

impl<K, V> Inner<K, V> {
    /// Joins a node that has become small with one beside it, if that has room, so that many removals leave few nodes.
    fn join_if_small(&mut self, at: usize) {
        let Self { bounds, nodes } = self;
        let max = if let Node::Inner(_) = &nodes[at] { NODES_MAX } else { LEAF_MAX };
        if nodes[at].len() > max / 4 {
            return;
        }
        if nodes[at].len() == 0 {
            nodes.remove(at);
            if !bounds.is_empty() {
                bounds.remove(at.saturating_sub(1));
            }
            return;
        }
        let at = at.saturating_sub(1);
        if nodes.get(at + 1).is_none_or(|second| nodes[at].len() + second.len() > max / 2) {
            return;
        }
        let (bound, second) = (bounds.remove(at), nodes.remove(at + 1));
        match (&mut nodes[at], second) {
            (Node::Leaf(entries), Node::Leaf(others)) => entries.extend(others),
            (Node::Inner(inner), Node::Inner(other)) => {
                inner.bounds.push(bound);
                inner.bounds.extend(other.bounds);
                inner.nodes.extend(other.nodes);
            }
            // All are of one height.
            (Node::Leaf(_), Node::Inner(_)) | (Node::Inner(_), Node::Leaf(_)) => {}
        }
    }
}

impl<K, V> Node<K, V> {
    fn inner(bounds: Vec<K>, nodes: Vec<Self>) -> Self {
        Self::Inner(Box::new(Inner { bounds, nodes }))
    }

    const fn is_full(&self) -> bool {
        match self {
            Self::Leaf(entries) => entries.len() >= LEAF_MAX,
            Self::Inner(inner) => inner.nodes.len() >= NODES_MAX,
        }
    }

    const fn len(&self) -> usize {
        match self {
            Self::Leaf(entries) => entries.len(),
            Self::Inner(inner) => inner.nodes.len(),
        }
    }
}

impl<K: Clone, V: Clone> Clone for Node<K, V> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(entries) => Self::Leaf(with_room(entries)),
            Self::Inner(inner) => Self::inner(with_room(&inner.bounds), with_room(&inner.nodes)),
        }
    }
}

/// Returns a copy with the room of the original: whoever copies a state is about to change it.
fn with_room<T: Clone>(items: &Vec<T>) -> Vec<T> {
    let mut copy = Vec::with_capacity(items.capacity());
    copy.extend_from_slice(items);
    copy
}

/// Returns which node a key belongs to.
fn place<K: Borrow<Q>, Q: Ord + ?Sized>(bounds: &[K], key: &Q) -> usize {
    rank::<8, _>(bounds, |bound| bound.borrow() <= key)
}

/// Returns where a key is in a leaf, or where it would be.
fn find<K: Borrow<Q>, V, Q: Ord + ?Sized>(entries: &[(K, V)], key: &Q) -> Result<usize, usize> {
    let at = rank::<4, _>(entries, |(known, _)| known.borrow() < key);
    if entries.get(at).is_some_and(|(known, _)| known.borrow() == key) { Ok(at) } else { Err(at) }
}

/// Returns how many items come before a place: by strides, then one by one.
///
/// A binary search compares a little less, but only when it has compared does it know what to read next, so it waits for
/// memory at each step. Here the processor reads ahead.
fn rank<const STRIDE: usize, T>(items: &[T], is_before: impl Fn(&T) -> bool) -> usize {
    let mut from = 0;
    for stride in items.chunks_exact(STRIDE) {
        if !is_before(&stride[STRIDE - 1]) {
            break;
        }
        from += STRIDE;
    }
    items[from..].iter().position(|item| !is_before(item)).map_or(items.len(), |at| from + at)
}

/// The entries of a [`Sorted`].
pub(crate) struct Iter<'a, K, V> {
    left: usize,
    /// What is still to be gone through, of each level above the leaf.
    above: Vec<slice::Iter<'a, Node<K, V>>>,
    leaf: slice::Iter<'a, (K, V)>,
}

impl<'a, K, V> Iter<'a, K, V> {
    fn enter(&mut self, node: &'a Node<K, V>) {
        match node {
            Node::Leaf(entries) => self.leaf = entries.iter(),
            Node::Inner(inner) => self.above.push(inner.nodes.iter()),
        }
    }
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.leaf.next() {
                self.left -= 1;
                return Some((key, value));
            }
            match self.above.last_mut()?.next() {
                Some(node) => self.enter(node),
                None => drop(self.above.pop()),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<K, V> ExactSizeIterator for Iter<'_, K, V> {}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;

    /// Compares with a plain map after each of many insertions and removals, over sizes that rise and fall.
    #[test]
    fn it_is_a_map() {
        let (mut sorted, mut plain) = (Sorted::new(), BTreeMap::new());
        let mut state = 1_u64;
        let mut draw = |end: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % end
        };
        for step in 0..120_000_u64 {
            // Every other wave inserts in order, which splits nodes at their ends.
            let (wave, is_rising) = (step / 12_000, step / 6000 % 2 == 0);
            let key = if wave % 2 == 0 { draw(6000) } else { step % 6000 };
            if is_rising == (draw(8) > 0) {
                assert_eq!(sorted.insert(key, step), plain.insert(key, step));
            } else {
                assert_eq!(sorted.remove(&key), plain.remove(&key));
            }
            let key = draw(6000);
            assert_eq!(sorted.get(&key), plain.get(&key));
            assert_eq!(sorted.get_mut(&key), plain.get_mut(&key));
            assert_eq!(sorted.last_key(), plain.keys().next_back());
            assert_eq!(sorted.iter().len(), plain.len());
            let (first, last) = (key, key + draw(200));
            let mut found = Vec::new();
            sorted.range(&first, &last, |&key, &value| found.push((key, value)));
            assert!(plain.range(first..=last).map(|(&key, &value)| (key, value)).eq(found));
            if step % 512 == 0 || plain.len() < 8 {
                assert!(sorted.iter().eq(&plain));
                let again = plain.iter().fold(Sorted::new(), |mut again, (&key, &value)| {
                    again.insert(key, value);
                    again
                });
                assert_eq!(sorted.clone(), again, "equal, wherever leaves end");
            }
        }
    }
}
