//! What a world needs to know of a kind of document: who edits it, and who watches over it.

use bytes::Bytes;
use syncline_core::log::{Engine, LogRecord};
use syncline_protocol::{Guest, Hosted, Loaded, Outbox};

use crate::{Rng, Violation};

/// A kind of document, with clients that speak its protocol.
pub(crate) trait Family {
    /// The kind.
    const ENGINE: Engine;
    /// Steps with faults before the world is left to come to rest.
    const STEPS: usize;
    /// What is likely to happen next.
    const ODDS: Odds;

    /// All that a replica holds.
    type Held;
    /// Who edits.
    type Client: Edit<Self::Held>;
    /// Who watches.
    type Checker: Watch<Self::Held> + Default;

    /// Opens the tab of the client at a place, which is not opened before under this id.
    fn open(who: usize, id: u64) -> Self::Client;

    /// Makes the outbox of a connection.
    fn outbox() -> Outbox;

    /// Returns what the room holds, durable or not.
    fn held_by(room: &Hosted) -> Self::Held;

    /// Describes a frame in a few characters, for the trace.
    fn describe(frame: &Bytes) -> String;
}

/// Up to which of a thousand draws a thing happens. The first 90 break something, or mend it; what is left goes on.
pub(crate) struct Odds {
    pub(crate) edit: usize,
    pub(crate) pass_time: usize,
    pub(crate) disk_step: usize,
    pub(crate) write: usize,
}

/// A client: it edits, offline too, and syncs whenever it is connected.
pub(crate) trait Edit<Held> {
    /// Returns who joins.
    fn guest(&self) -> Guest;

    /// Returns what the client sends first on a new connection.
    fn connect(&mut self) -> Vec<Bytes>;

    /// Makes a random edit and returns what goes out, which is nothing unless the client is connected.
    fn edit(&mut self, rng: &mut Rng, connected: bool) -> Vec<Bytes>;

    /// Takes in a frame and returns what the client sends then.
    fn receive(&mut self, frame: &Bytes) -> Vec<Bytes>;

    /// Returns whether the server has answered since the client connected.
    fn is_synced(&self) -> bool;

    /// Returns whether the client says that all it holds is saved; nothing if it is not told.
    fn is_saved(&self) -> Option<bool>;

    /// Returns everything the client holds, and the same in a few words for people.
    fn held(&mut self) -> (Held, String);
}

/// Follows the durable image and everything that was shown, and says which promise is broken.
pub(crate) trait Watch<Held> {
    /// Takes up a commit that has become durable.
    fn committed(&mut self, record: &LogRecord) -> Result<(), Violation>;

    /// Takes up the durable image anew, after a crash or a compaction, and checks that all that was seen is in it.
    fn reloaded(&mut self, loaded: &Loaded) -> Result<(), Violation>;

    /// Takes up a frame that a connection is handed.
    fn shown(&mut self, frame: &Bytes) -> Result<(), Violation>;

    /// Takes up that the document is deleted, durably: nothing of it may be there again.
    fn deleted(&mut self);

    /// Checks that all that a client holds, who was told so, is durable.
    fn saved(&self, held: &Held) -> Result<(), Violation>;

    /// Checks that a replica holds what is durable, no more and no less.
    fn same(&self, replica: &str, held: &Held) -> Result<(), Violation>;
}
