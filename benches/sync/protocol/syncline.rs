//! `/sync/v1`.

use std::io;

use serde::Deserialize;

use super::{Change, Page, Protocol, Seen, fields, name};
use crate::http::{Request, odd};

pub(super) struct SyncV1;

#[derive(Deserialize)]
struct Pushed {
    results: Vec<OpResult>,
}

#[derive(Deserialize)]
struct OpResult {
    status: String,
    ver: Option<String>,
}

#[derive(Deserialize)]
struct Pulled {
    scopes: Vec<Scope>,
}

#[derive(Deserialize)]
struct Scope {
    changes: Vec<serde::de::IgnoredAny>,
    cursor: String,
}

impl Protocol for SyncV1 {
    fn join(&self, device: &str) -> Option<Request> {
        let body = format!(r#"{{"device_id":"{device}"}}"#);
        Some(Request { line: "POST /sync/v1/devices".into(), body })
    }

    fn push(&self, device: &str, n: u64, changes: &[Change]) -> Request {
        let ops = (n..).zip(changes).map(|(n, change)| {
            let (id, set) = (name(change.id), fields(change.id));
            match &change.seen {
                None => format!(r#"{{"n":"{n}","type":"order","id":"{id}","op":"create","set":{{{set}}}}}"#),
                Some(ver) => format!(
                    r#"{{"n":"{n}","type":"order","id":"{id}","op":"update","ctx":{{"ver":"{ver}"}},"set":{{"quantity":{n}}}}}"#
                ),
            }
        });
        let ops = ops.collect::<Vec<_>>().join(",");
        let body = format!(r#"{{"device_id":"{device}","ops":[{ops}]}}"#);
        Request { line: "POST /sync/v1/push".into(), body }
    }

    fn pushed(&self, answer: &[u8]) -> io::Result<Vec<Seen>> {
        let Pushed { results } = serde_json::from_slice(answer)?;
        let seen = results.into_iter().map(|result| match result {
            OpResult { status, ver: Some(ver) } if status == "applied" => Ok(ver),
            OpResult { status, .. } => Err(odd(&format!("an op is {status}"))),
        });
        seen.collect()
    }

    fn pull(&self, device: &str, cursor: Option<&str>, count_max: usize) -> Request {
        let cursor = cursor.map_or("null".into(), |cursor| format!(r#""{cursor}""#));
        let scope = format!(r#"{{"scope":"order","cursor":{cursor},"limit":{count_max}}}"#);
        let body = format!(r#"{{"device_id":"{device}","scopes":[{scope}]}}"#);
        Request { line: "POST /sync/v1/pull".into(), body }
    }

    fn pulled(&self, answer: &[u8]) -> io::Result<Page> {
        let Pulled { scopes } = serde_json::from_slice(answer)?;
        let scope = scopes.into_iter().next().ok_or_else(|| odd("a pull has no scope"))?;
        Ok(Page { records: scope.changes.len(), cursor: scope.cursor })
    }
}
