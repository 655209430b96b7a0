//! What is forgotten, and when.

use syncline_core::access::Grants;
use syncline_core::limits::{
    AGED_MAX, DAY_MS, LAGGING_MS, MAX_OFFLINE_MS, PURGED_MAX, RESULTS_WHOLE_MS, TOMBSTONE_TTL_MS,
};

use super::disk::Server;
use super::*;

struct World {
    server: Server,
    n: u64,
}

impl World {
    fn new() -> Self {
        let mut server = Server::new(types());
        for device in 0..2 {
            let about = DeviceAbout::default();
            server.ask(Input::Bind { request: RequestId(0), actor: name(device), user: user(), about });
        }
        Self { server, n: 0 }
    }

    fn op(&mut self, id: usize, action: Action) -> PushOp {
        self.n += 1;
        let claim = self
            .server
            .ledger
            .record(&key(1, id))
            .map(|record| Claim { vv: Some(record.vv.clone()), ..Claim::default() });
        PushOp {
            numbered: Numbered { n: self.n, hash: ContentHash(self.n.to_be_bytes()), is_noop: false },
            entity: key(1, id),
            action,
            seen: PushSeen::Record(claim.unwrap_or_default()),
            was: BTreeMap::new(),
            time: ClaimedTime::default(),
            deps: Default::default(),
            refs: Default::default(),
            schema_v: 1,
            unreadable: false,
            tx: None,
        }
    }

    fn push(&mut self, ops: Vec<PushOp>) -> Answer {
        let (request, actor, clock) = (RequestId(0), name(0), ClientClock::default());
        self.server
            .ask(Input::Push { request, actor, user: user(), grants: Grants::everything(), clock, ops })
            .expect("it is answered")
    }

    fn pull(&mut self, device: usize, cursor: Option<Cursor>) -> PulledScope {
        let scopes = vec![PullScope { scope: everything(), cursor, without_own: false, count_max: PULL_MAX }];
        let pull = Input::Pull { request: RequestId(0), actor: name(device), user: user(), scopes };
        match self.server.ask(pull) {
            Some(Answer::Pulled(mut pulled)) => pulled.scopes.remove(0),
            other => panic!("{other:?}"),
        }
    }

    fn ack(&mut self, device: usize, cursor: Option<Cursor>, results_through: u64) {
        let cursors = cursor.map(|cursor| (everything().name, cursor)).into_iter().collect();
        let ack = Ack { cursors, results_through, backlog: None };
        self.server.ask(Input::Ack { request: RequestId(0), actor: name(device), user: user(), ack });
    }

    /// Waits, with a restart in between.
    fn pass(&mut self, ms: u64) {
        self.server.now_ms += ms;
        self.server.restart(types(), Epoch(1));
        self.server.ask(Input::Tick);
    }
}

const PULL_MAX: usize = 1_000;

#[test]
fn a_result_is_known_for_a_week_and_its_hash_for_two_months() {
    let mut world = World::new();
    let op = world.op(0, Action::Create(Default::default()));
    let again = |world: &mut World| match world.push(vec![op.clone()]) {
        Answer::Pushed { results, .. } => Ok(matches!(results[..], [OpStatus::Done(_)])),
        Answer::Refused(refused) => Err(refused),
        other => panic!("{other:?}"),
    };
    assert_eq!(again(&mut world), Ok(true));
    world.pass(2 * MAX_OFFLINE_MS);
    assert_eq!(again(&mut world), Ok(true), "nobody has acknowledged it");
    world.ack(0, None, 1);
    world.pass(RESULTS_WHOLE_MS - 1);
    assert_eq!(again(&mut world), Ok(true));
    world.pass(DAY_MS + 1);
    assert_eq!(again(&mut world), Ok(false));
    let other = PushOp { numbered: Numbered { hash: ContentHash([9; 8]), ..op.numbered }, ..op.clone() };
    let refused = world.push(vec![other]);
    assert_eq!(refused, Answer::Refused(NumbersError::Reused { n: 1, last: 1 }.into()));
    world.pass(MAX_OFFLINE_MS - RESULTS_WHOLE_MS - DAY_MS - 1);
    assert_eq!(again(&mut world), Ok(false));
    world.pass(DAY_MS + 1);
    assert_eq!(again(&mut world), Err(NumbersError::Forgotten { n: 1, last: 1 }.into()));
    assert_eq!(world.server.disk.count(|write| matches!(write, Write::Aged(..) | Write::Result(..))), 0);
}

