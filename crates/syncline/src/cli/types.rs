//! `syncline types`: the types of entities of a data folder.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use syncline::{
    core::entity::{EntityType, TypeForm, TypeName},
    protocol::wire::sync_v1::{policy_text, types_body},
    server::OfflineLedger,
};

use super::{Outcome, folder, settings::TenantArgs, table::Table};

pub(crate) const EXAMPLES: &str = "\
Types that syncline.toml declares are in the data folder once a server has run with them.

Examples:
  syncline types
  syncline types --json
  syncline types show price";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct TypesArgs {
    #[command(subcommand)]
    show: Option<TypeCommand>,
    /// Write JSON instead, as GET /sync/v1/types answers
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: TenantArgs,
}

#[derive(Debug, Subcommand)]
enum TypeCommand {
    /// Shows a type as JSON, in the form in which it is declared; without the secret of its handler.
    Show {
        /// Name of the type
        name: String,
        #[command(flatten)]
        data: TenantArgs,
    },
}

/// There is no such type.
#[derive(Debug, thiserror::Error)]
#[error("there is no type {name:?}; `syncline types` lists those that there are")]
struct NoType {
    name: String,
}

impl TypesArgs {
    pub(crate) fn run(self) -> Outcome {
        let data = match &self.show {
            Some(TypeCommand::Show { data, .. }) => data,
            None => &self.data,
        };
        let (mut store, tenant) = folder::open_tenant(data)?;
        let entities = OfflineLedger::open(&mut store, tenant)?;
        match &self.show {
            Some(TypeCommand::Show { name, .. }) => show(&entities, name),
            None => list(&entities, self.json),
        }
    }
}

fn list(entities: &OfflineLedger<'_>, json: bool) -> Outcome {
    let mut out = io::stdout().lock();
    let ledger = entities.ledger();
    if json {
        let forms = ledger.types().map(|ty| Ok((ty.name.as_str(), serde_json::to_string(&form(ty))?)));
        let forms = forms.collect::<Result<Vec<_>, serde_json::Error>>()?;
        writeln!(out, "{}", types_body(forms.iter().map(|(name, form)| (*name, form.as_str()))))?;
        return Ok(ExitCode::SUCCESS);
    }
    // How many records of each type are alive, and how many deleted.
    let mut counts: BTreeMap<&TypeName, [u64; 2]> = BTreeMap::new();
    for (key, record) in ledger.records() {
        counts.entry(&key.kind).or_default()[usize::from(record.deleted)] += 1;
    }
    let mut table = Table::new(["TYPE", "POLICY", "RECORDS", "DELETED"]);
    for ty in ledger.types() {
        let [alive, deleted] = counts.get(&ty.name).copied().unwrap_or_default();
        let policy = policy_text(ty.policy).to_owned();
        table.add([ty.name.to_string(), policy, alive.to_string(), deleted.to_string()]);
    }
    table.write(&mut out)?;
    Ok(ExitCode::SUCCESS)
}

fn show(entities: &OfflineLedger<'_>, name: &str) -> Outcome {
    let found = TypeName::new(name).ok().and_then(|name| entities.ledger().entity_type(&name));
    let found = found.ok_or_else(|| NoType { name: name.to_owned() })?;
    writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&form(found))?)?;
    Ok(ExitCode::SUCCESS)
}

fn form(ty: &EntityType) -> TypeForm {
    TypeForm::from(ty.without_secret())
}
