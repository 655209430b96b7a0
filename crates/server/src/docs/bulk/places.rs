//! How many exports and imports may be under way.

use crate::{
    docs::{caller::Caller, refusal::Refusal},
    quota::Place,
};

/// The places of an export or an import, until it is dropped: one of the server's, of which its user and its tenant have a share, and
/// one of the connections that they may have open.
pub(super) struct Places {
    _of_bulk: Place,
    _of_connections: Place,
}

impl Places {
    pub(super) fn of(caller: &Caller) -> Result<Self, Refusal> {
        let of_bulk = caller.shared.docs_bulk.take(&caller.payer()).map_err(Refusal::TooManyBulk)?;
        Ok(Self { _of_bulk: of_bulk, _of_connections: caller.place()? })
    }
}
