//! `syncline conflicts`: conflicts of the entities of a data folder.

mod resolve;
mod show;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Subcommand, builder::PossibleValuesParser};
use syncline::{
    core::entity::conflict::Conflict,
    protocol::{
        ledger::ConflictId,
        wire::sync_v1::{
            conflict_body, conflict_id, conflict_name, conflict_state_text, conflicts_body, time_text,
        },
    },
    server::OfflineLedger,
};

use super::{Outcome, folder, settings::TenantArgs, table::Table};

pub(crate) const EXAMPLES: &str = "\
Examples:
  syncline conflicts list --state open --type price
  syncline conflicts show cnf_7
  syncline conflicts resolve cnf_7 --choice candidate:0 --rationale 'the price of the supplier'
  syncline conflicts resolve cnf_7 --choice merged --value '{\"price\":12.50}' --by ann";

/// The states that a conflict may be in, as they are written.
const STATES: [&str; 6] = ["auto", "open", "assigned", "escalated", "resolved", "expired"];

#[derive(Debug, Subcommand)]
pub(crate) enum ConflictsCommand {
    /// Lists conflicts, the oldest first.
    List {
        /// Only those in this state
        #[arg(long, value_parser = PossibleValuesParser::new(STATES))]
        state: Option<String>,
        /// Only those of entities of this type
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        /// Write JSON instead, as GET /sync/v1/conflicts answers, on one page
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: TenantArgs,
    },
    /// Shows a conflict with all that can be chosen.
    Show {
        /// The conflict, such as cnf_7
        id: String,
        /// Write JSON instead, as GET /sync/v1/conflicts/ID answers
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: TenantArgs,
    },
    /// Settles a conflict that waits for people.
    Resolve(resolve::ResolveArgs),
}

/// There is no such conflict.
#[derive(Debug, thiserror::Error)]
#[error("there is no conflict {id:?}; `syncline conflicts list` lists those that there are")]
struct NoConflict {
    id: String,
}

impl ConflictsCommand {
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::List { state, kind, json, data } => {
                let (mut store, tenant) = folder::open_tenant(&data)?;
                list(&OfflineLedger::open(&mut store, tenant)?, state.as_deref(), kind.as_deref(), json)
            }
            Self::Show { id, json, data } => {
                let (mut store, tenant) = folder::open_tenant(&data)?;
                let entities = OfflineLedger::open(&mut store, tenant)?;
                let (id, conflict) = find(&entities, &id)?;
                let (said, actors) = (entities.ledger().comments(id), entities.ledger().actors());
                let mut out = io::stdout().lock();
                match json {
                    true => writeln!(out, "{}", conflict_body(id, conflict, said, actors))?,
                    false => show::write(&mut out, (id, conflict), said, actors)?,
                }
                Ok(ExitCode::SUCCESS)
            }
            Self::Resolve(args) => args.run(),
        }
    }
}

fn list(entities: &OfflineLedger<'_>, state: Option<&str>, kind: Option<&str>, json: bool) -> Outcome {
    let mut out = io::stdout().lock();
    let ledger = entities.ledger();
    let fits = |conflict: &Conflict| {
        state.is_none_or(|state| conflict_state_text(conflict.state()) == state)
            && kind.is_none_or(|kind| conflict.entity().kind.as_str() == kind)
    };
    let found = ledger.conflicts().filter(|(_, conflict)| fits(conflict));
    if json {
        writeln!(out, "{}", conflicts_body(found, None, ledger.actors()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let heads = ["CONFLICT", "STATE", "TYPE", "ENTITY", "KIND", "FIELDS", "DETECTED", "ASSIGNEE", "DEADLINE"];
    let mut table = Table::new(heads);
    for (id, conflict) in found {
        table.add([
            conflict_name(id),
            conflict_state_text(conflict.state()).to_owned(),
            conflict.entity().kind.to_string(),
            conflict.entity().id.to_string(),
            conflict.kind().as_str().to_owned(),
            show::fields(conflict),
            time_text(conflict.detected_at()),
            conflict.assignee().unwrap_or_default().to_owned(),
            conflict.deadline().map_or_else(String::new, time_text),
        ]);
    }
    table.write(&mut out)?;
    Ok(ExitCode::SUCCESS)
}

fn find<'a>(entities: &'a OfflineLedger<'_>, name: &str) -> Result<(ConflictId, &'a Conflict), NoConflict> {
    let found = conflict_id(name).and_then(|id| Some((id, entities.ledger().conflict(id)?)));
    found.ok_or_else(|| NoConflict { id: name.to_owned() })
}
