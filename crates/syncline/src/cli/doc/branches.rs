//! `syncline doc branch | merge | branches`: documents that begin with a state of another, and what they bring back to it.

use clap::Args;
use serde_json::{Value, json};
use syncline::{
    core::{
        id::{RoomName, RoomNameError},
        log::Author,
    },
    protocol::wire::sync_v1::time_text,
    server::{branch_json, change_json, origin_json},
    store::records::Branch,
};

use super::past::{LookArgs, StateArgs, changes_table};
use crate::cli::{Outcome, table::Table};

#[derive(Debug, Args)]
pub(crate) struct BranchArgs {
    /// Name of the document that is created [default, if it is an Automerge document: one is drawn]
    #[arg(long, value_name = "NAME", value_parser = name)]
    to: Option<RoomName>,
    #[command(flatten)]
    from: StateArgs,
    /// Who begins it
    #[arg(long, value_name = "NAME", default_value = "operator")]
    by: String,
    #[command(flatten)]
    look: LookArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// Name of its branch, or of the document that it is a branch of
    #[arg(long, value_name = "NAME", value_parser = name)]
    from: RoomName,
    /// Only tell what would change
    #[arg(long)]
    dry_run: bool,
    /// Who merges
    #[arg(long, value_name = "NAME", default_value = "operator")]
    by: String,
    #[command(flatten)]
    look: LookArgs,
}

fn name(text: &str) -> Result<RoomName, RoomNameError> {
    RoomName::new(text)
}

fn author(by: &str) -> Author {
    Author { user: Some(by.into()), device: None }
}

pub(super) fn branch(args: BranchArgs) -> Outcome {
    let BranchArgs { to, from, by, look } = args;
    look.run(|document| {
        let branch = document.branch(to, from.moment(), author(&by))?;
        let mut table = table();
        table.add(row("branch", &branch.name, &branch));
        Ok((table, branch_json(&branch)))
    })
}

pub(super) fn merge(args: &MergeArgs) -> Outcome {
    if args.dry_run {
        return args.look.run(|document| {
            let changes = document.merging(&args.from)?;
            let is_new = changes.is_some();
            let changes = changes.unwrap_or_default();
            let told: Vec<Value> = changes.iter().map(change_json).collect();
            Ok((changes_table(&changes), json!({ "changed": is_new, "changes": told })))
        });
    }
    args.look.run(|document| {
        let changed = document.merge(&args.from, author(&args.by))?;
        let last = document.past()?.last();
        let mut table = Table::new(["COMMIT", "MERGED"]);
        let what = if changed { "yes" } else { "there was nothing new" };
        table.add([last.to_string(), what.to_owned()]);
        Ok((table, json!({ "changed": changed, "commit": last.0 })))
    })
}

pub(super) fn branches(args: &LookArgs) -> Outcome {
    args.run(|document| {
        let kin = document.kin()?;
        let mut table = table();
        kin.origin.iter().for_each(|origin| table.add(row("origin", &origin.of_name, origin)));
        kin.branches.iter().for_each(|branch| table.add(row("branch", &branch.name, branch)));
        let branches: Vec<Value> = kin.branches.iter().map(branch_json).collect();
        let origin = kin.origin.as_ref().map(origin_json);
        Ok((table, json!({ "origin": origin, "branches": branches })))
    })
}

fn table() -> Table<4> {
    Table::new(["KIND", "COMMIT", "BRANCHED", "NAME"])
}

fn row(kind: &str, name: &RoomName, branch: &Branch) -> [String; 4] {
    [kind.to_owned(), branch.commit.to_string(), time_text(branch.at), name.as_str().to_owned()]
}
