//! When rooms tell hooks.

use bytes::Bytes;
use syncline_core::{
    entity::Secret,
    id::RoomName,
    log::{Credit, Engine},
};
use syncline_protocol::{Absorbed, hooks::Rules};
use syncline_store::{committer::Committer, mem::MemoryStore};
use tokio::sync::oneshot;

use super::*;
use crate::{
    clock::Clock,
    memory::MemoryBudget,
    metrics::Metrics,
    outgoing::Trust,
    quota::{Quota, Usage},
    registry::Registry,
    room::ToRoom,
    tenants::TenantSettings,
};

/// Settings of a hook that is told of everything, and that nobody is asked for.
pub(super) fn settings() -> HookSettings {
    HookSettings {
        name: "search".parse().expect("a name"),
        url: "https://app.example/".into(),
        secrets: vec![Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into())],
        documents: vec!["*".into()],
        events: HookEvent::ALL.into(),
        tenants: None,
        rules: Rules::default(),
        timeout_ms: None,
        allow_private: false,
    }
}

/// Goal: a room tells of a commit when that is durable, and not when it is made. Method: the store's thread is held while the commit waits
/// for it; the test has the end of the inbox that the task of the hook would have.
#[tokio::test]
async fn a_room_tells_of_what_is_durable() {
    let committer = Committer::start(Box::new(MemoryStore::new()), ()).expect("a thread");
    let memory = MemoryBudget::new(usize::MAX);
    let (clock, metrics) = (Clock::start(), Arc::new(Metrics::new()));
    let mut tenants = TenantSettings::of_tests(clock);
    let trust = Trust::load(None).expect("nothing is added");
    tenants.hooks = HookSet::new(&[settings()], &trust).expect("it makes sense");
    let usage = Usage::new(&Quota::default());
    let epoch = Epoch::new(clock, &committer.handle(), &memory, &metrics, &tenants, &usage);
    let mut told = epoch.hooks.lines[0].ends.lock().expect("nobody panics").take().expect("it has not begun");
    let key = RoomKey { tenant: epoch.tenants.default_one(), name: RoomName::new("room").expect("a name") };
    let described = async || {
        let (done, described) = oneshot::channel();
        Registry::tell(&epoch, &key, ToRoom::Describe { done }).await.expect("it is open");
        described.await.expect("it lives");
    };
    described().await;
    let (release, held) = std::sync::mpsc::channel::<()>();
    committer.handle().maintain(move |_| _ = held.recv()).expect("it has begun");
    let update = Bytes::from(vec![1, 1, 7, 0, 4, 1, 1, b't', 1, b'a', 0]);
    let (done, absorbed) = oneshot::channel();
    let absorb =
        ToRoom::Absorb { engine: Engine::Yjs, credit: Credit::default(), update, made_for: None, done };
    Registry::tell(&epoch, &key, absorb).await.expect("it is open");
    // Behind the first the room has begun to commit at the latest.
    described().await;
    described().await;
    assert!(told.try_recv().is_err(), "it is not durable");
    drop(release);
    assert_eq!(absorbed.await, Ok(Absorbed::New));
    for want in [HookEvent::Created, HookEvent::Changed] {
        let note = told.recv().await;
        assert!(matches!(&note, Some(ToHook::Note(mark)) if mark.id.event == want), "{note:?}");
    }
    epoch.end().await;
}
