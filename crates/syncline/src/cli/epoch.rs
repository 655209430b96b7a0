//! `syncline epoch`: the life of the log of entities.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Subcommand;
use syncline::server::renew_epoch;

use super::{Outcome, folder, settings::DataArgs, wall_now};

pub(crate) const EXAMPLES: &str = "\
Use it once after a data folder was restored from a backup, before the server is started. Clients may have
seen changes that the backup does not hold; their places in the log would then mean other changes. In its
new life the log knows none of these places: each client begins again (reset: epoch), sends what it has not
sent, and reads all that it may read. Nothing is deleted. After an ordinary restart it is of no use.

Example:
  syncline epoch renew --data-dir /var/lib/syncline";

#[derive(Debug, Subcommand)]
pub(crate) enum EpochCommand {
    /// Gives the log of entities a new life, after a restore from a backup.
    #[command(after_help = EXAMPLES)]
    Renew(DataArgs),
}

impl EpochCommand {
    pub(crate) fn run(self) -> Outcome {
        let Self::Renew(data) = self;
        let renewed = renew_epoch(&mut folder::open_existing(&data)?, wall_now())?;
        writeln!(io::stdout(), "epoch {}, {} before", renewed.after, renewed.before)?;
        Ok(ExitCode::SUCCESS)
    }
}
