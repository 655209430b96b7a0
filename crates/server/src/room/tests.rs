//! What a room does with what waited for it.

use std::sync::mpsc::channel;

use syncline_core::{
    access::{Grants, Identity},
    doc::YjsDocument,
    entity::UserName,
    id::RoomName,
    time::WallMs,
};
use syncline_protocol::{Outbox, Slot};
use syncline_store::{committer::Committer, mem::MemoryStore};

use super::*;
use crate::{
    access::Gate,
    clock::Clock,
    inbound::InboundBudget,
    memory::MemoryBudget,
    metrics::Metrics,
    outbox::Ready,
    quota::{Quota, Usage},
    registry::Registry,
    tenants::TenantSettings,
};

/// Goal: an update that waits in the inbox of a room is not applied once its sender may not write any more. Method: the store
/// answers nobody until two updates wait; meanwhile the token of one sender ends.
#[tokio::test]
async fn what_waits_longer_than_its_lease_is_not_done() {
    let committer = Committer::start(Box::new(MemoryStore::new()), ()).unwrap();
    let (release, held) = channel::<()>();
    committer.handle().maintain(move |_| _ = held.recv()).unwrap();
    let memory = MemoryBudget::new(usize::MAX);
    let (clock, metrics) = (Clock::start(), Arc::new(Metrics::new()));
    let (tenants, usage) = (TenantSettings::of_tests(clock), Usage::new(&Quota::default()));
    let epoch = Epoch::new(clock, &committer.handle(), &memory, &metrics, &tenants, &usage);
    let key = RoomKey { tenant: epoch.tenants.default_one(), name: RoomName::new("room").unwrap() };
    let budget = InboundBudget::new(usize::MAX);
    let until = |expires_at| {
        let ann = Identity::of(UserName::new("ann").unwrap(), Grants::everything());
        Arc::new(Identity { expires_at, ..ann })
    };
    let mut leases = Vec::new();
    for letter in *b"ab" {
        let connection = ConnectionId(letter.into());
        let outbox = Arc::new(SharedOutbox::new(Outbox::default(), Slot(0), &Arc::new(Ready::default())));
        let join = Join { connection, guest: Guest::default(), outbox, handshake: None };
        let inbox = Registry::join(&epoch, &key, join).await.unwrap();
        let update = Bytes::from(vec![1, 1, letter, 0, 4, 1, 1, b't', 1, letter, 0]);
        let lease = Arc::new(Gate::new(Clock::start(), None, None).lease(until(None)));
        leases.push(Arc::clone(&lease));
        let (request, charge) = (Request::Update { update, answer: false }, Charge::new(&budget));
        inbox.send(ToRoom::Request { connection, request, lease: Some(lease), charge }).await.unwrap();
    }
    leases[0].renew(until(Some(WallMs(1))));
    drop(release);
    let (done, content) = oneshot::channel();
    Registry::tell(&epoch, &key, ToRoom::Read { have: None, done }).await.unwrap();
    let mut document = YjsDocument::default();
    document.apply(&content.await.unwrap().update).unwrap();
    assert_eq!(document.text("t").unwrap().unwrap_or_default(), "b");
    epoch.end().await;
}
