//! `POST /sync/v1/import`: records that were exported, here or elsewhere.

use axum::{
    body::{Body, BodyDataStream},
    http::StatusCode,
    response::Response,
};
use futures_util::StreamExt;
use syncline_core::entity::{EntityKey, TypeForm, TypeName};
use syncline_protocol::{
    ledger::{Answer, Import, Imported, Input},
    wire::sync_v1::{Code, ImportError, ImportLine, ImportReader, ImportTally, Problem},
};

use super::{
    ask::Asked,
    refusal::Refusal,
    reply::{json, unexpected},
    types,
    unpack::broken_off,
};
use crate::{
    access::EntityRights,
    limits::{IMPORT_BATCH_BYTES, IMPORT_BATCH_RECORDS, IMPORT_REFUSED_MAX, SYNC_BODY_BYTES_MAX},
};

pub(super) async fn import(asked: Asked, body: Body) -> Result<Response, Refusal> {
    asked.may(EntityRights::Admin)?;
    let (mut reader, mut tally) = (ImportReader::default(), ImportTally::default());
    let mut lines = Lines { body: body.into_data_stream(), bytes: Vec::new(), searched: 0 };
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some(line) = lines.next().await? {
        match reader.read(&line).map_err(malformed)? {
            ImportLine::Types(types) => declare(&asked, types).await?,
            ImportLine::Record(record) => {
                bytes += line.len();
                batch.push(record);
                if batch.len() >= IMPORT_BATCH_RECORDS || bytes >= IMPORT_BATCH_BYTES {
                    take(&asked, std::mem::take(&mut batch), &mut tally).await?;
                    bytes = 0;
                }
            }
            ImportLine::End => take(&asked, std::mem::take(&mut batch), &mut tally).await?,
        }
    }
    reader.finish().map_err(malformed)?;
    let ImportTally { imported, unchanged, .. } = tally;
    // The audit knows the ops, but not who had them made.
    tracing::info!(user = %asked.user, imported, unchanged, refused = !tally.refused.is_empty(), "an export was imported");
    Ok(json(StatusCode::OK, tally.body()))
}

fn malformed(error: ImportError) -> Refusal {
    Problem::new(Code::MalformedRequest).because(error).into()
}

/// Declares the types that are not known. Those that are stay as they are.
async fn declare(asked: &Asked, forms: Vec<(TypeName, String)>) -> Result<(), Refusal> {
    for (name, form) in forms {
        let wanted = name.clone();
        if asked.look(move |ledger| ledger.entity_type(&wanted).is_some()).await? {
            continue;
        }
        let form: TypeForm = serde_json::from_str(&form).map_err(|error| {
            Problem::new(Code::MalformedRequest).because(format!("type `{name}`: {error}"))
        })?;
        let ty = Box::new(form.named(name).map_err(|error| types::refused(&error.into()))?);
        match asked.ledger(|_, request| Input::DefineType { request, ty }).await?.answer {
            Answer::TypeDefined { .. } => {}
            Answer::TypeRefused(error) => return Err(types::refused(&error).into()),
            _ => return Err(unexpected()),
        }
    }
    Ok(())
}

async fn take(asked: &Asked, records: Vec<Import>, tally: &mut ImportTally) -> Result<(), Refusal> {
    let keys: Vec<EntityKey> = records.iter().map(|record| record.key.clone()).collect();
    let answered = asked.ledger(|_, request| Input::Import { request, records }).await?;
    let Answer::Imported(imported) = answered.answer else { return Err(unexpected()) };
    for (key, imported) in keys.into_iter().zip(imported) {
        match imported {
            Imported::Created => tally.imported += 1,
            Imported::Unchanged => tally.unchanged += 1,
            Imported::Refused(refusal) if tally.refused.len() < IMPORT_REFUSED_MAX => {
                tally.refused.push((key, refusal));
            }
            Imported::Refused(_) => tally.refused_beyond += 1,
        }
    }
    Ok(())
}

/// The lines of a body, of which no more than one is held.
struct Lines {
    body: BodyDataStream,
    /// What was received and is still to be read.
    bytes: Vec<u8>,
    /// How many of these bytes hold no end of a line.
    searched: usize,
}

impl Lines {
    /// Returns the next line without its end; the last one may have none.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Refusal> {
        loop {
            if let Some(at) = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n') {
                let rest = self.bytes.split_off(self.searched + at + 1);
                let mut line = std::mem::replace(&mut self.bytes, rest);
                self.searched = 0;
                line.pop();
                return Ok(Some(line));
            }
            self.searched = self.bytes.len();
            if self.searched > SYNC_BODY_BYTES_MAX {
                let problem = Problem::new(Code::PayloadTooLarge).because("a line is too long");
                return Err(Problem { max: Some(SYNC_BODY_BYTES_MAX as u64), ..problem }.into());
            }
            match self.body.next().await {
                Some(Ok(bytes)) => self.bytes.extend(bytes),
                Some(Err(error)) => return Err(broken_off(&error).into()),
                None if self.bytes.is_empty() => return Ok(None),
                None => {
                    self.searched = 0;
                    return Ok(Some(std::mem::take(&mut self.bytes)));
                }
            }
        }
    }
}
