//! A document that begins as a branch of another.

use bytes::Bytes;
use syncline_core::log::{Credit, Engine};
use syncline_protocol::{Absorbed, Input, Revision};
use syncline_store::records::Branch;
use tokio::sync::oneshot;

use super::RoomTask;

impl RoomTask {
    /// Has the document begin with an update of a kind, unless it has begun. Where it comes from goes with the first commit.
    pub(super) fn begin(
        &mut self,
        (engine, credit, update): (Engine, Credit, Bytes),
        branch: Box<Branch>,
        done: oneshot::Sender<Absorbed>,
    ) {
        if engine != self.machine.engine() {
            // Whoever brought it may not wait any more.
            let _ = done.send(Absorbed::Refused { reason: "other-kind" });
            return;
        }
        // A room of Automerge takes in what it is told when the tick ends: what was said before may be how the document begins.
        let ends_tick = engine == Engine::Automerge;
        if ends_tick {
            self.input(Input::Flush);
        }
        let (absorb, made_for) = (self.owed.absorb(done), Some(Revision::default()));
        let is_new = self.machine.revision() == Revision::default();
        self.input(Input::Absorb { absorb, credit, update, made_for });
        if ends_tick {
            self.input(Input::Flush);
        }
        // Or else it was refused, and the document begins with something else.
        if is_new && self.machine.revision() != Revision::default() {
            self.branch = Some(branch);
        }
    }
}
