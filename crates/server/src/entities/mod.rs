//! Entities: the task that drives a tenant's [`Ledger`](syncline_protocol::ledger::Ledger), and what is asked of it over HTTP.
//!
//! * [`LedgerHandle`]: how a request gets to the ledger, and its answer back;
//! * `task`: one task, which commits what the machine gathers, one batch after another;
//! * `handlers`: who judges ops before they take effect;
//! * `kept`, `open`: the ledger as the store has it;
//! * [`OfflineLedger`]: the same in a data folder that no server has open, for commands; `history`: its audit.

mod handle;
mod handlers;
mod history;
mod http;
mod kept;
mod offline;
mod open;
mod task;

pub use self::handlers::{PushHandler, PushQuestion};
pub(crate) use self::{
    handle::{Answered, LedgerDown, LedgerHandle, Moved},
    handlers::Handlers,
    http::routes,
    open::{OpenError, open},
};
pub use self::{
    history::{Audit, AuditError, AuditReport, Audited, verify_audit},
    kept::KeptError,
    offline::{OfflineError, OfflineLedger, RenewError, Renewed, renew_epoch},
};
