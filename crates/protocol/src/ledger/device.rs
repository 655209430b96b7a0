//! Devices: whose they are, and whether they may sync.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde::{Deserialize, Serialize};
use syncline_core::entity::{ActorName, EntityId, EntityKey, Outcome, TypeName, UserName};
use syncline_core::limits::SEEN_MS;
use syncline_core::time::WallMs;

use super::audit::Audited;
use super::message::{Answer, Kept, Refused, Write};
use super::push::MutationHash;
use super::{Acked, ContentHash, Ledger, Numbers, Packed, Resync, Section, Written};

/// What is known of one device.
#[derive(Debug, Default)]
pub(super) struct Device {
    /// None of a server, and of a device that is not bound.
    pub(super) binding: Option<Binding>,
    /// When it last asked for anything, since the ledger was loaded.
    pub(super) seen_at: WallMs,
    /// The scopes that it has read since then, what was in them, and when it did so last.
    pub(super) pulled: BTreeMap<TypeName, (BTreeSet<Section>, WallMs)>,
    pub(super) numbers: Numbers,
    /// The results of ops that are still known whole.
    pub(super) kept: BTreeMap<u64, Packed<Kept>>,
    /// What ops held whose results are no longer kept.
    pub(super) hashes: BTreeMap<u64, ContentHash>,
    pub(super) acked: Acked,
    /// The scopes that it is to begin again.
    pub(super) resyncs: BTreeMap<TypeName, Resync>,
    /// The last op that was to create an entity, if it was refused.
    pub(super) refused: BTreeMap<EntityKey, u64>,
    /// The ids of entities that it names by temporary ones.
    pub(super) ids: BTreeMap<EntityKey, EntityId>,
    /// The numbers of mutations.
    pub(super) mutations: BTreeMap<MutationHash, u64>,
}

/// What a user says of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceAbout {
    /// What people call it.
    pub name: Option<String>,
    /// The application on it, and its version.
    pub app: Option<String>,
}

/// A public key of Ed25519 that a device signs its requests with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceKey(pub [u8; 32]);

/// A key that a device is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// Whoever asks has proved to have its other half.
    pub key: DeviceKey,
    /// By what it may take the place of another.
    pub warrant: KeyWarrant,
}

/// By what the key of a device may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyWarrant {
    /// By nothing: the device may have none yet.
    Nothing,
    /// The request was signed with this key, which the device had then.
    Key(DeviceKey),
    /// An administrator asks.
    Admin,
}

/// The bond of a device to a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Whose it is, for ever.
    pub user: UserName,
    /// What the user says of it.
    pub about: DeviceAbout,
    /// What its requests are signed with, if it has a key. A revoked device has none.
    pub key: Option<DeviceKey>,
    /// Since when.
    pub bound_at: WallMs,
    /// When it was revoked, if it was: it does not come back.
    pub revoked_at: Option<WallMs>,
    /// When it last asked for anything; up to an hour early after a restart.
    pub seen_at: WallMs,
}

/// Why a device may not do this. The device is at fault, or its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceRefusal {
    /// Nobody has bound it.
    #[error("the device is not bound")]
    NotBound,
    /// It was shut out.
    #[error("the device was revoked")]
    Revoked,
    /// It is of another user.
    #[error("the device is of another user")]
    Mismatch,
    /// It has a key, and nobody has signed with that.
    #[error("the device has another key: the request has to be signed with that, too")]
    HasKey,
}

impl Ledger {
    /// Binds a device to a user, for good. Said again by the same user it updates what is known of the device.
    pub(super) fn bind(
        &mut self,
        now: WallMs,
        name: &ActorName,
        user: UserName,
        about: DeviceAbout,
    ) -> Result<Answer, Refused> {
        if name.is_server() {
            return Err(DeviceRefusal::Mismatch.into());
        }
        let before = match self.binding(name, Some(&user)) {
            Ok(binding) => Some(binding.clone()),
            Err(DeviceRefusal::NotBound) => None,
            Err(refusal) => return Err(refusal.into()),
        };
        let is_new = before.is_none();
        let bound_at = before.as_ref().map_or(now, |binding| binding.bound_at);
        let key = before.and_then(|binding| binding.key);
        let binding = Binding { user, about, key, bound_at, revoked_at: None, seen_at: now };
        self.keep_binding(name, &binding);
        if is_new {
            self.tell_bound(now, name.clone(), binding.user.clone());
        }
        Ok(Answer::Device { device: name.clone(), binding: Box::new(binding), is_new })
    }

