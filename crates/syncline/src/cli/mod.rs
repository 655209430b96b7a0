//! What can be asked of the command, and who does it.

mod audit;
mod conflicts;
mod devices;
mod doc;
mod entities;
mod epoch;
mod folder;
mod import;
mod keys;
mod logging;
mod retention;
mod serve;
mod settings;
mod table;
mod teller;
mod token;
mod types;

use std::{
    error::Error,
    io,
    path::Path,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use clap::{Parser, Subcommand};
use syncline::core::time::WallMs;

use self::{
    audit::AuditCommand, conflicts::ConflictsCommand, devices::DevicesCommand, doc::DocCommand,
    entities::EntitiesCommand, epoch::EpochCommand, import::ImportCommand, keys::KeysCommand,
    settings::DataArgs, token::TokenCommand, types::TypesArgs,
};

/// What a command comes to. Errors are printed with their causes, and make the exit code 1.
type Outcome = Result<ExitCode, Box<dyn Error + Send + Sync>>;

/// A collaboration server for documents that many people write at once.
#[derive(Debug, Parser)]
#[command(name = "syncline", version, args_override_self = true, arg_required_else_help = true)]
#[command(
    after_help = "Every setting has a flag, a variable SYNCLINE_* and a key in syncline.toml; the first of \
    these that is given counts.\n\nExamples:\n  \
    syncline serve\n  \
    syncline doc list\n  \
    syncline doc show my-room --text content"
)]
pub(crate) struct Command {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Runs the server.
    #[command(after_help = serve::EXAMPLES)]
    Serve(Box<settings::ServeArgs>),
    /// Lists, shows, exports, imports, deletes, looks back on and restores documents of a data folder that no server has open.
    #[command(subcommand, arg_required_else_help = true, after_help = doc::EXAMPLES)]
    Doc(DocCommand),
    /// Adds documents of other servers to a data folder that no server has open.
    #[command(subcommand, arg_required_else_help = true, after_help = import::EXAMPLES)]
    Import(ImportCommand),
    /// Exports, imports and erases the entities of a data folder that no server has open.
    #[command(subcommand, arg_required_else_help = true, after_help = entities::EXAMPLES)]
    Entities(EntitiesCommand),
    /// Lists, shows and settles conflicts of entities in a data folder that no server has open.
    #[command(subcommand, arg_required_else_help = true, after_help = conflicts::EXAMPLES)]
    Conflicts(ConflictsCommand),
    /// Lists and revokes devices in a data folder that no server has open.
    #[command(subcommand, arg_required_else_help = true, after_help = devices::EXAMPLES)]
    Devices(DevicesCommand),
    /// Lists and shows types of entities in a data folder that no server has open.
    #[command(after_help = types::EXAMPLES)]
    Types(TypesArgs),
    /// Checks and exports what has happened to entities in a data folder that no server has open.
    #[command(subcommand, arg_required_else_help = true, after_help = audit::EXAMPLES)]
    Audit(AuditCommand),
    /// Has clients of entities begin again, after a data folder was restored from a backup.
    #[command(subcommand, arg_required_else_help = true, after_help = epoch::EXAMPLES)]
    Epoch(EpochCommand),
    /// Makes keys that tokens are signed with.
    #[command(subcommand, arg_required_else_help = true, after_help = keys::EXAMPLES)]
    Keys(KeysCommand),
    /// Makes signed tokens, and says what is in them.
    #[command(subcommand, arg_required_else_help = true, after_help = token::EXAMPLES)]
    Token(TokenCommand),
    /// Checks every record of a data folder that no server has open; exit code 1 if anything is damaged.
    #[command(after_help = "Example:\n  syncline verify --data-dir /var/lib/syncline")]
    Verify(settings::VerifyArgs),
    /// Rewrites a data folder that no server has open: space is given back, and what was erased is in no file any more.
    #[command(after_help = "Example:\n  syncline vacuum --data-dir /var/lib/syncline")]
    Vacuum(DataArgs),
}

impl Command {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        match self.task {
            Task::Serve(args) => serve::run(*args),
            Task::Doc(command) => command.run(),
            Task::Import(command) => command.run(),
            Task::Entities(command) => command.run(),
            Task::Conflicts(command) => command.run(),
            Task::Devices(command) => command.run(),
            Task::Types(args) => args.run(),
            Task::Audit(command) => command.run(),
            Task::Epoch(command) => command.run(),
            Task::Keys(command) => command.run(),
            Task::Token(command) => command.run(),
            Task::Verify(args) => folder::verify(&args),
            Task::Vacuum(data) => folder::vacuum(&data),
        }
    }
}

/// Says which file an error is about.
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn wall_now() -> WallMs {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallMs(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Command::command().debug_assert();
    }
}
