//! How many streams of events, exports and imports may be under way.

use super::{caller::Caller, refusal::Refusal};
use crate::quota::Place;

/// The places of what goes on for long, until it is dropped: one of the server's, of which its user and its tenant have a share, and one
/// of the connections that they may have open.
pub(super) struct Places {
    _of_server: Place,
    _of_connections: Place,
}

impl Places {
    /// Takes those of an export or an import.
    pub(super) fn of_bulk(caller: &Caller) -> Result<Self, Refusal> {
        let of_server = caller.shared.docs_bulk.take(&caller.payer()).map_err(Refusal::TooManyBulk)?;
        Ok(Self { _of_server: of_server, _of_connections: caller.place()? })
    }

    /// Takes those of a stream of events.
    pub(super) fn of_feed(caller: &Caller) -> Result<Self, Refusal> {
        let of_server = caller.shared.feeds.take(&caller.payer()).map_err(Refusal::TooManyFeeds)?;
        Ok(Self { _of_server: of_server, _of_connections: caller.place()? })
    }
}
