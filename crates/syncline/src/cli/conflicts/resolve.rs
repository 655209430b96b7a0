//! `syncline conflicts resolve`.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Args;
use serde::de::IgnoredAny;
use serde_json::json;
use syncline::{
    core::entity::conflict::{Conflict, ConflictError, Request},
    protocol::{
        ledger::{Answer, ConflictId, ConflictRefusal, ConflictWish, Input, OpResult},
        wire::sync_v1::{OpFault, Problem, RequestError, Resolve, conflict_name},
    },
    server::OfflineLedger,
};

use super::{NoConflict, find};
use crate::cli::{Outcome, folder, settings::TenantArgs};

/// What is to become of a conflict.
#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    /// The conflict, such as cnf_7
    id: String,
    /// What to keep: server, client, candidate:N, merged or discard
    #[arg(long, value_parser = choice)]
    choice: String,
    /// The merged value, an object of fields in JSON
    #[arg(long, value_name = "JSON", required_if_eq("choice", "merged"))]
    value: Option<String>,
    /// Why, for those who read the conflict later
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    rationale: String,
    /// Who decides
    #[arg(long, value_name = "NAME", default_value = "operator")]
    by: String,
    #[command(flatten)]
    data: TenantArgs,
}

/// Why a conflict is as it was.
#[derive(Debug, thiserror::Error)]
enum ResolveError {
    #[error("--value goes with --choice merged only")]
    Misplaced,
    #[error("--value is no JSON")]
    NotJson(#[source] serde_json::Error),
    #[error("--value does not do: {0}")]
    Value(RequestError),
    #[error("--value does not do at {:?}: {}", .0.pointer, .0.reason)]
    Fault(OpFault),
    #[error("{id} cannot be settled so: {source}; `syncline conflicts show {id}` shows what can be chosen")]
    State { id: String, source: ConflictError },
    #[error("the record does not take that: {}", .0.join(", "))]
    Record(Vec<String>),
    #[error(transparent)]
    Unknown(#[from] NoConflict),
    #[error("the ledger answers another question")]
    Unexpected,
}

impl ResolveArgs {
    pub(super) fn run(self) -> Outcome {
        let (mut store, tenant) = folder::open_tenant(&self.data)?;
        let mut entities = OfflineLedger::open(&mut store, tenant)?;
        let (id, conflict) = find(&entities, &self.id)?;
        let request = self.request(&entities, id, conflict)?;
        let wish = ConflictWish::Resolve(request);
        let answer = entities.ask(|request| Input::Conflict { request, conflict: id, wish })?;
        match answer {
            Answer::Conflict { result, .. } => {
                writeln!(io::stdout(), "{} is resolved; {}", self.id, became(result.as_deref()))?;
                Ok(ExitCode::SUCCESS)
            }
            Answer::ConflictRefused(refusal) => Err(self.refused(refusal).into()),
            _ => Err(ResolveError::Unexpected.into()),
        }
    }

    /// Returns the request, which is read as one from the network is: numbers are exact, and bounds hold.
    fn request(
        &self,
        entities: &OfflineLedger<'_>,
        id: ConflictId,
        conflict: &Conflict,
    ) -> Result<Request, ResolveError> {
        let ver = entities.ledger().record(conflict.entity()).map_or(0, |record| record.ver.0);
        let head = json!({
            "conflict_id": conflict_name(id),
            // Who has settled a conflict has changed its revision: no two requests have the same name.
            "resolution_id": format!("command-{}", conflict.rev()),
            "expect": { "conflict_rev": conflict.rev().to_string(), "entity_ver": ver.to_string() },
            "choice": self.choice,
            "rationale": self.rationale,
        });
        let mut body = head.to_string();
        if let Some(value) = &self.value {
            if self.choice != "merged" {
                return Err(ResolveError::Misplaced);
            }
            // It is one value and nothing behind it, so it can stand where a value does.
            serde_json::from_str::<IgnoredAny>(value).map_err(ResolveError::NotJson)?;
            body.pop();
            body += &format!(",\"value\":{value}}}");
        }
        let read = Resolve::parse(body.as_bytes(), &self.by).map_err(ResolveError::Value)?;
        read.request.map_err(|faults| match faults.into_iter().next() {
            Some(fault) => ResolveError::Fault(fault),
            None => ResolveError::Unexpected,
        })
    }

    fn refused(&self, refusal: ConflictRefusal) -> ResolveError {
        let id = self.id.clone();
        match refusal {
            ConflictRefusal::State(source, _) => ResolveError::State { id, source },
            ConflictRefusal::Record(refusal) => ResolveError::Record(reasons(&Problem::from(&refusal))),
            ConflictRefusal::Unknown => NoConflict { id }.into(),
            ConflictRefusal::LastLevel | ConflictRefusal::CommentsFull => ResolveError::Unexpected,
        }
    }
}

fn choice(text: &str) -> Result<String, &'static str> {
    let place = text.strip_prefix("candidate:");
    let is_known = ["server", "client", "merged", "discard"].contains(&text)
        || place.is_some_and(|at| at.parse::<usize>().is_ok());
    if is_known { Ok(text.to_owned()) } else { Err("it is server, client, candidate:N, merged or discard") }
}

fn reasons(problem: &Problem) -> Vec<String> {
    let wrong = problem.errors.iter().map(|wrong| match wrong.bound {
        Some(bound) => format!("{} {} {bound}", wrong.pointer, wrong.code),
        None => format!("{} {}", wrong.pointer, wrong.code),
    });
    [problem.code.as_str().to_owned()].into_iter().chain(wrong).collect()
}

fn became(result: Option<&OpResult>) -> String {
    match result {
        Some(OpResult { entity, record: Some(record), .. }) => {
            format!("{} {} is now at version {}", entity.kind, entity.id, record.ver)
        }
        Some(OpResult { record: None, .. }) | None => "the record is as it was".to_owned(),
    }
}
