//! Drives the machines of Syncline with tokio: sockets, HTTP, timers and the store's thread.
//!
//! * [`Server`]: starts and stops everything; [`Config`] is what an operator may set.
//! * `access`: who the bearer of a token is, and until when.
//! * `listener`, `tls`, `http`, `upgrade`: from a TCP connection to a WebSocket.
//! * `connection`: one task a WebSocket. `room`: one task a room, which owns a [`syncline_protocol::Room`].
//! * `registry`: which rooms are open, and why joining, loading and unloading cannot race.
//! * `edge`: who a request comes from, whether it may come, what answers tell browsers.
//! * `quota`: how much anyone may use.
//! * `outgoing`: the requests that the server makes itself.
//! * `entities`: one task a tenant, which owns a [`syncline_protocol::ledger::Ledger`]; push handlers.
//! * `tenants`: whose data a request is for, and the ledger of each of them.
//! * `loader`, `compaction`: from the store to a room, and back into less room. `history`: what documents were.
//! * `docs`: documents over HTTP. `openapi`: what interfaces offer, and its description.
//! * `hooks`: applications that are told of documents.
//! * `lobby`: the list of rooms, for people. `page`: what their browsers get.
//! * `lines`: what is too long to be held whole, line by line.
//! * `storage`, `epoch`, `keeper`: the store's thread, and what happens when a commit fails.
//!
//! This crate decides nothing about documents: an async function here awaits something and calls a machine.
//!
//! Invariants:
//! * nothing that belongs to a tenant is reached but through what its credential says, and all that is cached is kept by tenant;
//! * no lock is held across an `await`, and no queue is without a bound;
//! * no task outlives [`Server::shutdown`], apart from a decoding that cannot be interrupted;
//! * no room of a document is opened while another has the document, or a commit of it is under way;
//! * nothing is read from the store or shown to anyone between a commit that failed and the reopening of the store.

mod access;
mod changes;
mod clock;
mod compaction;
mod config;
mod connection;
mod deletion;
mod docs;
mod edge;
mod entities;
mod epoch;
mod halt;
mod history;
mod hooks;
mod http;
mod inbound;
mod keeper;
mod limits;
mod lines;
mod listener;
mod loader;
mod lobby;
mod memory;
mod metrics;
mod openapi;
mod origin;
mod outbox;
mod outgoing;
mod page;
mod quota;
mod registry;
mod room;
mod server;
mod shared;
mod storage;
mod tenants;
mod tls;
mod upgrade;
mod work;

pub use self::{
    access::{
        Authenticator, DeviceBinding, DeviceSettings, JwtSettings, JwtVerifier, KeyError, MintError,
        NewToken, OneOf, PublishedKeys, PublishedKeysError, SigningAlgorithm, SigningKey, StaticToken,
        StaticTokens, Unauthenticated, WebhookSettings,
    },
    config::Config,
    deletion::{DeleteError, delete_document},
    docs::{
        DocumentsExported, DocumentsImported, Existing, ExportedLine, ImportedLine, NoExport, NotTaken,
        OfflineDocuments, OfflineDocumentsError, Taken,
    },
    edge::{Network, NetworkError},
    entities::{
        Audit, AuditError, AuditReport, AuditUsers, Audited, BulkError, ErasureError, Exported, KeptError,
        OfflineError, OfflineLedger, PushHandler, PushQuestion, RenewError, Renewed, Wanted, finish_erasures,
        renew_epoch, verify_audit,
    },
    history::{
        HistoryRetention, HistoryRules, Kin, Moment, OfflineHistory, OfflineHistoryError, Past, PastError,
        branch_json, change_json, origin_json, range_json, session_json, version_json,
    },
    hooks::{HookError, HookSettings},
    limits::STACK_BYTES,
    loader::new_document_id,
    origin::{Origin, OriginError},
    quota::Quota,
    server::{Server, StartError},
    tls::{TlsError, TlsFiles},
};
