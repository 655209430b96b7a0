//! `syncline epoch`: the life of the log of entities.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Subcommand;
use syncline::{
    server::{RenewError, Renewed, renew_epoch},
    store::records::Tenants,
};

use super::{Outcome, folder, settings::DataArgs, wall_now};

pub(crate) const EXAMPLES: &str = "\
Use it once after a data folder was restored from a backup, before the server is started. Clients may have
seen changes that the backup does not hold; their places in the log would then mean other changes. In its
new life the log knows none of these places: each client begins again (reset: epoch), sends what it has not
sent, and reads all that it may read. Nothing is deleted. The logs of all tenants are renewed. After an ordinary restart it is of no use.

Example:
  syncline epoch renew --data-dir /var/lib/syncline";

#[derive(Debug, Subcommand)]
pub(crate) enum EpochCommand {
    /// Gives the log of entities of each tenant a new life, after a restore from a backup.
    #[command(after_help = EXAMPLES)]
    Renew(DataArgs),
}

impl EpochCommand {
    pub(crate) fn run(self) -> Outcome {
        let Self::Renew(data) = self;
        let mut store = folder::open_existing(&data)?;
        let (tenants, mut out, mut is_none) = (Tenants::load(&store)?, io::stdout().lock(), true);
        for (name, tenant) in tenants.iter() {
            match renew_epoch(&mut store, tenant, wall_now()) {
                Ok(Renewed { before, after, .. }) if name.is_default() => {
                    writeln!(out, "epoch {after}, {before} before")?;
                }
                Ok(Renewed { before, after, .. }) => {
                    writeln!(out, "epoch {after}, {before} before, of the tenant {:?}", name.as_str())?;
                }
                // It has rooms only.
                Err(RenewError::NoLog) => continue,
                Err(error) => return Err(error.into()),
            }
            is_none = false;
        }
        if is_none { Err(RenewError::NoLog.into()) } else { Ok(ExitCode::SUCCESS) }
    }
}