#[test]
fn commits_that_forget_are_bounded() {
    let mut world = World::new();
    let count = PURGED_MAX + 1;
    for action in [Action::Create(Default::default()), Action::Delete] {
        for id in 0..count {
            let op = world.op(id, action.clone());
            world.push(vec![op]);
        }
    }
    world.ack(0, None, world.n);
    world.pass(RESULTS_WHOLE_MS + DAY_MS);
    assert_eq!(world.server.disk.count(|write| matches!(write, Write::Aged(..))), AGED_MAX);
    world.pass(1);
    assert_eq!(world.server.disk.count(|write| matches!(write, Write::Aged(..))), 2 * AGED_MAX);
    world.pass(TOMBSTONE_TTL_MS - DAY_MS);
    world.pass(2 * DAY_MS);
    assert_eq!(world.server.disk.records().len(), 1);
    world.pass(1);
    assert!(world.server.disk.records().is_empty());
}

/// A device that came within its time holds back what is deleted; one that did not begins again.
#[test]
fn a_tombstone_waits_for_who_may_need_it() {
    let mut world = World::new();
    let create = world.op(0, Action::Create(Default::default()));
    world.push(vec![create]);
    let cursors = [0, 1].map(|device| world.pull(device, None).cursor);
    let delete = world.op(0, Action::Delete);
    world.push(vec![delete]);
    world.pass(DAY_MS);
    world.pass(TOMBSTONE_TTL_MS - MAX_OFFLINE_MS + DAY_MS);
    world.ack(0, Some(cursors[0]), 0);
    world.pass(MAX_OFFLINE_MS - DAY_MS);
    let page = world.pull(1, Some(cursors[1]));
    assert!(matches!(page.changes[..], [PullChange::Delete(..)]), "device 0 may still come for it");
    world.pass(2 * DAY_MS);
    assert_eq!(world.server.disk.records().len(), 0);
    let page = world.pull(0, Some(cursors[0]));
    assert_eq!((page.reset, page.changes.len(), page.total), (Some(Reset::Expired), 0, 0));
    // The log goes on behind what it has forgotten, and whoever saw the entity does not bring it back.
    let head = world.server.ledger.log.head();
    let mut update = world.op(0, Action::Create(Default::default()));
    update.seen = PushSeen::Record(Claim { ver: Some(RecordVersion(2)), ..Claim::default() });
    world.push(vec![update]);
    assert_eq!(world.server.ledger.record(&key(1, 0)), None);
    let create = world.op(0, Action::Create(Default::default()));
    world.push(vec![create]);
    assert_eq!(world.server.ledger.log.head(), Sequence(head.0 + 1));
    // Nobody waits for a place from which its device has to begin again.
    world.ack(0, Some(cursors[0]), 0);
    let delete = world.op(0, Action::Delete);
    world.push(vec![delete]);
    world.pass(DAY_MS);
    world.pass(TOMBSTONE_TTL_MS - DAY_MS);
    world.ack(0, Some(cursors[0]), 0);
    world.pass(DAY_MS);
    assert_eq!(world.server.disk.records().len(), 0);
}

