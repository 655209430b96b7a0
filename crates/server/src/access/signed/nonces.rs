//! Which signatures were seen that are still good.

use std::collections::BTreeMap;

use ring::digest::{Context, SHA256};
use syncline_core::{entity::ActorName, id::TenantName, time::WallMs};
use syncline_protocol::ledger::DeviceKey;

use crate::limits::{NONCES_MAX, NONCES_PER_DEVICE_MAX};

/// Half of the SHA-256 of a device, a key and a nonce: whoever has one key for two tenants signs for one of them at a time.
type Hash = [u8; 16];

/// The nonces of signatures that have not expired.
#[derive(Debug, Default)]
pub(super) struct Nonces {
    /// When each expires.
    known: BTreeMap<Hash, WallMs>,
    /// Whose each is, by when it expires.
    ends: BTreeMap<(WallMs, Hash), (TenantName, ActorName)>,
    of_device: BTreeMap<(TenantName, ActorName), usize>,
    latest: WallMs,
}

/// What is known of a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is the first time.
    First,
    Before,
    /// No more can be remembered.
    TooMany,
}

impl Nonces {
    /// Returns the latest time that was, and forgets what had expired by then.
    pub(super) fn latest(&mut self, now: WallMs) -> WallMs {
        self.latest = self.latest.max(now);
        while let Some(first) = self.ends.first_entry().filter(|first| first.key().0 <= self.latest) {
            let ((_, hash), device) = first.remove_entry();
            self.known.remove(&hash);
            if let Some(count) = self.of_device.get_mut(&device) {
                *count -= 1;
                if *count == 0 {
                    self.of_device.remove(&device);
                }
            }
        }
        self.latest
    }

    /// Notes a nonce of a signature that is good until it expires.
    pub(super) fn note(
        &mut self,
        (tenant, device): (&TenantName, &ActorName),
        key: &DeviceKey,
        nonce: &str,
        expires: WallMs,
    ) -> Seen {
        let hash = hash(device, key, nonce);
        let whose = (tenant.clone(), device.clone());
        if self.known.contains_key(&hash) {
            return Seen::Before;
        }
        let of_device = self.of_device.get(&whose).copied().unwrap_or_default();
        if of_device >= NONCES_PER_DEVICE_MAX || self.known.len() >= NONCES_MAX {
            return Seen::TooMany;
        }
        self.known.insert(hash, expires);
        self.ends.insert((expires, hash), whose.clone());
        self.of_device.insert(whose, of_device + 1);
        Seen::First
    }
}

fn hash(device: &ActorName, key: &DeviceKey, nonce: &str) -> Hash {
    let mut context = Context::new(&SHA256);
    // No name holds a line feed.
    [device.as_str().as_bytes(), b"\n", &key.0, nonce.as_bytes()]
        .iter()
        .for_each(|part| context.update(part));
    let mut hash = Hash::default();
    hash.copy_from_slice(&context.finish().as_ref()[..16]);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_known_until_it_expires_and_there_is_a_bound() {
        let [ann, bob] = ["ann", "bob"].map(|name| ActorName::device(name).expect("a name"));
        let key = DeviceKey([1; 32]);
        let mut nonces = Nonces::default();
        let tenant = TenantName::default();
        let note = |nonces: &mut Nonces, device, nonce: &str| {
            nonces.note((&tenant, device), &key, nonce, WallMs(60))
        };
        assert_eq!(note(&mut nonces, &ann, "0"), Seen::First);
        assert_eq!(note(&mut nonces, &ann, "0"), Seen::Before);
        assert_eq!(
            nonces.note((&tenant, &ann), &DeviceKey([2; 32]), "0", WallMs(60)),
            Seen::First,
            "another key"
        );
        let other = TenantName::new("acme").expect("a name");
        assert_eq!(
            nonces.note((&other, &ann), &key, "0", WallMs(60)),
            Seen::Before,
            "also by another tenant"
        );
        assert_eq!(nonces.latest(WallMs(59)), WallMs(59));
        assert_eq!(note(&mut nonces, &ann, "0"), Seen::Before);
        for n in 2..NONCES_PER_DEVICE_MAX {
            assert_eq!(note(&mut nonces, &ann, &n.to_string()), Seen::First);
        }
        assert_eq!(note(&mut nonces, &ann, "more"), Seen::TooMany);
        assert_eq!(note(&mut nonces, &bob, "0"), Seen::First, "another device");
        assert_eq!(nonces.latest(WallMs(60)), WallMs(60));
        assert_eq!(nonces.latest(WallMs(1)), WallMs(60), "a clock that is set back brings nothing back");
        assert!(nonces.known.is_empty() && nonces.ends.is_empty() && nonces.of_device.is_empty());
    }
}
