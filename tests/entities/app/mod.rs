//! A model of an app that works offline. It knows the contract and nothing of the server.
//!
//! All of it is what an app has on its disk: a clone is a backup.

mod queue;
mod rows;
mod sync;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{SystemTime, UNIX_EPOCH},
};

pub(crate) use queue::{Frozen, OpName};
use queue::{Pending, Queue, Seen};
use rows::{Key, Rows, text};
use serde_json::{Map, Value, json};
pub(crate) use sync::Failure;

use super::server::Server;

#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) user: String,
    pub(crate) device: String,
    /// Ops in a push.
    pub(crate) batch: usize,
    /// Changes in a page.
    pub(crate) page: u64,
    /// How far back its ops claim to be made.
    pub(crate) minutes_ago: u64,
    pub(crate) rows: Rows,
    queue: Queue,
    scopes: BTreeMap<String, Followed>,
    /// The ids that the server gave in place of temporary ones.
    ids: BTreeMap<String, String>,
    ops: OpName,
    /// The results of ops.
    settled: BTreeMap<OpName, Value>,
    /// What the app must show to its user, since it had no effect and nobody else knows of it.
    pub(crate) dead: Vec<Dead>,
    /// The life of the log, and the end that it has had at least once it held all that this device has written.
    fence: (u64, u64),
    /// How often it has begun a scope again, by the reasons.
    pub(crate) resets: Vec<String>,
}

/// A scope that the app follows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Followed {
    pub(crate) params: Value,
    pub(crate) cursor: Option<String>,
    /// What has not come again since the scope began again.
    unseen: BTreeSet<Key>,
}

/// An op that had no effect.
#[derive(Clone, Debug)]
pub(crate) struct Dead {
    pub(crate) op: OpName,
    pub(crate) code: String,
}

impl App {
    /// Installs the app and binds its device; it follows these scopes.
    pub(crate) fn install(server: &Server, device: &str, scopes: &[&str]) -> Self {
        Self::install_by(server, device, &format!("{device}'s"), scopes)
    }

    /// Installs the app for a user, who may be named by a token.
    pub(crate) fn install_by(server: &Server, device: &str, user: &str, scopes: &[&str]) -> Self {
        let followed = Followed { params: json!({}), ..Followed::default() };
        let app = Self {
            user: user.into(),
            device: device.into(),
            batch: 10,
            page: 500,
            minutes_ago: 0,
            rows: Rows::default(),
            queue: Queue::default(),
            scopes: scopes.iter().map(|scope| ((*scope).to_owned(), followed.clone())).collect(),
            ids: BTreeMap::new(),
            ops: 0,
            settled: BTreeMap::new(),
            dead: Vec::new(),
            fence: (0, 0),
            resets: Vec::new(),
        };
        app.bind(server).expect("the server listens");
        app
    }

    pub(crate) fn scope(&mut self, name: &str) -> &mut Followed {
        self.scopes.get_mut(name).expect("the app follows it")
    }

    pub(crate) fn create(&mut self, kind: &str, id: &str, set: Value) -> OpName {
        self.make("create", kind, id, json!({ "set": set }))
    }

    pub(crate) fn update(&mut self, kind: &str, id: &str, set: Value) -> OpName {
        self.make("update", kind, id, json!({ "set": set }))
    }

    pub(crate) fn add(&mut self, kind: &str, id: &str, delta: Value) -> OpName {
        self.make("delta", kind, id, json!({ "delta": delta }))
    }

    pub(crate) fn delete(&mut self, kind: &str, id: &str) -> OpName {
        self.make("delete", kind, id, json!({}))
    }

    /// Makes an op and queues it.
    pub(crate) fn make(&mut self, verb: &'static str, kind: &str, id: &str, parts: Value) -> OpName {
        self.ops += 1;
        let key = self.key(kind, id);
        let before = self.queue.on(&key).next_back();
        let seen = match before {
            Some(before) => Seen::After(before.op, Box::new(before.seen.clone())),
            None => Seen::Told(self.rows.row(&key).map_or(Value::Null, |row| row.ctx.clone())),
        };
        let parts = parts.as_object().expect("parts are named").clone();
        let (op, hlc) = (self.ops, self.time());
        self.queue.pending.push(Pending { op, key, verb, parts, seen, hlc, frozen: None, waits: false });
        self.ops
    }

    /// Gives up an op that waits for its result.
    pub(crate) fn give_up(&mut self, op: OpName) {
        if self.queue.give_up(op).is_some() {
            self.dead.push(Dead { op, code: "given-up".into() });
        }
    }

    /// Returns an entity as its user sees it: as it was told, with what is pending on top.
    pub(crate) fn view(&self, kind: &str, id: &str) -> Option<Map<String, Value>> {
        let key = self.key(kind, id);
        let base = self.rows.row(&key).and_then(|row| row.data.clone());
        self.queue.on(&key).fold(base, |data, pending| pending.replay(data))
    }

    /// Returns what became of an op, in one word.
    pub(crate) fn status(&self, op: OpName) -> &str {
        self.settled.get(&op).map_or("pending", |result| text(result, "status"))
    }

    /// Returns the result of an op.
    pub(crate) fn result(&self, op: OpName) -> &Value {
        &self.settled[&op]
    }

    /// Returns how many ops have no result yet.
    pub(crate) fn pending(&self) -> usize {
        self.queue.pending.len()
    }

    /// Returns all that lives in its scopes, with versions, as one value.
    pub(crate) fn held(&self) -> Value {
        let scopes = self.scopes.keys().map(|scope| {
            let rows = self.rows.live(scope).into_iter();
            (scope.clone(), rows.map(|((kind, id), row)| json!([kind, id, row])).collect())
        });
        Value::Object(scopes.collect())
    }

    fn key(&self, kind: &str, id: &str) -> Key {
        (kind.to_owned(), self.ids.get(id).map_or(id, String::as_str).to_owned())
    }

    /// The time at which an op is made, as hybrid time: later than that of the op before it.
    fn time(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock behind 1970").as_millis();
        let made = (now as u64).saturating_sub(self.minutes_ago * 60_000);
        format!("{:016x}", made << 16 | self.ops & 0xffff)
    }
}
