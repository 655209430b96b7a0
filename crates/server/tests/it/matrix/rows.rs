//! The rules for requests: one row each.

use serde_json::{Value, json};

use super::{INTRUDER, Role};
use Role::{Admin, Nobody, Reader, Stranger, Writer};

/// Who may do what with one request. Whoever has the role may, and those with greater ones.
pub(super) struct Row {
    /// Method and path. What is in angle brackets is the name of something of the owner's.
    pub(super) request: &'static str,
    pub(super) body: Value,
    /// Who is answered.
    pub(super) answers: Role,
    /// What they are answered with.
    pub(super) status: u16,
    /// Who is shown what the owner wrote.
    pub(super) shows: Option<Role>,
    /// Who may be shown it, though they are not always.
    pub(super) may_show: Option<Role>,
    /// Who changes what the owner sees.
    pub(super) changes: Option<Role>,
    /// Whether the answer has no end.
    pub(super) streams: bool,
}

impl Row {
    fn new(request: &'static str, answers: Role, status: u16) -> Self {
        let (body, shows, may_show, changes) = (Value::Null, None, None, None);
        Self { request, body, answers, status, shows, may_show, changes, streams: false }
    }

    const fn shows(mut self, role: Role) -> Self {
        self.shows = Some(role);
        self
    }

    const fn may_show(mut self, role: Role) -> Self {
        self.may_show = Some(role);
        self
    }

    const fn changes(mut self, role: Role) -> Self {
        self.changes = Some(role);
        self
    }

    const fn streams(mut self) -> Self {
        self.streams = true;
        self
    }

    fn with(mut self, body: Value) -> Self {
        self.body = body;
        self
    }

    /// Returns method and path of the route that the row is of, as far as it can be told: `{}` where a name is.
    pub(super) fn route(&self) -> String {
        let path = self.request.split('?').next().unwrap_or_default();
        let parts = path.split('/').map(|part| if part.starts_with('<') { "{}" } else { part });
        parts.collect::<Vec<_>>().join("/")
    }
}

/// Returns the rules. What is in none of them nobody may.
pub(super) fn rows() -> Vec<Row> {
    [pages(), auth(), documents(), y_sweet(), sync_reads(), sync_writes(), conflicts()]
        .into_iter()
        .flatten()
        .collect()
}

fn pages() -> Vec<Row> {
    vec![
        Row::new("GET /favicon.ico", Nobody, 204),
        Row::new("GET /healthz", Nobody, 200),
        Row::new("GET /readyz", Nobody, 200),
        Row::new("GET /sync/v1/openapi.json", Nobody, 200),
        Row::new("GET /auth/v1/openapi.json", Nobody, 200),
        Row::new("GET /docs/v1/openapi.json", Nobody, 200),
        // They name tenants, and nothing that a tenant has written.
        Row::new("GET /metrics", Nobody, 200).shows(Nobody),
        Row::new("GET /rooms", Reader, 200).shows(Reader),
        Row::new("GET /rooms/events", Reader, 200).shows(Reader).streams(),
    ]
}

fn auth() -> Vec<Row> {
    vec![
        Row::new("POST /auth/v1/tickets", Stranger, 201),
        Row::new("GET /auth/v1/revocations", Admin, 200).shows(Admin),
        Row::new("POST /auth/v1/revocations", Admin, 201).with(json!({ "user": INTRUDER })).changes(Admin),
        Row::new("DELETE /auth/v1/revocations/<user:gone>", Admin, 204).changes(Admin),
        Row::new("POST /auth/v1/forget", Admin, 200).with(json!({})),
    ]
}

