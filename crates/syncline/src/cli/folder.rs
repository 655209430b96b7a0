//! Opening a data folder; `syncline verify` and `syncline vacuum`.

use std::{
    error::Error,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use syncline::{
    core::id::{TenantId, TenantName},
    server::finish_erasures,
    store::{
        Store,
        records::{RecordError, Tenants},
        sled_store::{OpenError, SledStore},
        verify as check,
    },
};

use super::{
    Outcome,
    settings::{DataArgs, SettingsError, TenantArgs, VerifyArgs},
};

/// Why a data folder was not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// Which one is not clear.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// There is none, and the command makes sense only if there is.
    #[error("there is no data folder {}; name it with --data-dir", path.display())]
    Absent {
        /// Where it was expected.
        path: PathBuf,
    },
    /// A server uses it.
    #[error("{} is in use by a running server (or another syncline command); stop it first", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// Nothing of the tenant is stored in it.
    #[error("there is no tenant {:?} in the data folder", name.as_str())]
    NoTenant {
        /// Its name.
        name: TenantName,
    },
    /// It cannot be read which tenants there are.
    #[error(transparent)]
    Tenants(#[from] RecordError),
    /// The store says why.
    #[error(transparent)]
    Store(OpenError),
}

/// Opens the data folder `path`, which is created if it is absent.
pub(crate) fn open(path: &Path) -> Result<SledStore, FolderError> {
    SledStore::open(path).map_err(|error| match error {
        OpenError::Locked { .. } => FolderError::InUse { path: path.to_owned() },
        other => FolderError::Store(other),
    })
}

/// Opens the data folder that `data` names, which must exist.
pub(crate) fn open_existing(data: &DataArgs) -> Result<SledStore, FolderError> {
    let path = data.data_dir()?;
    if !path.is_dir() {
        return Err(FolderError::Absent { path });
    }
    open(&path)
}

/// Opens the data folder that `data` names, which must exist and hold the tenant.
pub(crate) fn open_tenant(data: &TenantArgs) -> Result<(SledStore, TenantId), FolderError> {
    let store = open_existing(&data.data)?;
    let tenant = tenant(&store, &data.tenant)?;
    Ok((store, tenant))
}

/// Returns the number of a tenant that a store knows.
pub(crate) fn tenant(store: &dyn Store, name: &TenantName) -> Result<TenantId, FolderError> {
    let tenants = Tenants::load(store)?;
    tenants.id_of(name).ok_or_else(|| FolderError::NoTenant { name: name.clone() })
}

/// Checks every record, or every one of a tenant, and lists what is wrong.
pub(crate) fn verify(VerifyArgs { data, tenant: only }: &VerifyArgs) -> Outcome {
    let store = open_existing(data)?;
    let report = match only {
        Some(name) => check::verify_tenant(&store, tenant(&store, name)?)?,
        None => check::verify(&store)?,
    };
    let mut out = io::stdout().lock();
    let check::Report { keys, bytes, names, documents, snapshots, log_records, ledger_records, .. } = report;
    writeln!(out, "{keys} keys, {bytes} bytes")?;
    if report.tenants > 0 && only.is_none() {
        writeln!(out, "{} tenants besides {}", report.tenants, TenantName::DEFAULT)?;
    }
    writeln!(out, "{names} rooms, {documents} documents, {snapshots} snapshots, {log_records} commits")?;
    writeln!(out, "{ledger_records} pages of ledgers")?;
    writeln!(
        out,
        "{} documents without a room, {} unused chunks",
        report.unnamed_documents, report.garbage_chunks
    )?;
    for fault in &report.faults {
        match fault.source() {
            Some(source) => writeln!(out, "damaged: {fault}: {source}")?,
            None => writeln!(out, "damaged: {fault}")?,
        }
    }
    if report.faults.is_empty() {
        writeln!(out, "nothing is damaged")?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// Gives back the space of what was deleted; no file holds then what was erased.
pub(crate) fn vacuum(data: &DataArgs) -> Outcome {
    let mut store = open_existing(data)?;
    let done = match (finish_erasures(&mut store)?, store.vacuum_at_open()) {
        (Some(done), _) => done,
        // Opening rewrites a folder that is mostly garbage, so there may be nothing left to do.
        (None, Some(Ok(done))) => *done,
        (None, Some(Err(_)) | None) => store.vacuum()?,
    };
    writeln!(io::stdout(), "{} bytes on disk, {} before", done.after.disk_bytes, done.before.disk_bytes)?;
    Ok(ExitCode::SUCCESS)
}
