//! `/sync/v1` from end to end: the `syncline` process, and apps that sync with it as the contract has them do.

mod app;
mod backups;
mod conflicts;
mod crashes;
mod http;
mod listening;
mod logs;
mod offline;
mod reading;
mod server;
mod tenants;