    /// Has a device sign with this key from now on.
    pub(super) fn set_key(
        &mut self,
        now: WallMs,
        name: &ActorName,
        user: Option<&UserName>,
        KeyChange { key, warrant }: KeyChange,
    ) -> Result<Answer, Refused> {
        let before = self.binding(name, user)?.clone();
        let is_new = before.key != Some(key);
        let may = match (before.key, warrant) {
            (None, _) | (Some(_), KeyWarrant::Admin) => true,
            (Some(held), KeyWarrant::Key(signed)) => held == signed,
            (Some(held), KeyWarrant::Nothing) => held == key,
        };
        if !may {
            return Err(DeviceRefusal::HasKey.into());
        }
        let binding = Binding { key: Some(key), seen_at: now, ..before };
        if is_new {
            self.keep_binding(name, &binding);
            self.audit(now, Audited::Keyed { device: name.clone(), key: key.0 }, None);
        }
        Ok(Answer::Device { device: name.clone(), binding: Box::new(binding), is_new })
    }

    /// Returns the devices that sign, with their keys, durable or not.
    pub fn device_keys(&self) -> impl Iterator<Item = (&ActorName, DeviceKey)> {
        let keyed = self.devices.iter().filter_map(|(actor, device)| Some((*actor, device.key()?)));
        keyed.filter_map(|(actor, key)| Some((self.actors.name(actor)?, key)))
    }

    /// Returns the key of a device, durable or not.
    #[must_use]
    pub fn device_key(&self, name: &ActorName) -> Option<DeviceKey> {
        self.devices.get(&self.actors.known(name)?)?.key()
    }

    /// Shuts a device out.
    pub(super) fn revoke(
        &mut self,
        now: WallMs,
        name: &ActorName,
        user: Option<&UserName>,
    ) -> Result<Answer, Refused> {
        let binding = Binding { revoked_at: Some(now), key: None, ..self.binding(name, user)?.clone() };
        self.keep_binding(name, &binding);
        self.tell_revoked(now, name.clone());
        Ok(Answer::Device { device: name.clone(), binding: Box::new(binding), is_new: true })
    }

    /// Shuts a device out, if it is not, and forgets all about it but what its user is called from now on.
    pub(super) fn shut_out_as(&mut self, now: WallMs, name: &ActorName, known_as: &UserName) {
        let device = self.actors.known(name).and_then(|actor| self.devices.get(&actor));
        let Some(before) = device.and_then(|device| device.binding.clone()) else { return };
        let about = DeviceAbout::default();
        let revoked_at = before.revoked_at.or(Some(now));
        self.keep_binding(name, &Binding { user: known_as.clone(), about, key: None, revoked_at, ..before });
        if before.revoked_at.is_none() {
            self.tell_revoked(now, name.clone());
        }
    }

    /// Lets a device in that is bound to the user, and notes that it was seen. Servers are always in: no request names one.
    pub(super) fn admit(&mut self, now: WallMs, name: &ActorName, user: &UserName) -> Result<(), Refused> {
        if name.is_server() {
            return Ok(());
        }
        let binding = self.binding(name, Some(user))?.clone();
        if now.0.saturating_sub(binding.seen_at.0) >= SEEN_MS {
            self.keep_binding(name, &Binding { seen_at: now, ..binding });
        }
        let actor = self.number(name);
        let device = self.devices.entry(actor).or_default();
        device.seen_at = device.seen_at.max(now);
        Ok(())
    }

    /// Returns the bond of a device that was not revoked, to this user if one is named.
    pub(super) fn binding(
        &self,
        name: &ActorName,
        user: Option<&UserName>,
    ) -> Result<&Binding, DeviceRefusal> {
        let device = self.actors.known(name).and_then(|actor| self.devices.get(&actor));
        let binding = device.and_then(|device| device.binding.as_ref()).ok_or(DeviceRefusal::NotBound)?;
        if user.is_some_and(|user| *user != binding.user) {
            Err(DeviceRefusal::Mismatch)
        } else if binding.revoked_at.is_some() {
            Err(DeviceRefusal::Revoked)
        } else {
            Ok(binding)
        }
    }

    fn keep_binding(&mut self, name: &ActorName, binding: &Binding) {
        let actor = self.number(name);
        self.gathered.push(Write::Device(actor, Box::new(binding.clone())));
        self.devices.entry(actor).or_default().binding = Some(binding.clone());
    }
}

impl Device {
    fn key(&self) -> Option<DeviceKey> {
        self.binding.as_ref()?.key
    }

    /// Returns whether it is bound, and was not revoked.
    pub(super) fn is_in(&self) -> bool {
        self.binding.as_ref().is_some_and(|binding| binding.revoked_at.is_none())
    }