fn documents() -> Vec<Row> {
    let insert = json!([{ "op": "splice", "path": "/text", "at": 0, "remove": 0, "insert": INTRUDER }]);
    vec![
        Row::new("GET /docs/v1/documents", Stranger, 200).shows(Reader),
        Row::new("GET /docs/v1/documents/<plan>", Reader, 200).shows(Reader),
        Row::new("GET /docs/v1/documents/<plan>/history", Reader, 200).shows(Reader),
        Row::new("GET /docs/v1/documents/<plan>/events?after=0", Reader, 200).shows(Reader).streams(),
        Row::new("GET /docs/v1/export", Stranger, 200).shows(Reader),
        // Each line is answered on its own.
        Row::new("POST /docs/v1/import", Stranger, 200).with(json!("DOCUMENTS")).changes(Writer),
        Row::new("GET /docs/v1/events", Stranger, 200).shows(Reader).streams(),
        Row::new("GET /docs/v1/documents/<plan>/authors", Reader, 200).shows(Reader),
        Row::new("GET /docs/v1/documents/<plan>/diff?from=0", Reader, 200).shows(Reader),
        // It tells names, and nothing that stands in a document.
        Row::new("GET /docs/v1/documents/<plan>/branches", Reader, 200),
        Row::new("POST /docs/v1/documents/<plan>/branches", Writer, 201)
            .with(json!({ "name": "<new>" }))
            .changes(Writer),
        Row::new("POST /docs/v1/documents/<plan>/merge", Writer, 200)
            .with(json!({ "from": "<draft>" }))
            .changes(Writer),
        Row::new("POST /docs/v1/documents/<plan>/merge?dry_run=true", Writer, 200)
            .with(json!({ "from": "<draft>" }))
            .shows(Writer),
        Row::new("GET /docs/v1/documents/<plan>/versions", Reader, 200).shows(Reader),
        Row::new("GET /docs/v1/documents/<plan>/versions/<1>", Reader, 200).shows(Reader),
        Row::new("PUT /docs/v1/documents/<new>", Writer, 201)
            .with(json!({ "json": { "text": INTRUDER } }))
            .changes(Writer),
        Row::new("PATCH /docs/v1/documents/<plan>", Writer, 200).with(insert).changes(Writer),
        Row::new("POST /docs/v1/documents/<plan>/copy", Writer, 201)
            .with(json!({ "to": "copied" }))
            .changes(Writer),
        Row::new("POST /docs/v1/documents/<plan>/restore", Writer, 200)
            .with(json!({ "version": 1 }))
            .changes(Writer),
        Row::new("POST /docs/v1/documents/<plan>/versions", Writer, 201)
            .with(json!({ "name": INTRUDER }))
            .changes(Writer),
        Row::new("DELETE /docs/v1/documents/<plan>/versions/<1>", Admin, 204).changes(Admin),
        Row::new("DELETE /docs/v1/documents/<plan>", Admin, 204).changes(Admin),
        // Nothing could not be told.
        Row::new("GET /docs/v1/hooks", Stranger, 200),
        Row::new("GET /docs/v1/hooks/<search>/dead", Admin, 200),
        Row::new("DELETE /docs/v1/hooks/<search>/dead", Admin, 200),
        Row::new("POST /docs/v1/hooks/<search>/retry", Admin, 200),
    ]
}

fn y_sweet() -> Vec<Row> {
    let own = |name: &str| json!({ "docId": name });
    vec![
        Row::new("POST /check_store", Stranger, 200).with(json!({})),
        // It creates nothing: it says that the document may be written.
        Row::new("POST /doc/new", Writer, 200).with(own("<new>")),
        Row::new("POST /doc/new", Writer, 200).with(own("<plan>")),
        Row::new("POST /doc/<plan>/auth", Reader, 200).with(json!({})),
        Row::new("GET /doc/<plan>/as-update", Reader, 200).shows(Reader),
        Row::new("GET /d/<plan>/as-update", Reader, 200).shows(Reader),
        Row::new("POST /doc/<plan>/update", Writer, 200).with(json!("UPDATE")).changes(Writer),
        Row::new("POST /d/<plan>/update", Writer, 200).with(json!("UPDATE")).changes(Writer),
    ]
}

