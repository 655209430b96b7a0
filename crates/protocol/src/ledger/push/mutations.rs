//! Ops of clients that number nothing: mutations, known by the names that the clients gave them.
//!
//! The server numbers them under an actor of its own making, apart from the queue of the device. A mutation that comes again has
//! the number that it had.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use syncline_core::clock::ReplicaId;
use syncline_core::entity::ActorName;

use super::{Push, Pushing};
use crate::ledger::machine::Ledger;
use crate::ledger::message::{PushOp, Write};
use crate::ledger::{Numbered, PushMutation};

/// What a mutation is known by: the first 16 bytes of the SHA-256 of the name that its client gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MutationHash(pub [u8; 16]);

impl MutationHash {
    fn of(name: &str) -> Self {
        let mut first = [0; 16];
        first.copy_from_slice(&Sha256::digest(name)[..16]);
        Self(first)
    }
}

impl Ledger {
    /// Returns the number of a mutation of a device that was taken.
    #[must_use]
    pub fn mutation(&self, device: &ActorName, name: &str) -> Option<u64> {
        let actor = self.actors.known(&device.unnumbered().ok()?)?;
        self.devices.get(&actor)?.mutations.get(&MutationHash::of(name)).copied()
    }

    /// Takes mutations as a push of the actor that stands for the device.
    pub(in crate::ledger) fn mutate(
        &mut self,
        pushing: Pushing,
        actor: &ActorName,
        mutations: Vec<PushMutation>,
    ) {
        let hashed = mutations.into_iter().map(|mutation| (MutationHash::of(&mutation.name), mutation.op));
        let (names, ops) = hashed.unzip();
        self.enqueue(pushing, actor, ops, names);
    }

    /// Gives the mutations of a push their numbers: those that were taken have theirs, the others follow behind.
    pub(super) fn number_mutations(&self, actor: ReplicaId, push: &mut Push) {
        let device = &self.devices[&actor];
        let mut high = device.numbers.high();
        let mut numbered: BTreeMap<u64, (MutationHash, PushOp)> = BTreeMap::new();
        let mut here: BTreeMap<MutationHash, u64> = BTreeMap::new();
        for (name, op) in std::mem::take(&mut push.names).into_iter().zip(std::mem::take(&mut push.ops)) {
            let known = device.mutations.get(&name).or_else(|| here.get(&name)).copied();
            let n = known.unwrap_or_else(|| {
                high += 1;
                high
            });
            here.insert(name, n);
            // What is in one request twice is one.
            let numbers = Numbered { n, ..op.numbered };
            numbered.entry(n).or_insert((name, PushOp { numbered: numbers, ..op }));
        }
        (push.names, push.ops) = numbered.into_values().unzip();
    }

    /// Remembers under which number a mutation was taken.
    pub(super) fn note_mutations(&mut self, actor: ReplicaId, names: &[MutationHash], ops: &[PushOp]) {
        for (&name, op) in names.iter().zip(ops) {
            let n = op.numbered.n;
            if self.devices.entry(actor).or_default().mutations.insert(name, n).is_none() {
                self.gathered.push(Write::Mutation(actor, name, n));
            }
        }
    }
}
