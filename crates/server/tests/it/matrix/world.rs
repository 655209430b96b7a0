//! A server with two tenants who have written the same, each with their own mark.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use syncline_core::{
    access::Identity,
    entity::Secret,
    hook::{HookEvent, HookName},
    id::{TenantId, TenantName},
    rate::Allowance,
};
use syncline_protocol::hooks::{Debounce, Rules};
use syncline_server::{HookSettings, Server};
use syncline_store::Key;

use super::{OWN, Role, TENANTS};
use crate::{
    entities::{Caller, set},
    support::{
        bearers::{Bearers, of},
        disk::Disk,
        raw, start_with,
    },
};

/// The owner's tenant is the first that stores anything.
const OWN_ID: TenantId = TenantId(1);

pub(super) struct World {
    disk: Disk,
    pub(super) server: Server,
    /// The next number of the device `desk`, in both tenants.
    next: u64,
    /// What an administrator exports, for those who import.
    pub(super) exported: String,
    /// What the owner saw last.
    pub(super) seen: Vec<String>,
}

/// Returns the token of a role in a tenant.
pub(super) fn token(role: Role, tenant: &str) -> String {
    match role {
        Role::Nobody => String::new(),
        Role::Forger => "forged".into(),
        known => format!("{known:?}.{tenant}"),
    }
}

impl World {
    pub(super) async fn start() -> Self {
        let (disk, bearers) = (Disk::new(), Arc::new(Bearers::default()));
        let put = |token: &str, user: &str, tenant: &str, grants: &[&str]| {
            let tenant = TenantName::new(tenant).expect("a name");
            bearers.put(token, Identity { tenant, ..of(user, grants) });
        };
        for tenant in TENANTS {
            put(&format!("owner.{tenant}"), tenant, tenant, &["*=admin"]);
            for role in Role::ALL {
                if let Some(grants) = role.grants() {
                    put(&token(role, tenant), "ann", tenant, grants);
                }
            }
        }
        let unlimited = Allowance { messages: None, bytes: None };
        let server = start_with(&disk, |config| {
            config.authenticator = Some(bearers);
            config.hooks = vec![hook()];
            (config.quota.connection, config.quota.user, config.quota.tenant) =
                (unlimited, unlimited, unlimited);
        })
        .await;
        for tenant in TENANTS {
            fill(&Caller::bearing(&server, &format!("owner.{tenant}")), tenant).await;
        }
        let mut world = Self { disk, server, next: 3, exported: String::new(), seen: Vec::new() };
        world.exported = world.export().await;
        world.seen = world.seen_by_owner().await;
        world
    }

    /// Ends, so that every stream does, and begins anew.
    pub(super) async fn end_streams(&mut self) {
        let ended = std::mem::replace(self, Self::start().await);
        ended.server.shutdown().await;
    }

    /// Ends, and returns a world in which nothing has happened yet.
    pub(super) async fn anew(self) -> Self {
        self.server.shutdown().await;
        Self::start().await
    }

    pub(super) fn owner(&self, tenant: &str) -> Caller {
        Caller::bearing(&self.server, &format!("owner.{tenant}"))
    }

    /// Has the owners of both tenants write something, the owner of `last` behind the other.
    pub(super) async fn stir(&mut self, last: &str) {
        let insert = json!([{ "op": "splice", "path": "/text", "at": 0, "remove": 0, "insert": "more of " }]);
        let first = TENANTS.into_iter().filter(|tenant| *tenant != last);
        for tenant in first.chain([last]) {
            let id = format!("s{}", self.next);
            let create = set("note", &id, "create", json!({ "text": tenant, "area": 1 }));
            assert_eq!(self.owner(tenant).push("desk", self.next, &[create]).await, ["applied"]);
            self.owner(tenant).ok("PATCH /docs/v1/documents/plan", insert.clone()).await;
        }
        self.next += 1;
        self.seen = self.seen_by_owner().await;
    }

    /// Returns all that is stored of the owner's tenant.
    pub(super) fn stored(&self) -> BTreeMap<Key, Arc<[u8]>> {
        let memory = self.disk.memory();
        let live = memory.live().iter();
        let own = live.filter(|(key, _)| key.place().is_some_and(|place| place.tenant() == OWN_ID));
        own.map(|(key, value)| (key.clone(), Arc::clone(value))).collect()
    }