fn sync_reads() -> Vec<Row> {
    let pull = json!({ "device_id": "phone", "scopes": [{ "scope": "<note>" }] });
    vec![
        Row::new("POST /sync/v1/pull", Reader, 200).with(pull).shows(Reader),
        Row::new("GET /sync/v1/status?device_id=phone&type=note&id=<n1>", Reader, 200),
        Row::new("GET /sync/v1/live?device_id=phone&scope=<note>&cursor=CURSOR", Reader, 200)
            .shows(Reader)
            .streams(),
        Row::new("GET /sync/v1/ws?device_id=phone&scope=<note>&cursor=CURSOR", Reader, 101)
            .shows(Reader)
            .streams(),
        Row::new("GET /sync/v1/devices", Stranger, 200).shows(Admin),
        Row::new("GET /sync/v1/types", Stranger, 200).shows(Reader),
        Row::new("GET /sync/v1/types/<note>", Reader, 200).shows(Reader),
        Row::new("GET /sync/v1/scopes", Stranger, 200).shows(Reader),
        Row::new("GET /sync/v1/conflicts", Stranger, 200).shows(Reader),
        Row::new("GET /sync/v1/conflicts/<cnf_1>", Reader, 200).shows(Reader),
        Row::new("GET /sync/v1/events", Admin, 200).shows(Admin).streams(),
        Row::new("GET /sync/v1/export", Admin, 200).shows(Admin),
    ]
}

fn sync_writes() -> Vec<Row> {
    let op = json!({ "n": "1", "type": "note", "id": "n1", "op": "update", "set": { "text": INTRUDER },
        "ctx": { "ver": "1" } });
    let (push, bind) = (json!({ "device_id": "phone", "ops": [op] }), json!({ "device_id": "phone" }));
    let ack = json!({ "device_id": "phone", "cursors": [] });
    let short = json!({ "device_id": "phone", "mutations": [{ "client_mutation_id": "m", "type": "note",
        "entity_id": "n1", "operation": "update", "payload": { "text": INTRUDER }, "version": 1 }] });
    let ty = json!({ "policy": "lww", "buckets": ["intruder:{area}"] });
    let scope = json!({ "types": ["price"], "bucket": "intruder:{area}" });
    vec![
        // What may not be done is refused op by op.
        Row::new("POST /sync/v1/push", Stranger, 200).with(push.clone()).may_show(Reader).changes(Writer),
        Row::new("POST /sync/v1/reconcile", Stranger, 200).with(push).may_show(Reader).changes(Writer),
        Row::new("POST /sync/v1/reconcile", Stranger, 200).with(short).may_show(Reader).changes(Writer),
        Row::new("POST /sync/v1/ack", Stranger, 200).with(ack),
        Row::new("POST /sync/v1/devices", Stranger, 200).with(bind),
        // Whoever may is told that it is to be signed.
        Row::new("PUT /sync/v1/devices/<phone>/key", Stranger, 400).with(json!({})),
        Row::new("DELETE /sync/v1/devices/<desk>", Admin, 200).changes(Admin),
        Row::new("POST /sync/v1/import", Admin, 200).with(json!("EXPORT")),
        Row::new("PUT /sync/v1/types/<note>", Admin, 200).with(ty).changes(Admin),
        Row::new("PUT /sync/v1/scopes/<mine>", Admin, 200).with(scope).changes(Admin),
        Row::new("POST /sync/v1/erase", Admin, 200)
            .with(json!({ "type": "note", "id": "<n1>" }))
            .changes(Admin),
        Row::new("POST /sync/v1/erase", Admin, 200).with(json!({ "user": "<foxdecoy>" })),
        Row::new("POST /sync/v1/erase", Admin, 200).with(json!({ "user": "<owlcanary>" })).changes(Admin),
    ]
}

fn conflicts() -> Vec<Row> {
    let resolve = json!({ "conflict_id": "<cnf_1>", "resolution_id": "r", "choice": "client",
        "expect": { "conflict_rev": 1, "entity_ver": "1" } });
    vec![
        Row::new("POST /sync/v1/resolve-conflict", Writer, 200).with(resolve).shows(Writer).changes(Writer),
        Row::new("POST /sync/v1/conflicts/<cnf_1>/assign", Writer, 200)
            .with(json!({ "assignee": INTRUDER }))
            .shows(Writer)
            .changes(Writer),
        // No type here has a second level.
        Row::new("POST /sync/v1/conflicts/<cnf_1>/escalate", Writer, 422),
        Row::new("POST /sync/v1/conflicts/<cnf_1>/comment", Writer, 200)
            .with(json!({ "text": INTRUDER }))
            .shows(Writer)
            .changes(Writer),
        // Nobody is configured who could be asked.
        Row::new("POST /sync/v1/conflicts/<cnf_1>/suggest", Writer, 409),
    ]
}
