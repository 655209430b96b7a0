//! `syncline audit`: what has happened to the entities of a data folder.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    num::NonZeroU64,
    path::PathBuf,
    process::ExitCode,
};

use clap::Subcommand;
use syncline::{
    core::id::TenantId,
    protocol::{ledger::audit::AuditIndex, wire::sync_v1::audit_line},
    server::{Audit, AuditUsers, verify_audit},
    store::Store,
};

use super::{Outcome, at, folder, settings::TenantArgs};

pub(crate) const EXAMPLES: &str = "\
Examples:
  syncline audit verify
  syncline audit export --out audit.ndjson
  syncline audit export --from 1000 | jq .event";

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Checks the chain of hashes and what lies beside it; exit code 1 if anything was changed, left out or put in.
    Verify(TenantArgs),
    /// Writes the entries as JSON, one a line: index, time, event, its bytes, hash, hash before it, values.
    #[command(
        after_help = "`hash` is SHA-256 over `previous`, the index as 8 bytes (big-endian) and `bytes`. \
        A payload that was erased is left out."
    )]
    Export {
        /// The first entry
        #[arg(long, value_name = "N", default_value = "1")]
        from: NonZeroU64,
        /// Where to write them [default: stdout]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        data: TenantArgs,
    },
}

impl AuditCommand {
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::Verify(data) => {
                let (store, tenant) = folder::open_tenant(&data)?;
                verify(&store, tenant)
            }
            Self::Export { from, out, data } => {
                let (store, tenant) = folder::open_tenant(&data)?;
                let mut out: Box<dyn Write> = match out {
                    Some(path) => Box::new(File::create(&path).map_err(|error| at(&path, &error))?),
                    None => Box::new(io::stdout().lock()),
                };
                export(&store, tenant, from.get(), &mut BufWriter::new(&mut out))
            }
        }
    }
}

fn verify(store: &dyn Store, tenant: TenantId) -> Outcome {
    let mut out = io::stdout().lock();
    match verify_audit(store, tenant) {
        Ok(report) => {
            let entries = report.end.index.0;
            let (values, users) = (report.payloads, report.users);
            writeln!(
                out,
                "{entries} entries, {values} of them with values, {users} users; the chain is whole"
            )?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => match error.index() {
            Some(index) => {
                writeln!(out, "broken at {index}: {error}")?;
                Ok(ExitCode::FAILURE)
            }
            None => Err(error.into()),
        },
    }
}

fn export(store: &dyn Store, tenant: TenantId, from: u64, out: &mut dyn Write) -> Outcome {
    let users = AuditUsers::read(store, tenant)?;
    let mut previous = [0; 32];
    // The entry before the first one is read for its hash.
    for audited in Audit::from(store, tenant, AuditIndex(from.saturating_sub(1))) {
        let audited = audited?;
        if audited.index.0 >= from {
            let payload = audited.payload.as_ref();
            let line =
                audit_line(audited.index, &audited.entry, &previous, payload, |user| users.called(user));
            writeln!(out, "{line}")?;
        }
        previous = audited.entry.hash;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
