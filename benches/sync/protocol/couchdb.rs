//! CouchDB's protocol: one database for all devices.

use std::io;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Change, Page, Protocol, Seen, fields, name};
use crate::http::{Request, odd};

pub(super) struct CouchDb;

#[derive(Deserialize)]
struct Written {
    rev: Option<String>,
}

#[derive(Deserialize)]
struct Changes {
    results: Vec<IgnoredAny>,
    last_seq: u64,
}

impl Protocol for CouchDb {
    /// Nobody joins; the first makes the database.
    fn join(&self, device: &str) -> Option<Request> {
        (device == crate::FIRST_DEVICE).then(|| Request { line: "PUT /orders".into(), body: String::new() })
    }

    fn push(&self, _: &str, n: u64, changes: &[Change]) -> Request {
        let docs = changes.iter().map(|change| {
            let (id, fields) = (name(change.id), fields(change.id));
            match &change.seen {
                None => format!(r#"{{"_id":"{id}",{fields}}}"#),
                Some(rev) => format!(r#"{{"_id":"{id}","_rev":"{rev}",{fields},"changed":{n}}}"#),
            }
        });
        let docs = docs.collect::<Vec<_>>().join(",");
        Request { line: "POST /orders/_bulk_docs".into(), body: format!(r#"{{"docs":[{docs}]}}"#) }
    }

    fn pushed(&self, answer: &[u8]) -> io::Result<Vec<Seen>> {
        let written: Vec<Written> = serde_json::from_slice(answer)?;
        let seen = written.into_iter().map(|doc| doc.rev.ok_or_else(|| odd("a document was refused")));
        seen.collect()
    }

    fn pull(&self, _: &str, cursor: Option<&str>, count_max: usize) -> Request {
        let since = cursor.unwrap_or("0");
        let path = format!("/orders/_changes?include_docs=true&since={since}&limit={count_max}");
        Request { line: format!("GET {path}"), body: String::new() }
    }

    fn pulled(&self, answer: &[u8]) -> io::Result<Page> {
        let Changes { results, last_seq } = serde_json::from_slice(answer)?;
        Ok(Page { records: results.len(), cursor: last_seq.to_string() })
    }
}
