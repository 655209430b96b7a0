//! What documents were: how long it is kept, and how it is read.

mod branches;
mod offline;
mod past;
mod retention;
mod since;
mod sweep;
#[cfg(test)]
mod tests;
mod told;
mod trim;

pub use branches::Kin;
pub(crate) use branches::{are_related, kin};
pub use offline::{Moment, OfflineHistory, OfflineHistoryError};
pub use past::{Past, PastError};
pub(crate) use past::{Unread, read};
pub use retention::{HistoryRetention, HistoryRules};
pub(crate) use since::since;
pub(crate) use sweep::run as sweep;
pub(crate) use told::author_json;
pub use told::{branch_json, change_json, origin_json, range_json, session_json, version_json};
pub(crate) use trim::{keep, trim};
