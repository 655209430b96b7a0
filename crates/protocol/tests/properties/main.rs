//! What must hold of the machines whatever happens to them, seen through their public methods.

mod automerge;
mod hooks;
mod outbox;
mod presence;
mod session;
mod signature;
mod sync_v1;
