//! Counts of a document's client ids by their low bits.
//!
//! yrs keeps clients in hash tables whose hash is the id itself. An honest id is drawn at random; 20,000 ids that
//! agree in their low bits take yrs 1.6 s to insert, against 10 ms. A bucket counts the ids that agree in their low
//! 12 bits, and one that is far above the average is nobody's chance: with 50,000 random ids the fullest of the 4,096
//! buckets holds about 30, and 112 are allowed.

use alloc::collections::BTreeMap;

use crate::{
    id::ClientId,
    limits::{CLIENT_BUCKETS, CLIENTS_PER_BUCKET_BASE, CLIENTS_PER_BUCKET_FACTOR},
};

const _: () = assert!(CLIENT_BUCKETS.is_power_of_two() && CLIENT_BUCKETS <= 1 << 16);

/// An update names new clients whose ids agree in their low bits with too many others. The peer is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{clients} client ids agree with {client} in their low bits, more than {max}")]
pub struct CrowdedClients {
    /// One of them.
    pub client: ClientId,
    /// How many there would be.
    pub clients: usize,
    /// How many there may be.
    pub max: usize,
}

/// How many clients of a document share their low bits.
#[derive(Clone, Debug, Default)]
pub struct ClientBuckets {
    /// Clients in the buckets that have any: at most [`CLIENT_BUCKETS`] entries.
    counts: BTreeMap<u16, usize>,
    /// Their sum.
    clients: usize,
}

impl ClientBuckets {
    /// Counts the clients of a live update, which must be distinct and not counted before: all or, if one of their
    /// buckets would be crowded, none.
    ///
    /// # Errors
    /// [`CrowdedClients`] if so.
    pub fn admit(&mut self, new: &[ClientId]) -> Result<(), CrowdedClients> {
        self.count(new);
        let max = CLIENTS_PER_BUCKET_BASE + CLIENTS_PER_BUCKET_FACTOR * self.clients / CLIENT_BUCKETS;
        let crowded = new.iter().find_map(|&client| {
            let clients = self.counts.get(&bucket(client)).copied().unwrap_or(0);
            (clients > max).then_some(CrowdedClients { client, clients, max })
        });
        crowded.map_or(Ok(()), |crowded| {
            self.forget(new);
            Err(crowded)
        })
    }

    /// Counts clients that were accepted before, such as those of a document that is loaded. As for
    /// [`Self::admit`], they must be distinct and not counted before.
    pub fn count(&mut self, known: &[ClientId]) {
        for &client in known {
            *self.counts.entry(bucket(client)).or_default() += 1;
        }
        self.clients += known.len();
    }

    /// Takes back a count, for instance after an update that was admitted failed to apply.
    pub fn forget(&mut self, counted: &[ClientId]) {
        for &client in counted {
            if let Some(count) = self.counts.get_mut(&bucket(client)) {
                *count = count.saturating_sub(1);
            }
        }
        self.clients = self.clients.saturating_sub(counted.len());
    }

    /// Returns how many clients were counted.
    #[must_use]
    pub const fn clients(&self) -> usize {
        self.clients
    }
}

/// Returns the low bits of `client`.
fn bucket(client: ClientId) -> u16 {
    // SUBTLE: the cast keeps the low 16 bits, of which there are at most that many.
    client.0 as u16 & (CLIENT_BUCKETS - 1) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agreeing(n: u64) -> Vec<ClientId> {
        (0..n).map(|i| ClientId(7 + (i << 12))).collect()
    }

    /// Draws like a client does, from a fixed seed (splitmix64).
    fn random(n: u64, bits: u32) -> Vec<ClientId> {
        let draw = |i: u64| {
            let mut z = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            ClientId((z ^ z >> 31) >> (64 - bits))
        };
        (0..n).map(draw).collect()
    }

    #[test]
    fn crafted_ids_are_refused() {
        let mut buckets = ClientBuckets::default();
        let ids = agreeing(20_000);
        let refused = buckets.admit(&ids);
        assert_eq!(refused, Err(CrowdedClients { client: ids[0], clients: 20_000, max: 64 + 19 }));
        assert_eq!(buckets.clients(), 0, "nothing is counted of a refused update");
        assert_eq!(buckets.admit(&ids[..64]), Ok(()));
        let refused = buckets.admit(&ids[64..65]);
        assert_eq!(refused, Err(CrowdedClients { client: ids[64], clients: 65, max: 64 }));
        assert_eq!(buckets.admit(&[ClientId(8)]), Ok(()), "other buckets are open");
    }

    #[test]
    fn honest_ids_are_admitted_at_once_and_one_by_one() {
        for bits in [32, 53] {
            let ids = random(50_000, bits);
            assert_eq!(ClientBuckets::default().admit(&ids), Ok(()));
            let mut buckets = ClientBuckets::default();
            assert!(ids.iter().all(|&id| buckets.admit(&[id]).is_ok()));
            assert_eq!(buckets.clients(), 50_000);
        }
    }

    #[test]
    fn loading_only_counts() {
        let mut buckets = ClientBuckets::default();
        buckets.count(&agreeing(100));
        assert_eq!(buckets.clients(), 100);
        assert!(
            buckets.admit(&[ClientId(7 + (500 << 12))]).is_err(),
            "the bucket stays crowded for live updates"
        );
        buckets.forget(&agreeing(40));
        assert_eq!(buckets.admit(&[ClientId(7 + (500 << 12))]), Ok(()));
    }
}
