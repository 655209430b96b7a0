//! A type gets other templates while it has more records than fit into one batch, and the server crashes in between.

use syncline_core::access::Grants;
use syncline_core::entity::bucket::BucketTemplate;
use syncline_core::limits::COMMIT_WRITES_MAX;

use super::disk::Server;
use super::*;

const RECORDS: usize = COMMIT_WRITES_MAX + 10;

fn areas() -> EntityType {
    let template = BucketTemplate::parse("area:{v}").expect("a template");
    EntityType { buckets: vec![template], ..types().remove(1) }
}

#[test]
fn what_was_moved_in_part_is_moved_whole() {
    let mut server = Server::new(types());
    let (request, about) = (RequestId(0), DeviceAbout::default());
    server.ask(Input::Bind { request, actor: name(0), user: user(), about });
    for n in 1..=RECORDS {
        let op = PushOp {
            numbered: Numbered { n: n as u64, hash: ContentHash([0; 8]), is_noop: false },
            entity: key(1, n),
            action: Action::Create([(field(), 7.into())].into()),
            seen: PushSeen::Record(Claim::default()),
            was: BTreeMap::new(),
            time: ClaimedTime::default(),
            deps: Default::default(),
            refs: Default::default(),
            schema_v: 1,
            tx: None,
            unreadable: false,
        };
        let clock = ClientClock::default();
        server.ask(Input::Push {
            request,
            actor: name(0),
            user: user(),
            grants: Grants::everything(),
            clock,
            ops: vec![op],
        });
    }
    let before = server.disk.clone();
    let fills = |server: &Server, count| {
        let section = Section { kind: areas().name, bucket: Bucket::from_stored("area:7") };
        assert_eq!(server.ledger.log.checksum(&[section].into()).count, count);
    };
    server.ask(Input::DefineType { request, ty: Box::new(areas()) });
    fills(&server, RECORDS as u64);

    // After the crash the type is declared as it is to become, or as it was.
    let with_areas: Vec<EntityType> = types().into_iter().take(1).chain([areas()]).collect();
    for (types_then, count) in [(with_areas, RECORDS as u64), (types(), 0)] {
        let mut parted = Server { disk: before.clone(), ledger: before.load(types(), Epoch(1)), now_ms: 1 };
        parted.ledger.handle(Now::default(), Input::DefineType { request, ty: Box::new(areas()) });
        let Some(Effect::Commit { batch, .. }) = parted.ledger.poll_effect() else { panic!("it is begun") };
        parted.disk.write(batch);
        let moved = parted.disk.count(|write| matches!(write, Write::Buckets(..)));
        assert!(moved > 0 && moved < RECORDS, "{moved} are not a part");
        parted.restart(types_then.clone(), Epoch(1));
        fills(&parted, count);
        parted.ask(Input::Tick);
        parted.restart(types_then, Epoch(1));
        fills(&parted, count);
    }
}