/// A revoked device holds nothing back.
#[test]
fn nobody_waits_for_a_revoked_device() {
    let mut world = World::new();
    let cursor = world.pull(1, None).cursor;
    for action in [Action::Create(Default::default()), Action::Delete] {
        let op = world.op(0, action);
        world.push(vec![op]);
    }
    world.pass(DAY_MS);
    world.pass(TOMBSTONE_TTL_MS);
    assert!(world.server.disk.records().is_empty(), "nobody has acknowledged anything");
    for action in [Action::Create(Default::default()), Action::Delete] {
        let op = world.op(0, action);
        world.push(vec![op]);
    }
    let cursor = world.pull(1, Some(cursor)).cursor;
    let op = world.op(1, Action::Create(Default::default()));
    world.push(vec![op]);
    let op = world.op(1, Action::Delete);
    world.push(vec![op]);
    world.pass(DAY_MS);
    world.pass(TOMBSTONE_TTL_MS - DAY_MS);
    world.ack(1, Some(cursor), 0);
    world.pass(DAY_MS);
    assert_eq!(world.server.disk.records().len(), 1, "what it is past goes, and what it is not stays");
    world.server.ask(Input::Revoke { request: RequestId(0), actor: name(1), user: None });
    world.pass(1);
    assert!(world.server.disk.records().is_empty());
}

#[test]
fn a_device_that_does_not_keep_up_is_noticed() {
    let mut world = World::new();
    let status = |world: &World| {
        let now = WallMs(world.server.now_ms);
        world.server.ledger.device_status(now, &name(1)).expect("it is bound")
    };
    let cursor = world.pull(1, None).cursor;
    world.ack(1, Some(cursor), 0);
    assert_eq!((status(&world).health, status(&world).scopes[0].lag()), (Health::Healthy, 0));
    let create = world.op(0, Action::Create(Default::default()));
    world.push(vec![create]);
    assert_eq!((status(&world).health, status(&world).scopes[0].lag()), (Health::Healthy, 1));
    assert_eq!(status(&world).scopes[0].last_pull_at, Some(WallMs(1)));
    world.pass(LAGGING_MS);
    assert_eq!(status(&world).health, Health::Lagging);
    let page = world.pull(1, Some(cursor));
    world.ack(1, Some(page.cursor), 0);
    assert_eq!(status(&world).health, Health::Healthy);
    let mut say = |pending, dead, oldest_at| {
        let backlog = Some(Backlog { pending, oldest_at: Some(WallMs(oldest_at)), dead });
        let ack = Ack { backlog, ..Ack::default() };
        world.server.ask(Input::Ack { request: RequestId(0), actor: name(1), user: user(), ack });
        status(&world).health
    };
    assert_eq!(
        [say(1, 0, LAGGING_MS), say(1, 0, 1), say(1, 1, 1)],
        [Health::Healthy, Health::Lagging, Health::Blocked]
    );
    say(0, 0, 1);
    world.pass(MAX_OFFLINE_MS);
    assert_eq!(status(&world).health, Health::Stale);
    assert!(!status(&world).scopes[0].needs_resync);
    let (request, scope, reason) = (RequestId(0), everything().name, Reset::Schema);
    world.server.ask(Input::Resync { request, actor: name(1), user: None, scope, reason });
    assert!(status(&world).scopes[0].needs_resync);
    world.server.ask(Input::Revoke { request, actor: name(1), user: None });
    assert_eq!(status(&world).health, Health::Blocked);
    let all = world.server.ledger.device_statuses(WallMs(0));
    assert_eq!(all.iter().map(|status| &status.name).collect::<Vec<_>>(), [&name(0), &name(1)]);
}

/// What is deleted stays known as long as its type says, whatever lies before it.
#[test]
fn a_type_says_how_long_a_tombstone_is_known() {
    let short = |mut types: Vec<EntityType>| {
        types[1].tombstone_ttl_ms = Some(DAY_MS);
        types
    };
    let mut world = World::new();
    world.server.restart(short(types()), Epoch(1));
    let ids = |world: &World| world.server.disk.records().into_keys().collect::<Vec<_>>();
    for kind in [0, 1] {
        for action in [Action::Create(Default::default()), Action::Delete] {
            let op = world.op(0, action);
            world.push(vec![PushOp { entity: key(kind, 0), ..op }]);
        }
    }
    assert_eq!(ids(&world).len(), 2);
    for _ in 0..3 {
        world.server.now_ms += DAY_MS;
        world.server.ask(Input::Tick);
    }
    assert_eq!(ids(&world), [key(0, 0)]);
    assert_eq!(world.server.ledger.log.floor(), Sequence(4));
}
