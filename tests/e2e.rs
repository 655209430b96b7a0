//! End to end: unmodified `y-websocket`, Hocuspocus, y-sweet and automerge-repo clients, in node, against the `syncline` binary.
//!
//! Each test plays one scenario of `tests/clients/scenarios`, which owns its server, its data folder and its network,
//! so that it can also be played alone: `SYNCLINE_BIN=target/debug/syncline node tests/clients/scenarios/values.mjs`.
//! Commands on data folders need no clients: `entities`, `bulk`, `documents` and `history` run the binary itself, and so do `rights`, `hooks` and
//! `examples`.
//! Entities need no client but HTTP: `sync_v1` plays its stories itself.

#[path = "e2e/automerge.rs"]
mod automerge;
#[path = "e2e/browser.rs"]
mod browser;
#[path = "e2e/bulk.rs"]
mod bulk;
#[path = "e2e/documents.rs"]
mod documents;
#[path = "e2e/entities.rs"]
mod entities;
#[path = "e2e/examples.rs"]
mod examples;
#[path = "e2e/history.rs"]
mod history;
#[path = "e2e/hooks.rs"]
mod hooks;
#[path = "e2e/rights.rs"]
mod rights;
#[path = "e2e/scenario.rs"]
mod scenario;
#[path = "e2e/stories.rs"]
mod stories;
#[path = "entities/mod.rs"]
mod sync_v1;
