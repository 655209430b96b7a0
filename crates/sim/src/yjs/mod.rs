//! Yjs documents, and clients as three libraries make them.

mod check;
mod client;

use bytes::Bytes;
use syncline_core::log::Engine;
use syncline_protocol::{Hosted, Outbox};

use self::client::Saving;
use crate::family::{Family, Odds};

/// Small enough for a run of a few hundred steps to overflow an outbox.
const OUTBOX_BYTES_MAX: usize = 90;

/// How each of the clients finds out what is saved.
const SAVING: [Saving; 3] = [Saving::COUNTED, Saving::ASKED, Saving::Echoed];

/// A Yjs document.
pub(crate) struct Yjs;

impl Family for Yjs {
    const ENGINE: Engine = Engine::Yjs;
    const STEPS: usize = 1_500;
    const ODDS: Odds = Odds { edit: 220, pass_time: 240, disk_step: 350, write: 480 };

    type Held = Bytes;
    type Client = client::Client;
    type Checker = check::Checker;

    fn open(who: usize, id: u64) -> client::Client {
        client::Client::new(id, SAVING[who])
    }

    fn outbox() -> Outbox {
        Outbox::with_bound(OUTBOX_BYTES_MAX)
    }

    fn held_by(room: &Hosted) -> Bytes {
        let Hosted::Yjs(room) = room else { unreachable!("the room is of this kind") };
        room.document().encode().expect("what a room holds can be encoded")
    }

    fn describe(frame: &Bytes) -> String {
        client::describe(frame)
    }
}
