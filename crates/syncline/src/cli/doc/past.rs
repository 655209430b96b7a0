//! `syncline doc history | diff | restore | versions | blame`: what a document was.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Args;
use serde_json::{Value, json};
use syncline::{
    core::{
        doc::{Change, WrittenRange},
        id::{CommitNumber, RoomName},
        log::Author,
        time::WallMs,
    },
    protocol::wire::sync_v1::{time_of, time_text},
    server::{
        Moment, OfflineHistory, OfflineHistoryError, change_json, range_json, session_json, version_json,
    },
    store::Store,
};

use super::{DocError, RoomArg};
use crate::cli::{Outcome, folder, settings::TenantArgs, table::Table};

const MINUTE_MS: u64 = 60_000;

/// A document, and how it is told.
#[derive(Debug, Args)]
pub(crate) struct LookArgs {
    #[command(flatten)]
    room: RoomArg,
    /// Write JSON instead, as `/docs/v1` answers
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: TenantArgs,
}

#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    /// A session ends where nobody wrote for so many minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 10)]
    pause: u64,
    #[command(flatten)]
    look: LookArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    from: FromArgs,
    #[command(flatten)]
    to: ToArgs,
    #[command(flatten)]
    look: LookArgs,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct FromArgs {
    /// The state before: after this commit
    #[arg(long = "from", value_name = "N")]
    from_commit: Option<u64>,
    /// The state before: at this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    from_at: Option<WallMs>,
    /// The state before: that of this version
    #[arg(long, value_name = "N")]
    from_version: Option<u64>,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct ToArgs {
    /// The state behind: after this commit [default: the newest]
    #[arg(long = "to", value_name = "N")]
    to_commit: Option<u64>,
    /// The state behind: at this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    to_at: Option<WallMs>,
    /// The state behind: that of this version
    #[arg(long, value_name = "N")]
    to_version: Option<u64>,
}

#[derive(Debug, Args)]
#[group(id = "target", args = ["commit", "at", "version"], required = true)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    target: StateArgs,
    /// Who restores it
    #[arg(long, value_name = "NAME", default_value = "operator")]
    by: String,
    #[command(flatten)]
    look: LookArgs,
}

/// One state of a document.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(super) struct StateArgs {
    /// The state after this commit
    #[arg(long, value_name = "N")]
    commit: Option<u64>,
    /// The state at this time, such as 2027-01-31T00:00:00.000Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<WallMs>,
    /// The state of this version
    #[arg(long, value_name = "N")]
    version: Option<u64>,
}

fn time(text: &str) -> Result<WallMs, &'static str> {
    time_of(text).ok_or("it is a time such as 2027-01-31T00:00:00.000Z")
}

fn moment(commit: Option<u64>, at: Option<WallMs>, version: Option<u64>) -> Moment {
    let commit = commit.map(|commit| Moment::Commit(CommitNumber(commit)));
    commit.or(at.map(Moment::At)).or(version.map(Moment::Version)).unwrap_or(Moment::Now)
}

impl StateArgs {
    pub(super) fn moment(&self) -> Moment {
        moment(self.commit, self.at, self.version)
    }
}

