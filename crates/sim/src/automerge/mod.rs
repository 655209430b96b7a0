//! Automerge documents, and clients that speak `automerge::sync`.

mod check;
mod client;

use automerge::ChangeHash;
use bytes::Bytes;
use syncline_core::log::Engine;
use syncline_protocol::{Hosted, Outbox};

use crate::family::{Family, Odds};

/// An Automerge document, of which each step takes longer.
pub(crate) struct Automerge;

impl Family for Automerge {
    const ENGINE: Engine = Engine::Automerge;
    const STEPS: usize = 800;
    const ODDS: Odds = Odds { edit: 180, pass_time: 200, disk_step: 330, write: 480 };

    type Held = Vec<ChangeHash>;
    type Client = client::Client;
    type Checker = check::Checker;

    fn open(_who: usize, id: u64) -> client::Client {
        client::Client::new(id)
    }

    fn outbox() -> Outbox {
        Outbox::default()
    }

    fn held_by(room: &Hosted) -> Vec<ChangeHash> {
        let Hosted::Automerge(room) = room else { unreachable!("the room is of this kind") };
        room.document().heads()
    }

    fn describe(frame: &Bytes) -> String {
        client::describe(frame)
    }
}