    pub(super) fn keep(&mut self, n: u64, kept: &Written<Kept>) {
        let entity = &kept.result.entity;
        // A creation that was done lets the ops behind it go on, which they do if nothing is known of it.
        if kept.creates && self.refused.get(entity).is_none_or(|last| *last < n) {
            let is_refused = matches!(kept.result.outcome, Outcome::Rejected(_));
            if is_refused && !self.is_created_behind(n, entity) {
                self.refused.insert(entity.clone(), n);
            } else {
                self.refused.remove(entity);
            }
        }
        self.kept.insert(n, kept.packed());
    }

    /// Returns whether an op behind this one, which was deferred, was to create the entity.
    pub(super) fn is_created_behind(&self, n: u64, entity: &EntityKey) -> bool {
        let behind = self.kept.range((Bound::Excluded(n), Bound::Unbounded));
        behind.map(|(_, kept)| kept.read()).any(|kept| kept.creates && kept.result.entity == *entity)
    }

    /// Returns the results that the device has not acknowledged.
    pub(super) fn unacknowledged(&self) -> impl Iterator<Item = &Packed<Kept>> {
        let behind = (Bound::Excluded(self.acked.results_through), Bound::Unbounded);
        self.kept.range(behind).map(|(_, kept)| kept)
    }
}

#[cfg(test)]
mod tests {
    use syncline_core::access::Grants;
    use syncline_core::entity::{ClientClock, Epoch};
    use syncline_core::time::{MonotonicMs, Now};

    use super::super::{Ack, Effect, Input, Refused, RequestId};
    use super::*;

    /// A ledger whose commits are durable at once, and what they hold.
    struct World {
        ledger: Ledger,
        disk: Vec<Write>,
        now_ms: u64,
    }

    fn named(text: &str) -> ActorName {
        ActorName::new(text).expect("a name")
    }

    fn user(text: &str) -> UserName {
        UserName::new(text).expect("a name")
    }

    impl World {
        fn new() -> Self {
            let ledger = Ledger::load([], Epoch(1), []).expect("nothing is stored");
            Self { ledger, disk: Vec::new(), now_ms: SEEN_MS }
        }

        fn ask(&mut self, input: Input) -> Answer {
            let now = Now { monotonic: MonotonicMs(0), wall: WallMs(self.now_ms) };
            self.ledger.handle(now, input);
            let mut answered = None;
            while let Some(effect) = self.ledger.poll_effect() {
                match effect {
                    Effect::Commit { commit, batch, .. } => {
                        self.disk.extend(batch);
                        self.ledger.handle(now, Input::Committed(commit));
                    }
                    Effect::Answer { answer, .. } => answered = Some(answer),
                    Effect::Moved { .. } | Effect::Ask { .. } => {}
                    Effect::Merge(_) | Effect::Refuse { .. } | Effect::Deleted { .. } => {
                        panic!("no type has documents here")
                    }
                }
            }
            answered.expect("each request is answered")
        }

        fn bind(&mut self, actor: &str, by: &str) -> Answer {
            let about = DeviceAbout::default();
            self.ask(Input::Bind { request: RequestId(0), actor: named(actor), user: user(by), about })
        }

        fn revoke(&mut self, actor: &str, by: Option<&str>) -> Answer {
            self.ask(Input::Revoke { request: RequestId(0), actor: named(actor), user: by.map(user) })
        }

        /// What becomes of a push, a pull and an acknowledgement.
        fn syncs(&mut self, actor: &str, by: &str) -> [Option<DeviceRefusal>; 3] {
            let (request, actor, user) = (RequestId(0), named(actor), user(by));
            let (clock, ack) = (ClientClock::default(), Ack::default());
            let push = Input::Push {
                request,
                actor: actor.clone(),
                user: user.clone(),
                grants: Grants::everything(),
                clock,
                ops: Vec::new(),
            };
            let pull = Input::Pull { request, actor: actor.clone(), user: user.clone(), scopes: Vec::new() };
            [push, pull, Input::Ack { request, actor, user, ack }].map(|input| refusal(self.ask(input)))
        }
    }

    fn refusal(answer: Answer) -> Option<DeviceRefusal> {
        match answer {
            Answer::Refused(Refused::Device(refusal)) => Some(refusal),
            _ => None,
        }
    }