impl LookArgs {
    /// Opens the document, and has `tell` make a table or JSON of it.
    pub(super) fn run<const N: usize>(
        &self,
        tell: impl FnOnce(&mut OfflineHistory<'_>) -> Result<(Table<N>, Value), OfflineHistoryError>,
    ) -> Outcome {
        let absent = || DocError::NoRoom { name: self.room.room.clone() };
        let name = RoomName::new(&self.room.room).map_err(|_| absent())?;
        let (mut store, tenant) = folder::open_tenant(&self.data)?;
        let store: &mut dyn Store = &mut store;
        let (table, value) = tell(&mut OfflineHistory::open(store, tenant, name)?)?;
        let mut out = io::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, &value)?;
            writeln!(out)?;
        } else {
            table.write(&mut out)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) fn history(args: &HistoryArgs) -> Outcome {
    args.look.run(|document| {
        let past = document.past()?;
        let sessions = past.sessions(args.pause.saturating_mul(MINUTE_MS));
        let mut table = Table::new(["COMMITS", "FROM", "TO", "UPDATES", "BYTES", "AUTHORS"]);
        for session in &sessions {
            let authors: Vec<String> = session.authors.iter().map(who).collect();
            table.add([
                format!("{}-{}", session.first, session.last),
                time_text(session.from),
                time_text(session.to),
                session.updates.to_string(),
                session.bytes.to_string(),
                authors.join(", "),
            ]);
        }
        let sessions: Vec<Value> = sessions.iter().map(session_json).collect();
        let value = json!({ "first": past.first().0, "last": past.last().0, "sessions": sessions });
        Ok((table, value))
    })
}

pub(super) fn versions(args: &LookArgs) -> Outcome {
    args.run(|document| {
        let versions = document.versions()?;
        let mut table = Table::new(["VERSION", "COMMIT", "NAMED", "BY", "NAME"]);
        for version in &versions {
            table.add([
                version.number.to_string(),
                version.commit.to_string(),
                time_text(version.entry.at),
                who(&version.entry.author),
                version.name.clone(),
            ]);
        }
        let versions: Vec<Value> = versions.iter().map(version_json).collect();
        Ok((table, json!({ "versions": versions })))
    })
}

pub(super) fn blame(args: &LookArgs) -> Outcome {
    args.run(|document| {
        let past = document.past()?;
        let (_, newest) = document.state(Moment::Now)?;
        let authorship = past.authorship(newest.engine())?;
        let ranges = newest.written_by(&authorship)?;
        let mut table = Table::new(["PATH", "AT", "COMMIT", "WRITTEN", "BY", "TEXT"]);
        for WrittenRange { path, at, text, written } in &ranges {
            let written = written.as_ref();
            table.add([
                path.clone(),
                at.to_string(),
                written.map_or_else(String::new, |written| written.commit.to_string()),
                written.map_or_else(String::new, |written| time_text(written.at)),
                written.map_or_else(String::new, |written| who(&written.author)),
                text.clone(),
            ]);
        }
        let ranges: Vec<Value> = ranges.iter().map(range_json).collect();
        Ok((table, json!({ "ranges": ranges })))
    })
}

pub(super) fn diff(args: &DiffArgs) -> Outcome {
    let FromArgs { from_commit, from_at, from_version } = args.from;
    let ToArgs { to_commit, to_at, to_version } = args.to;
    args.look.run(|document| {
        let (from, before) = document.state(moment(from_commit, from_at, from_version))?;
        let (to, after) = document.state(moment(to_commit, to_at, to_version))?;
        let changes = before.changes_to(&after)?.unwrap_or_default();
        let told: Vec<Value> = changes.iter().map(change_json).collect();
        Ok((changes_table(&changes), json!({ "from": from.0, "to": to.0, "changes": told })))
    })
}

/// Returns a table of changes.
pub(super) fn changes_table(changes: &[Change]) -> Table<5> {
    let mut table = Table::new(["KIND", "PATH", "AT", "REMOVED", "INSERTED"]);
    changes.iter().for_each(|change| table.add(line(change)));
    table
}

fn line(change: &Change) -> [String; 5] {
    let told = change_json(change);
    let cell = |names: [&str; 2]| match names.iter().find_map(|name| told.get(*name)) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    [["kind"; 2], ["path"; 2], ["at"; 2], ["removed", "before"], ["inserted", "after"]].map(cell)
}

pub(super) fn restore(args: &RestoreArgs) -> Outcome {
    args.look.run(|document| {
        let author = Author { user: Some(args.by.as_str().into()), device: None };
        let changed = document.restore(args.target.moment(), author)?;
        let last = document.past()?.last();
        let mut table = Table::new(["COMMIT", "RESTORED"]);
        let what = if changed { "yes" } else { "it was so already" };
        table.add([last.to_string(), what.to_owned()]);
        Ok((table, json!({ "changed": changed, "commit": last.0 })))
    })
}

fn who(author: &Author) -> String {
    author.user.as_deref().or(author.device.as_deref()).unwrap_or_default().to_owned()
}