    async fn export(&self) -> String {
        let headers = format!("Authorization: Bearer owner.{OWN}\r\n");
        let (_, export) = raw::fetch(self.server.addr(), "/sync/v1/export", &headers).await;
        String::from_utf8(export).expect("text")
    }

    /// Returns all that the owner sees of what the rows are about. Devices of others and their results are not in it.
    pub(super) async fn seen_by_owner(&self) -> Vec<String> {
        let export = self.export().await;
        let mut seen: Vec<_> =
            export.lines().filter(|line| line.contains("\"id\"")).map(String::from).collect();
        let owner = self.owner(OWN);
        for path in [
            "/sync/v1/conflicts/cnf_1",
            "/sync/v1/types",
            "/sync/v1/scopes",
            "/auth/v1/revocations",
            "/docs/v1/documents/plan",
            "/docs/v1/documents/plan/history",
            "/docs/v1/documents/plan/versions",
        ] {
            let (status, answer) = owner.ask(&format!("GET {path}"), json!({})).await;
            seen.push(format!("{status} {answer}"));
        }
        // When a room was last open is no part of what is in it.
        for list in [("/docs/v1/documents", "documents", "name"), ("/sync/v1/devices", "devices", "id")] {
            let told = owner.ok(&format!("GET {}", list.0), json!({})).await;
            let items = told[list.1].as_array().expect("a list").iter();
            let known = items.filter(|item| item[list.2] != "phone");
            seen.extend(known.map(|item| format!("{} {}", item[list.2], item["revoked_at"])));
        }
        seen
    }
}

/// Returns a hook that is told of everything in an hour.
fn hook() -> HookSettings {
    let debounce = Debounce { quiet_ms: 3_600_000, longest_ms: 3_600_000 };
    HookSettings {
        name: HookName::new("search").expect("a name"),
        url: "http://app.example/".into(),
        secrets: vec![Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into())],
        documents: vec!["*".into()],
        events: [HookEvent::Changed].into(),
        tenants: None,
        rules: Rules { debounce, ..Rules::default() },
        timeout_ms: None,
        allow_private: false,
    }
}

async fn fill(owner: &Caller, mark: &str) {
    let template = format!("{mark}:{{area}}");
    for (kind, policy) in [("note", "lww"), ("price", "manual")] {
        let ty = json!({ "policy": policy, "buckets": [template] });
        owner.ok(&format!("PUT /sync/v1/types/{kind}"), ty).await;
    }
    let scope = json!({ "types": ["note"], "bucket": template });
    owner.ok("PUT /sync/v1/scopes/mine", scope).await;
    for device in ["desk", "till"] {
        owner.ok("POST /sync/v1/devices", json!({ "device_id": device, "name": mark })).await;
    }
    let note = set("note", "n1", "create", json!({ "text": mark, "area": 1 }));
    let price = |op: &str, more: &str| set("price", "p", op, json!({ "price": format!("{mark}{more}") }));
    assert_eq!(owner.push("desk", 1, &[note, price("create", "")]).await, ["applied"; 2]);
    assert_eq!(owner.push("till", 1, &[price("update", "2")]).await, ["conflict"]);
    for revoked in [json!({ "user": "gone" }), json!({ "token_id": mark })] {
        owner.ok("POST /auth/v1/revocations", revoked).await;
    }
    for document in ["plan", mark] {
        let text: Value = json!({ "json": { "text": mark } });
        owner.ok(&format!("PUT /docs/v1/documents/{document}"), text).await;
    }
    owner.ok("POST /docs/v1/documents/plan/branches", json!({ "name": "draft" })).await;
    let of_draft = json!([{ "op": "splice", "path": "/text", "at": 0, "remove": 0, "insert": format!("draft of {mark} ") }]);
    owner.ok("PATCH /docs/v1/documents/draft", of_draft).await;
    owner.ok("POST /docs/v1/documents/plan/versions", json!({ "name": mark })).await;
    let insert = json!([{ "op": "splice", "path": "/text", "at": 0, "remove": 0, "insert": "more of " }]);
    owner.ok("PATCH /docs/v1/documents/plan", insert).await;
}
