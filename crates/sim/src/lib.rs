//! A seeded world for Syncline's machines: one room, three clients, links that break, a store with two images, crashes.
//!
//! One seed is one run. Every choice is drawn from one generator, every event is a line of a trace, and the hash of the
//! trace comes out the same for the same seed, always. The world carries out one effect of the room at a time and may
//! crash between any two.
//!
//! * [`run`]: the world of a Yjs document, from a seed to its end; [`run_deleting`], one that is deleted now and then;
//!   [`run_automerge`], an Automerge document.
//! * `world`: what happens next, and what it does. `family`: what it needs to know of a kind of document.
//! * [`Fault`]: mistakes in the shell that a run can be told to make. The checkers must find each of them.
//! * [`Violation`]: what a checker found.
//!
//! It measures nothing, and takes no time from a clock.
//!
//! Invariants checked from the outside:
//! * durable before visible: whatever a connection is handed rests on the durable image alone;
//! * nothing seen is lost: what any client was shown is in the durable image at every later time, crashes included;
//! * deleted is deleted: once anyone was told so, nothing of a document comes back, from the disk or from clients;
//! * exactly once: no element of any client is in the log twice, and no commit brings only what is there;
//! * convergence: once faults stop, all clients, the room and the durable image hold the same.

mod automerge;
mod disk;
mod family;
mod fault;
mod run;
mod server;
mod trace;
mod violation;
mod world;
mod yjs;

pub use fault::Fault;
pub use run::{Outcome, run, run_automerge, run_deleting};
pub use trace::Rng;
pub use violation::Violation;
