//! What a device says to a server, in the protocol of each.

mod couchdb;
mod syncline;

use std::io;

use crate::http::Request;
use crate::server::Kind;

/// A record that a device writes.
pub(crate) struct Change {
    /// Which one; ids that follow each other are neighbours in the store.
    pub(crate) id: u64,
    /// What the device has seen of it; none if the device creates it.
    pub(crate) seen: Option<Seen>,
}

/// A version of a record, as the server names it.
pub(crate) type Seen = String;

/// A page of changes.
pub(crate) struct Page {
    pub(crate) records: usize,
    /// Where to go on.
    pub(crate) cursor: String,
}

/// How requests are written and answers are read.
pub(crate) trait Protocol: Sync {
    /// Returns what a device says first.
    fn join(&self, device: &str) -> Option<Request>;

    /// Returns the request that writes records; `n` is the number of the first among all that the device has written.
    fn push(&self, device: &str, n: u64, changes: &[Change]) -> Request;

    /// Returns the version of each record that was written.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidData`] if a record was refused.
    fn pushed(&self, answer: &[u8]) -> io::Result<Vec<Seen>>;

    /// Returns the request for at most a number of changes behind a cursor.
    fn pull(&self, device: &str, cursor: Option<&str>, count_max: usize) -> Request;

    /// Returns the page.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidData`] if it is none.
    fn pulled(&self, answer: &[u8]) -> io::Result<Page>;
}

/// Returns what a server speaks.
pub(crate) fn of(kind: Kind) -> &'static dyn Protocol {
    match kind {
        Kind::Syncline => &syncline::SyncV1,
        Kind::Pouchdb => &couchdb::CouchDb,
    }
}

/// Returns the name of a record.
fn name(id: u64) -> String {
    format!("order_{id:012}")
}

/// Returns the fields of a record, without braces.
fn fields(id: u64) -> String {
    let (quantity, cents) = (id % 90 + 10, id % 100);
    let note = "Deliver to the back door between eight and ten, ring twice.";
    format!(
        r#""title":"Order {id}","status":"open","quantity":{quantity},"price":24.{cents:02},"note":"{note}""#
    )
}
