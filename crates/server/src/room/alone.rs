//! A room of a data folder that no server has open: nobody is in it, and it ends with the one change that it takes in.

use bytes::Bytes;
use syncline_core::{
    id::{DocumentId, RoomName, TenantId},
    log::Credit,
    time::Now,
};
use syncline_protocol::{AbsorbId, Absorbed, Effect, Hosted, Input};
use syncline_store::{
    Batch, RecordTooLong,
    records::{self, Named},
};

/// Whose document is changed.
pub(crate) struct Place<'n> {
    pub(crate) tenant: TenantId,
    pub(crate) name: &'n RoomName,
    pub(crate) document: DocumentId,
    /// Whether the store knows which document the name means.
    pub(crate) named: bool,
}

/// Has a room take in an update, and `store` what it writes. Nothing is returned if the room says nothing of it.
pub(crate) fn absorb_alone<E: From<RecordTooLong>>(
    now: Now,
    mut room: Hosted,
    place: &Place<'_>,
    credit: Credit,
    update: Bytes,
    mut store: impl FnMut(Batch) -> Result<(), E>,
) -> Result<Option<Absorbed>, E> {
    room.handle(now, Input::Absorb { absorb: AbsorbId(1), credit, update, made_for: None });
    room.handle(now, Input::Flush);
    let mut outcome = None;
    while let Some(effect) = room.poll_effect() {
        match effect {
            Effect::Commit(record) => {
                let mut batch = Batch::new();
                records::put_log(&mut batch, place.tenant, place.document, &record)?;
                if !place.named {
                    let named = Named { document: place.document, engine: room.engine() };
                    records::put_named(&mut batch, place.tenant, place.name, named);
                }
                store(batch)?;
                room.handle(now, Input::Committed);
            }
            Effect::Absorbed(_, absorbed) => outcome = Some(absorbed),
            // Nobody is in the room; the next server compacts what is long.
            Effect::Carry(_)
            | Effect::Merged(..)
            | Effect::Read(..)
            | Effect::Publish(_)
            | Effect::Answer(..)
            | Effect::Note(..)
            | Effect::Text(..)
            | Effect::Ask(..)
            | Effect::Step(..)
            | Effect::Acknowledge(..)
            | Effect::Charge(..)
            | Effect::Kept(..)
            | Effect::Resume(..)
            | Effect::Close(..)
            | Effect::Compact(_)
            | Effect::Reload
            | Effect::Unload => {}
        }
    }
    Ok(outcome)
}
