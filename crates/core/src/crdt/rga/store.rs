//! A list as a store of dots: one for the insertion of a node, and one for its deletion.
//!
//! Bytes: count, then of each node, ascending by dot: the dot; its Lamport number; what it stands behind: 0 for the front, 1 and
//! a dot, or 2 and the dot with its replica in full if that is not in the context, as in a change; and 0 and the value if it
//! is live, or 1 and the dot of its deletion.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{Content, Node, Order, Rga};
use crate::clock::{CausalContext, Dot};
use crate::codec::{Codec, DecodeError, Reader, write_var};
use crate::crdt::store::{Change, Changes, DotStore, Replicas, Stability, StoreCodec, StoreWire, within};

/// New nodes that are put into the order one by one, at a scan each; for more of them the order is made anew, unless the
/// list is far longer.
const NEW_NODES_MAX: usize = 16;

impl<T: Clone + PartialEq> DotStore for Rga<T> {
    fn join(
        &mut self,
        ours: &CausalContext,
        other: &Self,
        theirs: &CausalContext,
        changes: &mut Changes<'_>,
    ) {
        let mut dropped = Vec::new();
        within(&self.nodes, theirs, |dot, _| {
            if !other.nodes.contains_key(&dot) {
                dropped.push(dot);
            }
        });
        dropped.iter().for_each(|&dot| self.forget(dot, changes));
        let mut new = Vec::new();
        for (&dot, node) in &other.nodes {
            if self.nodes.contains_key(&dot) {
                if let Content::Deleted(deletion) = node.content {
                    self.delete_node(dot, deletion, changes);
                }
            } else if !ours.contains(dot) {
                node.dots(dot, &mut |dot| changes(Change::Came(dot)));
                if let Content::Deleted(deletion) = node.content {
                    self.deletions.insert(deletion, dot);
                }
                self.nodes.insert(dot, node.clone());
                new.push(dot);
            }
        }
        let is_much = new.len() > NEW_NODES_MAX && new.len() > self.nodes.len() / 256;
        if is_much || !dropped.is_empty() {
            self.order = Order::of(&self.nodes);
        } else {
            new.iter().for_each(|&dot| self.order.add(&self.nodes, dot));
        }
    }

    fn is_bottom(&self) -> bool {
        self.nodes.is_empty()
    }

    fn dots(&self, visit: &mut dyn FnMut(Dot)) {
        self.nodes.iter().for_each(|(&dot, node)| node.dots(dot, visit));
    }

    fn pick(&self, wanted: &CausalContext) -> Self {
        let mut picked = BTreeMap::new();
        within(&self.nodes, wanted, |dot, node| {
            picked.insert(dot, node.clone());
        });
        within(&self.deletions, wanted, |_, &dot| {
            picked.extend(self.nodes.get(&dot).map(|node| (dot, node.clone())));
        });
        Self::of(picked)
    }

    fn stabilize(&mut self, stability: &Stability, changes: &mut Changes<'_>) {
        // SUBTLE: insertions stand behind elements that their writer sees. All who have seen the deletion insert nothing
        // behind it any more, and what they inserted before has arrived. So a node that nothing stands on stays so.
        let mut standing: BTreeMap<Dot, usize> = BTreeMap::new();
        for node in self.nodes.values() {
            node.behind.into_iter().for_each(|behind| *standing.entry(behind).or_default() += 1);
        }
        let backwards: Vec<Dot> = self.order.backwards().collect();
        for dot in backwards {
            let Some(node) = self.nodes.get(&dot) else { continue };
            let is_deleted =
                matches!(node.content, Content::Deleted(deletion) if stability.seen.contains(deletion));
            let is_free = standing.get(&dot).is_none_or(|&count| count == 0);
            if is_deleted && is_free && stability.seen.contains(dot) {
                let behind = node.behind.and_then(|behind| standing.get_mut(&behind));
                behind.into_iter().for_each(|count| *count -= 1);
                self.forget(dot, changes);
            }
        }
        self.order = Order::of(&self.nodes);
    }
}

impl<T> Rga<T> {
    pub(super) fn of(nodes: BTreeMap<Dot, Node<T>>) -> Self {
        let deletions = nodes.iter().filter_map(|(&dot, node)| match node.content {
            Content::Live(_) => None,
            Content::Deleted(deletion) => Some((deletion, dot)),
        });
        Self { deletions: deletions.collect(), order: Order::of(&nodes), nodes }
    }

