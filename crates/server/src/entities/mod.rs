//! Entities: the task that drives a tenant's [`Ledger`](syncline_protocol::ledger::Ledger), and what is asked of it over HTTP.
//!
//! * [`LedgerHandle`]: how a request gets to the ledger, and its answer back;
//! * `task`: one task, which commits what the machine gathers, one batch after another;
//! * `documents`: what it has to do with the rooms of those entities that are documents;
//! * `handlers`: who judges ops before they take effect;
//! * `bulk`: what exports and imports have in common;
//! * `kept`, `open`: the ledger as the store has it;
//! * `erasing`, `sweep`: what becomes of what was erased, and of history that is too old;
//! * [`OfflineLedger`]: the same in a data folder that no server has open, for commands; `history`: its audit.

mod bulk;
mod documents;
mod erasing;
mod handle;
mod handlers;
mod history;
mod http;
mod kept;
mod offline;
mod open;
mod sweep;
mod task;

pub use self::{
    bulk::Wanted,
    erasing::{ErasureError, finish_erasures},
    handlers::{PushHandler, PushQuestion},
    history::{Audit, AuditError, AuditReport, AuditUsers, Audited, verify_audit},
    kept::KeptError,
    offline::{BulkError, Exported, OfflineError, OfflineLedger, RenewError, Renewed, renew_epoch},
};
pub(crate) use self::{
    documents::room_key,
    handle::{Answered, LedgerDown, LedgerHandle, Moved, Stored, Touch},
    handlers::{Handlers, SuggestError},
    http::{dress, preflight, refused, routes},
    open::{LedgerSettings, OpenError, open},
    sweep::Retention,
};
