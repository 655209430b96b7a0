//! `syncline devices`: devices that sync entities with a data folder.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Subcommand;
use syncline::{
    core::entity::ActorName,
    protocol::{
        ledger::{Answer, DeviceRefusal, Input, Refused},
        wire::sync_v1::{DeviceView, devices_body, time_text},
    },
    server::OfflineLedger,
};

use super::{Outcome, folder, settings::TenantArgs, table::Table};

pub(crate) const EXAMPLES: &str = "\
Examples:
  syncline devices list
  syncline devices list --json
  syncline devices revoke phone-7";

#[derive(Debug, Subcommand)]
pub(crate) enum DevicesCommand {
    /// Lists the devices with their users, and how they keep up.
    List {
        /// Write JSON instead, as GET /sync/v1/devices answers
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        data: TenantArgs,
    },
    /// Shuts a device out for ever: what it has not sent by now is never taken.
    Revoke {
        /// The device
        id: String,
        #[command(flatten)]
        data: TenantArgs,
    },
}

/// Why a device was not shut out.
#[derive(Debug, thiserror::Error)]
enum DeviceError {
    #[error("there is no device {id:?}; `syncline devices list` lists those that there are")]
    Unknown { id: String },
    #[error("{id} was revoked before; nothing is left to do")]
    Revoked { id: String },
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the ledger answers another question")]
    Unexpected,
}

impl DevicesCommand {
    pub(crate) fn run(self) -> Outcome {
        match self {
            Self::List { json, data } => {
                let (mut store, tenant) = folder::open_tenant(&data)?;
                list(&OfflineLedger::open(&mut store, tenant)?, json)
            }
            Self::Revoke { id, data } => {
                let (mut store, tenant) = folder::open_tenant(&data)?;
                revoke(&mut OfflineLedger::open(&mut store, tenant)?, id)
            }
        }
    }
}

fn list(entities: &OfflineLedger<'_>, json: bool) -> Outcome {
    let mut out = io::stdout().lock();
    let devices = entities.ledger().device_statuses(entities.now());
    if json {
        writeln!(out, "{}", devices_body(devices.iter().map(DeviceView::of)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let heads = ["DEVICE", "USER", "HEALTH", "PENDING", "BOUND", "LAST SEEN", "REVOKED", "NAME", "APP"];
    let mut table = Table::new(heads);
    for device in devices.iter().map(DeviceView::of) {
        table.add([
            device.id.to_owned(),
            device.user.to_owned(),
            device.health.as_str().to_owned(),
            device.backlog.map_or_else(String::new, |backlog| backlog.pending.to_string()),
            time_text(device.bound_at),
            device.last_seen.map_or_else(String::new, time_text),
            device.revoked_at.map_or_else(String::new, time_text),
            device.name.unwrap_or_default().to_owned(),
            device.app.unwrap_or_default().to_owned(),
        ]);
    }
    table.write(&mut out)?;
    Ok(ExitCode::SUCCESS)
}

fn revoke(entities: &mut OfflineLedger<'_>, id: String) -> Outcome {
    let Ok(actor) = ActorName::device(&id) else { return Err(DeviceError::Unknown { id }.into()) };
    let answer = entities.ask(|request| Input::Revoke { request, actor, user: None })?;
    match answer {
        Answer::Device { binding, .. } => {
            let at = time_text(binding.revoked_at.unwrap_or(binding.seen_at));
            writeln!(
                io::stdout(),
                "{id} of {} is revoked since {at}",
                super::table::plain(binding.user.as_str())
            )?;
            Ok(ExitCode::SUCCESS)
        }
        Answer::Refused(Refused::Device(DeviceRefusal::NotBound)) => Err(DeviceError::Unknown { id }.into()),
        Answer::Refused(Refused::Device(DeviceRefusal::Revoked)) => Err(DeviceError::Revoked { id }.into()),
        Answer::Refused(refused) => Err(DeviceError::Refused(refused).into()),
        _ => Err(DeviceError::Unexpected.into()),
    }
}
