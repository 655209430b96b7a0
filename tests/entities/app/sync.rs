//! How an app syncs.

use std::{collections::BTreeMap, io, mem};

use serde_json::{Value, json};

use super::{
    App, Dead, Followed, OpName,
    queue::{Frozen, Pending, Seen},
    rows::{ctx_of, key_of, number, text},
};
use crate::sync_v1::{http, server::Server};

/// Why an app could not sync.
#[derive(Debug)]
pub(crate) enum Failure {
    /// There was no answer. What was sent may have arrived.
    Lost(#[expect(dead_code, reason = "whoever expects an answer is shown why there is none")] io::Error),
    /// The server refuses the request.
    Refused(Value),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Lost(error)
    }
}

type Synced<T = ()> = Result<T, Failure>;

impl App {
    pub(crate) fn bind(&self, server: &Server) -> Synced {
        self.ask(server, "POST /sync/v1/devices", &json!({ "device_id": self.device }).to_string())?;
        Ok(())
    }

    /// Sends what waits, takes in what is new, and says what it has stored.
    pub(crate) fn sync(&mut self, server: &Server) -> Synced {
        self.push(server)?;
        self.pull(server)?;
        self.acknowledge(server)
    }

    /// Sends all that waits, in batches.
    pub(crate) fn push(&mut self, server: &Server) -> Synced {
        self.queue.pending.iter_mut().for_each(|pending| pending.waits = false);
        loop {
            let batch = self.freeze();
            if batch.is_empty() {
                return Ok(());
            }
            match self.send(server, &batch) {
                Ok(answer) => self.pushed(&answer),
                Err(Failure::Refused(problem)) if problem["code"] == "sequence-gap" => {
                    self.ops += 1;
                    self.queue.fill(number(&problem, "expected_n"), self.ops);
                }
                Err(Failure::Refused(problem)) if problem["retry"] == "rotate" => self.rotate(server)?,
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Gives numbers to what is sent next, and returns it.
    pub(crate) fn freeze(&mut self) -> Vec<Frozen> {
        let Self { queue, settled, .. } = self;
        queue.batch(self.batch, |pending, n, numbers| {
            let mut op = json!({
                "n": n.to_string(), "op": pending.verb, "type": pending.key.0, "id": pending.key.1, "hlc": pending.hlc,
            });
            let ctx = match &pending.seen {
                Seen::After(before, _) if numbers.contains_key(before) => {
                    json!({ "after": numbers[before].to_string() })
                }
                seen => told(seen, settled),
            };
            let members = op.as_object_mut().expect("it was made as one");
            members.extend((!ctx.is_null()).then_some(("ctx".into(), ctx)));
            members.extend(pending.parts.clone());
            op
        })
    }

    /// Sends ops as they were frozen, byte for byte.
    pub(crate) fn send(&self, server: &Server, batch: &[Frozen]) -> Synced<Value> {
        let ops: Vec<&str> = batch.iter().map(|(_, bytes)| bytes.as_str()).collect();
        let body = format!(r#"{{"device_id":"{}","ops":[{}]}}"#, self.device, ops.join(","));
        self.ask(server, "POST /sync/v1/push", &body)
    }

    /// Takes in the answer to a push.
    pub(crate) fn pushed(&mut self, answer: &Value) {
        for (temporary, id) in answer["id_map"].as_object().expect("a map") {
            self.name(temporary, id.as_str().expect("an id"));
        }
        self.fence = (number(answer, "epoch"), number(answer, "fence"));
        for result in answer["results"].as_array().expect("a list") {
            self.settle(result, Some(number(answer, "epoch")));
        }
    }

    /// Pulls until all scopes are up to date.
    pub(crate) fn pull(&mut self, server: &Server) -> Synced {
        while !self.pull_page(server, 0)? {}
        Ok(())
    }

    /// Pulls once, and returns whether all is up to date by now.
    pub(crate) fn pull_page(&mut self, server: &Server, wait_ms: u64) -> Synced<bool> {
        let scopes: Vec<Value> =
            self.scopes.iter().map(|(name, followed)| followed.wanted(name, self.page)).collect();
        let body = json!({ "device_id": self.device, "wait_ms": wait_ms, "scopes": scopes });
        let answer = match self.ask(server, "POST /sync/v1/pull", &body.to_string()) {
            Err(Failure::Refused(problem)) if problem["retry"] == "resync" => {
                self.scopes.values_mut().for_each(|followed| followed.cursor = None);
                self.resets.push(text(&problem, "code").into());
                return Ok(false);
            }
            answer => answer?,
        };
        if number(&answer, "last_n") > self.queue.last_n {
            self.rotate(server)?;
        }
        for result in answer["results"].as_array().expect("a list") {
            self.settle(result, None);
        }
        let pages = answer["scopes"].as_array().expect("a list");
        pages.iter().for_each(|page| self.take(page));
        let is_up_to_date = pages.iter().all(|page| page["up_to_date"] == true);
        let is_whole = (number(&answer, "epoch"), number(&answer, "as_of")) >= self.fence;
        assert!(is_whole, "{} does not hold what {} has written", answer, self.device);
        Ok(is_up_to_date)
    }

    /// Says what is stored here.
    pub(crate) fn acknowledge(&self, server: &Server) -> Synced {
        let cursors: Vec<Value> = self
            .scopes
            .iter()
            .map(|(scope, followed)| json!({ "scope": scope, "cursor": followed.cursor }))
            .collect();
        let open = self.queue.pending.iter().filter_map(|pending| pending.frozen.as_ref());
        let through = open.map(|(n, _)| n - 1).min().unwrap_or(self.queue.last_n);
        let backlog = json!({ "pending": self.pending(), "dead": self.dead.len() });
        let body = json!({
            "device_id": self.device, "cursors": cursors, "results_through": through.to_string(), "backlog": backlog,
        });
        self.ask(server, "POST /sync/v1/ack", &body.to_string())?;
        Ok(())
    }

    /// Takes in a page of a scope.
    pub(crate) fn take(&mut self, page: &Value) {
        let name = text(page, "scope");
        let followed = self.scopes.get_mut(name).expect("it was asked for");
        if let Some(reason) = page["reset"]["reason"].as_str() {
            self.resets.push(reason.into());
        }
        if followed.cursor.is_none() || !page["reset"].is_null() {
            followed.unseen = self.rows.keys(name);
        }
        for change in page["changes"].as_array().expect("a list") {
            let is_marked = followed.unseen.remove(&key_of(change));
            self.rows.change(name, change, is_marked);
        }
        followed.cursor = Some(text(page, "cursor").into());
        if page["up_to_date"] != true {
            return;
        }
        for key in mem::take(&mut followed.unseen) {
            if self.queue.on(&key).next().is_none() {
                self.rows.leave(name, &key);
            } else {
                followed.unseen.insert(key);
            }
        }
        let is_whole = followed.unseen.is_empty() && page["checksum"].is_object();
        assert!(
            !is_whole || page["checksum"] == self.rows.checksum(name),
            "{page} is not what {} holds",
            self.device
        );
    }

    /// Goes on under another device id: this device was restored from a backup, and its numbers are another's by now.
    fn rotate(&mut self, server: &Server) -> Synced {
        let nothing = json!({ "device_id": self.device, "scopes": [] }).to_string();
        let last_n = number(&self.ask(server, "POST /sync/v1/pull", &nothing)?, "last_n");
        // Of what is above, nothing has arrived; it would come after ops that are not this device's.
        let frozen = self.queue.pending.iter().filter_map(|pending| pending.frozen.clone());
        let frozen: Vec<Frozen> = frozen.filter(|(n, _)| *n <= last_n).collect();
        for (n, bytes) in frozen {
            match self.send(server, &[(n, bytes)]) {
                Ok(answer) => self.pushed(&answer),
                Err(Failure::Refused(problem)) if problem["reason"] == "forgotten" => {
                    let gone = self.queue.pending.iter().position(|it| {
                        it.is_only_itself() && it.frozen.as_ref().is_some_and(|frozen| frozen.0 == n)
                    });
                    if let Some(pending) = gone.map(|at| self.queue.pending.remove(at)) {
                        self.dead.push(Dead { op: pending.op, code: "forgotten".into() });
                    }
                }
                // It never took effect: it is sent again under the new id.
                Err(Failure::Refused(problem)) if text(&problem, "code").starts_with("sequence-") => {}
                Err(failure) => return Err(failure),
            }
        }
        self.queue.last_n = 0;
        self.queue.pending.retain(|pending| pending.verb != "noop");
        self.queue.pending.iter_mut().for_each(|pending| pending.frozen = None);
        self.device += "-again";
        self.bind(server)
    }

    /// Takes in the result of an op. Only one that comes with its push, for the first time, says what the record is now.
    fn settle(&mut self, result: &Value, epoch: Option<u64>) {
        let n = number(result, "n");
        if result["status"] == "deferred" {
            self.queue.put_off(n);
            return;
        }
        let Some(pending) = self.queue.settle(n) else { return };
        let (result, epoch) = match &result["of"] {
            Value::Object(_) => (&result["of"], None),
            _ => (result, epoch),
        };
        if result["status"] == "rejected" {
            let code = text(&result["problem"], "code").into();
            self.dead.push(Dead { op: pending.op, code });
        }
        if let Some(epoch) = epoch.filter(|_| result["ver"].is_string()) {
            self.learn(epoch, result, &pending);
        }
        self.settled.insert(pending.op, result.clone());
    }

    /// Takes in the record that an op has left behind, if its result says all of it.
    fn learn(&mut self, epoch: u64, result: &Value, pending: &Pending) {
        let base = self.rows.row(&key_of(result));
        let is_next = base.is_some_and(|row| number(&row.ctx, "ver") + 1 == number(result, "ver"));
        let is_whole = is_next || ["create", "restore", "delete"].contains(&pending.verb);
        match result["data"].as_object() {
            Some(data) => self.rows.result(epoch, result, Some(data.clone())),
            None if result["status"] == "applied" && is_whole => {
                let base = base.and_then(|row| row.data.clone());
                self.rows.result(epoch, result, pending.replay(base));
            }
            None => {}
        }
    }

    /// Calls an entity by the id that the server has given it, wherever no bytes are frozen.
    fn name(&mut self, temporary: &str, id: &str) {
        self.ids.insert(temporary.into(), id.into());
        for pending in &mut self.queue.pending {
            if pending.key.1 == temporary {
                id.clone_into(&mut pending.key.1);
            }
            pending.parts.values_mut().for_each(|part| rename(part, temporary, id));
        }
    }

    fn ask(&self, server: &Server, request: &str, body: &str) -> Synced<Value> {
        let (status, answer) = http::ask(server.addr, &self.user, request, body)?;
        if answer["retry"] == "rebind" {
            self.bind(server)?;
            return self.ask(server, request, body);
        }
        if status < 300 { Ok(answer) } else { Err(Failure::Refused(answer)) }
    }
}

impl Followed {
    fn wanted(&self, name: &str, limit: u64) -> Value {
        json!({ "scope": name, "params": self.params, "cursor": self.cursor, "limit": limit })
    }
}

/// Returns what was told of a record before an op on it was made, or after the op before that.
fn told(seen: &Seen, settled: &BTreeMap<OpName, Value>) -> Value {
    match seen {
        Seen::Told(ctx) => ctx.clone(),
        Seen::After(before, seen) => match settled.get(before) {
            Some(result) if result["status"] != "rejected" && result["vv"].is_object() => ctx_of(result),
            Some(_) | None => told(seen, settled),
        },
    }
}

fn rename(part: &mut Value, temporary: &str, id: &str) {
    match part {
        Value::String(text) if text == temporary => id.clone_into(text),
        Value::Object(members) => members.values_mut().for_each(|it| rename(it, temporary, id)),
        Value::Array(items) => items.iter_mut().for_each(|it| rename(it, temporary, id)),
        _ => {}
    }
}
