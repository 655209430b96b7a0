//! Who may be asked, and by how many at a time.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use syncline_core::entity::{Action, ActorName, ClaimedTime, EntityId, EntityKey, Policy, UserName};
use syncline_protocol::ledger::{ContentHash, Numbered, PushOp, PushSeen};
use tokio::net::TcpListener;

use super::*;
use crate::limits::HANDLER_CALLS_MAX;

fn kind() -> TypeName {
    TypeName::new("order").expect("a name")
}

fn typed(url: &str) -> EntityType {
    let handler = Some(Handler { url: url.into(), timeout_ms: None, secret: None });
    EntityType { handler, ..EntityType::new(kind(), Policy::Lww) }
}

fn handlers(listen: &str, declared: &[EntityType]) -> Arc<Handlers> {
    let config = Config {
        listen: format!("{listen}:0").parse().expect("an address"),
        types: declared.to_vec(),
        ..Config::default()
    };
    Arc::new(Handlers::new(&config, Trust::load(None).expect("nothing is added"), Clock::start()))
}

fn question() -> PushQuestion {
    let device = ActorName::device("phone").expect("a name");
    let op = PushOp {
        numbered: Numbered { n: 1, hash: ContentHash([0; 8]), is_noop: false },
        entity: EntityKey { kind: kind(), id: EntityId::new("o").expect("an id") },
        action: Action::Delete,
        seen: PushSeen::After(0),
        was: BTreeMap::new(),
        time: ClaimedTime::default(),
        deps: BTreeSet::new(),
        refs: BTreeSet::new(),
        schema_v: 1,
        unreadable: false,
        tx: None,
    };
    let user = UserName::new("ann").expect("a name");
    PushQuestion { tenant: TenantName::default(), user, device, op, server: None, actors: Arc::default() }
}

#[test]
fn only_an_operator_has_the_server_ask_its_own_network() {
    let (inside, outside, named) = ("http://10.0.0.1/", "http://8.8.8.8/", "http://erp.example/");
    for (listen, declared, url, want) in [
        ("127.0.0.1", None, inside, Ok(())),
        ("0.0.0.0", None, inside, Err(TargetError::Inside.into())),
        ("0.0.0.0", None, "http://[::1]:9/", Err(TargetError::Inside.into())),
        ("0.0.0.0", None, outside, Ok(())),
        ("0.0.0.0", None, named, Ok(())),
        ("0.0.0.0", Some(inside), inside, Ok(())),
        ("0.0.0.0", Some(outside), inside, Err(TargetError::Inside.into())),
        ("127.0.0.1", None, "https://erp.example/", Ok(())),
        ("0.0.0.0", None, "https://10.0.0.1/", Err(TargetError::Inside.into())),
        ("127.0.0.1", None, "ftp://erp.example/", Err(TargetError::Url.into())),
    ] {
        let declared: Vec<_> = declared.map(typed).into_iter().collect();
        let handlers = handlers(listen, &declared);
        let check = |tenant: &TenantName| handlers.check(tenant, &typed(url));
        assert_eq!(check(&TenantName::default()), want, "{listen} {declared:?} {url}");
        // Another tenant is not of this machine, but is given the types of the operator.
        if url == inside {
            let may = declared.iter().any(|ty| *ty == typed(inside));
            let want = if may { Ok(()) } else { Err(TargetError::Inside.into()) };
            assert_eq!(check(&TenantName::new("acme").expect("a name")), want, "{listen} {declared:?}");
        }
    }
}

/// A name says nothing of where it leads before it is looked up.
#[tokio::test]
async fn a_name_does_not_lead_inside() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let url = format!("http://localhost:{}/", listener.local_addr().expect("it listens").port());
    let handlers = handlers("0.0.0.0", &[]);
    let ty = typed(&url);
    assert_eq!(handlers.check(&TenantName::default(), &ty), Ok(()));
    let verdict = handlers.judge(kind(), ty.handler, question()).await;
    assert_eq!(verdict, Verdict::Unavailable { retry_after_ms: RETRY_AFTER_MS });
    assert!(listener.accept().now_or_never().is_none(), "nobody has connected");
}

/// Counts how many ask at the same time.
#[derive(Debug, Default)]
struct Counting {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl PushHandler for Counting {
    fn judge<'a>(&'a self, _: &'a PushQuestion) -> BoxFuture<'a, Verdict> {
        let judge = async {
            let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(now, Ordering::Relaxed);
            tokio::task::yield_now().await;
            self.now.fetch_sub(1, Ordering::Relaxed);
            Verdict::Accept { set: BTreeMap::new() }
        };
        judge.boxed()
    }
}

#[tokio::test]
async fn so_many_ask_at_a_time_and_the_others_wait() {
    let counting = Arc::new(Counting::default());
    let own = [(kind(), Arc::clone(&counting) as Arc<dyn PushHandler>)].into();
    let config = Config { handlers: own, ..Config::default() };
    let handlers =
        Arc::new(Handlers::new(&config, Trust::load(None).expect("nothing is added"), Clock::start()));
    let asking = (0..3 * HANDLER_CALLS_MAX).map(|_| Arc::clone(&handlers).judge(kind(), None, question()));
    let verdicts = join_all(asking).await;
    assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Accept { .. })));
    assert_eq!(counting.most.load(Ordering::Relaxed), HANDLER_CALLS_MAX);
}
