//! How many exports and imports may be under way.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use crate::{
    docs::{caller::Caller, refusal::Refusal},
    quota::Place,
};

/// The places of an export or an import, until it is dropped: one of the server's, and one of those that the user may have open.
pub(super) struct Places {
    _of_server: OwnedSemaphorePermit,
    _of_user: Place,
}

impl Places {
    pub(super) fn of(caller: &Caller) -> Result<Self, Refusal> {
        let of_server = Arc::clone(&caller.shared.docs_bulk).try_acquire_owned();
        let of_server = of_server.map_err(|_full| Refusal::TooManyBulk)?;
        Ok(Self { _of_server: of_server, _of_user: caller.place()? })
    }
}