    /// Removes a node; the order is for the caller to make anew.
    fn forget(&mut self, dot: Dot, changes: &mut Changes<'_>) {
        if let Some(node) = self.nodes.remove(&dot) {
            node.dots(dot, &mut |dot| changes(Change::Went(dot)));
            if let Content::Deleted(deletion) = node.content {
                self.deletions.remove(&deletion);
            }
        }
    }

    /// Deletes a node; of several deletions the one with the least dot is kept.
    fn delete_node(&mut self, dot: Dot, deletion: Dot, changes: &mut Changes<'_>) {
        let Some(node) = self.nodes.get_mut(&dot) else { return };
        match node.content {
            Content::Deleted(before) if before <= deletion => return,
            Content::Deleted(before) => {
                self.deletions.remove(&before);
                changes(Change::Went(before));
            }
            Content::Live(_) => self.order.delete(dot),
        }
        node.content = Content::Deleted(deletion);
        self.deletions.insert(deletion, dot);
        changes(Change::Came(deletion));
    }
}

impl<T> Node<T> {
    fn dots(&self, dot: Dot, visit: &mut dyn FnMut(Dot)) {
        visit(dot);
        if let Content::Deleted(deletion) = self.content {
            visit(deletion);
        }
    }
}

impl<T: Clone + PartialEq + Codec> StoreCodec for Rga<T> {
    const BYTES_MIN: usize = 1;

    fn encode(&self, replicas: &Replicas, out: &mut Vec<u8>) {
        write_var(self.nodes.len() as u64, out);
        for (&dot, Node { lamport, behind, content }) in &self.nodes {
            replicas.encode(dot, out);
            lamport.encode(out);
            encode_behind(*behind, replicas, out);
            match content {
                Content::Live(value) => {
                    out.push(0);
                    value.encode(out);
                }
                Content::Deleted(deletion) => {
                    out.push(1);
                    replicas.encode(*deletion, out);
                }
            }
        }
    }

    fn decode(replicas: &Replicas, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut nodes: BTreeMap<Dot, Node<T>> = BTreeMap::new();
        for _ in 0..reader.count(5 + T::BYTES_MIN.min(2))? {
            let dot = replicas.decode(reader)?;
            if nodes.last_key_value().is_some_and(|(&last, _)| last >= dot) {
                return Err(DecodeError::Order { at: reader.at() });
            }
            let lamport = match reader.var()? {
                0 => return Err(DecodeError::Range { at: reader.at() }),
                lamport => lamport,
            };
            let behind = decode_behind(replicas, reader)?;
            let content = if bool::decode(reader)? {
                Content::Deleted(replicas.decode(reader)?)
            } else {
                Content::Live(T::decode(reader)?)
            };
            nodes.insert(dot, Node { lamport, behind, content });
        }
        let deleted = nodes.values().filter(|node| matches!(node.content, Content::Deleted(_))).count();
        let list = Self::of(nodes);
        let is_twice = list.deletions.keys().any(|deletion| list.nodes.contains_key(deletion));
        if is_twice || list.deletions.len() < deleted {
            return Err(DecodeError::Dot { at: reader.at() });
        }
        Ok(list)
    }
}

impl<T: Clone + PartialEq + Codec> StoreWire for Rga<T> {
    fn write_tag(out: &mut Vec<u8>) {
        out.push(0x50);
    }
}

fn encode_behind(behind: Option<Dot>, replicas: &Replicas, out: &mut Vec<u8>) {
    match behind {
        None => out.push(0),
        Some(dot) if replicas.contains(dot.replica) => {
            out.push(1);
            replicas.encode(dot, out);
        }
        Some(dot) => {
            out.push(2);
            dot.encode(out);
        }
    }
}

fn decode_behind(replicas: &Replicas, reader: &mut Reader<'_>) -> Result<Option<Dot>, DecodeError> {
    match reader.byte()? {
        0 => Ok(None),
        1 => replicas.decode(reader).map(Some),
        2 => {
            let dot = Dot::decode(reader)?;
            if replicas.contains(dot.replica) {
                Err(DecodeError::Range { at: reader.at() })
            } else {
                Ok(Some(dot))
            }
        }
        3.. => Err(DecodeError::Range { at: reader.at() }),
    }
}
