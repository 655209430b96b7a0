//! `DELETE /docs/v1/documents/{name}`: a document goes, and does not come back with those who still have it.

use axum::http::StatusCode;
use syncline_core::access::Action;
use syncline_store::records::Named;
use tokio::sync::oneshot;

use super::{
    caller::{Caller, InPath},
    refusal::Refusal,
    state,
};
use crate::{
    deletion::{self, Deletion},
    registry::Registry,
    room::ToRoom,
};

/// How often a room is asked that does not open: by then its document is given up.
const TRIES: usize = 4;

/// Deletes a document; with `If-Match` only as long as it is the same.
pub(super) async fn delete(caller: Caller, InPath(name): InPath<String>) -> Result<StatusCode, Refusal> {
    let room = caller.room(&name, Action::Admin).await?;
    let expected = caller.expects()?;
    for _ in 0..TRIES {
        let Named { document, engine: _ } = state::known(&caller, &room).await?.ok_or(Refusal::Absent)?;
        if caller.epoch.entity_of(&room).await.map_err(|_ledger_down| Refusal::StoreDown)?.is_some() {
            return Err(Refusal::Entity);
        }
        if expected.is_some_and(|expected| expected.document != document) {
            return Err(Refusal::Changed);
        }
        caller.check_lease()?;
        let (done, outcome) = oneshot::channel();
        let revision = expected.map(|expected| expected.revision);
        let message = ToRoom::Delete { document, revision, author: caller.author(), done };
        Registry::tell_anyway(&caller.epoch, &room, message).await?;
        match outcome.await {
            Ok(Deletion::Deleted) => return Ok(StatusCode::NO_CONTENT),
            Ok(Deletion::Changed) => return Err(Refusal::Changed),
            Ok(Deletion::Absent) => return Err(Refusal::Absent),
            // Of what cannot be read nobody knows the revision.
            Err(_room_ended) if expected.is_none() => {
                let deleted =
                    deletion::delete_unreadable(&caller.epoch, &room, document, caller.author()).await;
                if deleted.map_err(|_| Refusal::StoreDown)? {
                    return Ok(StatusCode::NO_CONTENT);
                }
            }
            Err(_room_ended) => {}
        }
    }
    Err(Refusal::Broken)
}
