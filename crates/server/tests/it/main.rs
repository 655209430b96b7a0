//! A whole server on a store in memory, with real sockets.
//!
//! Nothing here waits for a time to pass: a test waits for what it expects to see, and [`within`](support::within) ends
//! it if that never comes.

mod access;
mod churn;
mod deleting;
mod docs;
mod document_entities;
mod documents;
mod edge;
mod entities;
mod erasing;
mod handlers;
mod hocuspocus;
mod hooks;
mod http;
mod loading;
mod matrix;
mod offline;
mod promises;
mod published;
mod quotas;
mod revocations;
mod rooms;
mod shutdown;
mod signatures;
mod store_failure;
mod suggestions;
mod support;
mod tenants;
mod tickets;
mod tls;
mod upgrade;
mod used_up;
mod violations;
mod webhook;
mod y_sweet;