    #[test]
    fn only_the_user_of_a_device_syncs_it() {
        let mut world = World::new();
        assert_eq!(world.syncs("d1", "ann"), [Some(DeviceRefusal::NotBound); 3]);
        assert!(matches!(world.bind("d1", "ann"), Answer::Device { is_new: true, .. }));
        assert!(matches!(world.bind("d1", "ann"), Answer::Device { is_new: false, .. }));
        assert_eq!(refusal(world.bind("d1", "bob")), Some(DeviceRefusal::Mismatch));
        assert_eq!(refusal(world.bind("srv:eu", "bob")), Some(DeviceRefusal::Mismatch));
        assert_eq!(world.syncs("d1", "ann"), [None; 3]);
        assert_eq!(world.syncs("d1", "bob"), [Some(DeviceRefusal::Mismatch); 3]);
    }

    #[test]
    fn a_revoked_device_never_comes_back() {
        let mut world = World::new();
        world.bind("d1", "ann");
        assert_eq!(refusal(world.revoke("d1", Some("bob"))), Some(DeviceRefusal::Mismatch));
        assert_eq!(refusal(world.revoke("d2", None)), Some(DeviceRefusal::NotBound));
        assert_eq!(refusal(world.revoke("d1", None)), None);
        // What is stored says the same.
        let stored = std::mem::take(&mut world.disk);
        world.ledger = Ledger::load([], Epoch(1), stored).expect("it was written by a ledger");
        for by in ["ann", "bob"] {
            let want = if by == "ann" { DeviceRefusal::Revoked } else { DeviceRefusal::Mismatch };
            assert_eq!(world.syncs("d1", by), [Some(want); 3]);
            assert_eq!(refusal(world.bind("d1", by)), Some(want));
        }
    }

    /// The first key is for whoever may bind the device; another one is for whoever has the one before, or administers.
    #[test]
    fn a_key_is_replaced_by_whoever_has_it() {
        let mut world = World::new();
        let [first, second, third] = [1, 2, 3].map(|n| DeviceKey([n; 32]));
        let set = |world: &mut World, by: Option<&str>, key, warrant| {
            let (actor, user, change) = (named("d1"), by.map(user), KeyChange { key, warrant });
            refusal(world.ask(Input::SetKey { request: RequestId(0), actor, user, change }))
        };
        let ann = Some("ann");
        assert_eq!(set(&mut world, ann, first, KeyWarrant::Nothing), Some(DeviceRefusal::NotBound));
        world.bind("d1", "ann");
        assert_eq!(set(&mut world, Some("bob"), first, KeyWarrant::Nothing), Some(DeviceRefusal::Mismatch));
        assert_eq!(set(&mut world, ann, first, KeyWarrant::Nothing), None);
        let written = world.disk.len();
        assert_eq!(set(&mut world, ann, first, KeyWarrant::Nothing), None, "said again");
        assert_eq!(world.disk.len(), written);
        for warrant in [KeyWarrant::Nothing, KeyWarrant::Key(second)] {
            assert_eq!(set(&mut world, ann, second, warrant), Some(DeviceRefusal::HasKey), "{warrant:?}");
        }
        assert_eq!(set(&mut world, ann, second, KeyWarrant::Key(first)), None);
        assert_eq!(set(&mut world, None, third, KeyWarrant::Admin), None);
        assert!(matches!(world.bind("d1", "ann"), Answer::Device { is_new: false, .. }));
        let stored = std::mem::take(&mut world.disk);
        world.ledger = Ledger::load([], Epoch(1), stored).expect("it was written by a ledger");
        assert_eq!(world.ledger.device_key(&named("d1")), Some(third), "binding it again leaves the key");
        world.revoke("d1", ann);
        assert_eq!(world.ledger.device_keys().count(), 0, "a device that was shut out has none");
    }

    /// That a device was seen is known at once and stored once an hour.
    #[test]
    fn devices_are_listed_with_when_they_were_seen() {
        let mut world = World::new();
        for (device, by) in [("d2", "ann"), ("d1", "bob"), ("d3", "ann")] {
            world.bind(device, by);
        }
        let written = world.disk.len();
        world.now_ms += SEEN_MS - 1;
        world.syncs("d3", "ann");
        assert_eq!(world.disk.len(), written);
        let devices = world.ledger.device_statuses(WallMs(world.now_ms));
        let seen: Vec<_> =
            devices.iter().map(|device| (device.name.as_str(), device.binding.seen_at.0)).collect();
        assert_eq!(seen, [("d1", SEEN_MS), ("d2", SEEN_MS), ("d3", 2 * SEEN_MS - 1)]);
        world.now_ms += 1;
        world.syncs("d3", "ann");
        assert_eq!(world.disk.len(), written + 1);
    }
}
