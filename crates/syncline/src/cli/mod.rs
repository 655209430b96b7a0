//! What can be asked of the command, and who does it.

mod doc;
mod folder;
mod logging;
mod serve;
mod settings;

use std::{error::Error, process::ExitCode};

use clap::{Parser, Subcommand};

use self::{doc::DocCommand, settings::DataArgs};

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
    /// Lists, shows, exports and imports documents of a data folder that no server has open.
    #[command(subcommand, arg_required_else_help = true, after_help = doc::EXAMPLES)]
    Doc(DocCommand),
    /// Checks every record of a data folder that no server has open; exit code 1 if anything is damaged.
    #[command(after_help = "Example:\n  syncline verify --data-dir /var/lib/syncline")]
    Verify(DataArgs),
    /// Rewrites a data folder that no server has open, to give back the space of what was deleted.
    #[command(after_help = "Example:\n  syncline vacuum --data-dir /var/lib/syncline")]
    Vacuum(DataArgs),
}

impl Command {
    /// Does what was asked.
    pub(crate) fn run(self) -> Outcome {
        match self.task {
            Task::Serve(args) => serve::run(*args),
            Task::Doc(command) => command.run(),
            Task::Verify(data) => folder::verify(&data),
            Task::Vacuum(data) => folder::vacuum(&data),
        }
    }
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
