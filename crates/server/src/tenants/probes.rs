//! Random probes between two tenants with the same names everywhere: what is delivered to one never holds a byte of the other.
//!
//! Goal: no way through the server forgets whose a request is. Method: the whole server without sockets, on a store in memory and
//! pipes in memory; all that a tenant writes carries its mark, and each answer to the other is searched for it, as text and in
//! base64. What exists for one of them only must not be there for the other. At the end each record of the store is searched, too.
//!
//! `SYNCLINE_PROBES` says how many (`cargo xtask soak probes`: a million), `SYNCLINE_SEED` which.

mod side;

use std::sync::Arc;

use axum::Router;
use futures_util::future::{BoxFuture, ready};
use syncline_core::{
    access::{Grants, Identity},
    entity::{EntityType, Policy, TypeName, UserName},
    id::TenantName,
    rate::Allowance,
    time::WallMs,
};
use syncline_store::{committer::Committer, mem::MemoryStore};

use self::side::Side;
use crate::{
    access::{Authenticator, Unauthenticated},
    config::Config,
    epoch::Epoch,
    hooks::HookSet,
    http, keeper,
    outgoing::Trust,
    shared::Shared,
};

/// Probes of an ordinary run: a few seconds' worth of a debug build.
const PROBES: u64 = 3_000;

/// Rooms and records have one of so many names.
const NAMES: u64 = 12;

/// Updates of each room: enough to be found, and few enough that the last probe costs what the first did.
const LETTERS_MAX: u64 = 40;

/// A token is `USER.TENANT`, and its bearer may do everything there.
#[derive(Debug)]
struct Everyone;

impl Authenticator for Everyone {
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
        _now: WallMs,
    ) -> BoxFuture<'a, Result<Arc<Identity>, Unauthenticated>> {
        let found = token.split_once('.').map(|(user, tenant)| {
            let tenant = TenantName::new(tenant).expect("a name");
            let user = UserName::new(user).expect("a name");
            Arc::new(Identity { tenant, ..Identity::of(user, Grants::everything()) })
        });
        Box::pin(ready(found.ok_or(Unauthenticated::Unknown)))
    }
}

/// A server that has no address.
struct World {
    shared: Arc<Shared>,
    router: Router,
    epoch: Arc<Epoch>,
    _committer: Committer,
}

impl World {
    async fn start() -> Self {
        let types = [("note", Policy::Lww), ("price", Policy::Manual), ("text", Policy::Crdt)];
        let types = types.map(|(name, policy)| EntityType::new(TypeName::new(name).expect("a name"), policy));
        let mut config =
            Config { authenticator: Some(Arc::new(Everyone)), types: types.into(), ..Config::default() };
        // Probes come as fast as they are answered.
        let unlimited = Allowance { messages: None, bytes: None };
        (config.quota.user, config.quota.tenant) = (unlimited, unlimited);
        config.quota.connection = unlimited;
        let shared = Shared::new(&config, Trust::load(None).expect("nothing is added"), HookSet::default());
        let shared = Arc::new(shared.expect("nobody else is asked"));
        let committer = Committer::start(Box::new(MemoryStore::new()), ()).expect("a thread");
        let epoch = keeper::open_first(&shared, &committer.handle()).await.expect("the store is empty");
        shared.set_epoch(Some(Arc::clone(&epoch)));
        let router = http::router(Arc::clone(&shared));
        Self { shared, router, epoch, _committer: committer }
    }
}

/// SplitMix64, by Steele, Lea and Flood.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test]
async fn random_probes_between_two_tenants_deliver_no_foreign_byte() {
    let (probes, seed) =
        (setting("SYNCLINE_PROBES").unwrap_or(PROBES), setting("SYNCLINE_SEED").unwrap_or(1));
    let world = World::start().await;
    let mut random = Random(seed);
    // Neither name is in an answer of the other's for another reason.
    let mut sides = [Side::open(&world, "acme").await, Side::open(&world, "globex").await];
    for probe in 0..probes {
        let [own, other] = &mut sides;
        let (own, other) = if random.below(2) == 0 { (own, other) } else { (other, own) };
        own.begin(format!("seed {seed}, probe {probe}"));
        probe_once(&world, own, other, &mut random).await;
    }
    assert!(sides.iter().all(|side| probes < PROBES || side.has_met_all()), "some kind of probe never came");
    let all = world.epoch.storage.read(|store| store.scan(&[], &[], usize::MAX)).await;
    for (key, value) in all.expect("it is open").expect("it is read") {
        let tenant = key.place().expect("a known key").tenant();
        let foreign = sides.iter().filter(|side| side.tenant(&world) != tenant);
        foreign.for_each(|side| side.check_absent(value.as_slice(), &format!("{key:?}")));
    }
    drop(sides);
    world.shared.stopping.cancel();
    world.epoch.end().await;
}

/// Asks something, at random; a few writes, mostly reads.
async fn probe_once(world: &World, own: &mut Side, other: &Side, random: &mut Random) {
    let name = random.below(NAMES);
    match random.below(52) {
        0..=2 => own.write_note(name).await,
        3..=4 => own.write_price(name).await,
        5 => own.set_revoked(random.below(2) == 0).await,
        6..=11 => own.pull(random).await,
        12..=16 => own.pull_from(other, random).await,
        17..=20 => own.status(name).await,
        21..=24 => own.conflict(random.below(40)).await,
        25 => own.settle(random.below(40)).await,
        26..=27 => own.read("/sync/v1/conflicts").await,
        28..=29 => own.read("/sync/v1/devices").await,
        30 => own.read("/sync/v1/types").await,
        31..=32 => own.read("/auth/v1/revocations").await,
        33..=35 => own.is_revoked().await,
        36..=37 => own.read("/sync/v1/export").await,
        38..=39 => own.stream(world, "/sync/v1/events").await,
        40..=41 => own.live(world, false, None).await,
        42 => own.live(world, true, None).await,
        43 => own.live(world, random.below(2) == 0, Some(other)).await,
        44 => own.reconcile(other).await,
        45..=46 => own.export_documents(other).await,
        47..=48 => own.import_documents(name).await,
        _ => own.room(world, &["plan", "text/t"][name as usize % 2..], random).await,
    }
}
