//! What documents hold, for those who pull, export and import them.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use syncline_core::{
    entity::EntityKey,
    log::{Author, Engine},
};
use syncline_protocol::{
    Absorbed, Content,
    ledger::{Answer, PullChange, Pulled},
    wire::sync_v1::PullScope,
};
use tokio::sync::oneshot;

use super::{ask::Asked, refusal::Refusal};
use crate::{
    entities::{Answered, room_key},
    limits::{DOCUMENT_READS_MAX, PULL_DOCUMENT_BYTES_MAX},
    registry::{NotOpened, Registry},
    room::ToRoom,
};

/// What the documents of a pull hold, by its scopes.
#[derive(Default)]
pub(super) struct Contents(Vec<BTreeMap<EntityKey, Content>>);

impl Contents {
    /// Returns what a document holds. One that cannot be read is not there.
    pub(super) fn of(&self, scope: usize, key: &EntityKey) -> Option<&Content> {
        self.0.get(scope)?.get(key)
    }
}

/// What is told in one answer with a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    Nothing,
    /// What became of ops: it is told even if nothing can be pulled now.
    Results,
}

impl Beside {
    /// Returns what is told beside a pull of what became of so many ops.
    pub(super) fn ops(count: usize) -> Self {
        if count > 0 { Self::Results } else { Self::Nothing }
    }
}

/// Reads the documents that have changed, in the order of the pages, as far as their bytes go into one answer; there the pages
/// end.
pub(super) async fn read(
    asked: &Asked,
    scopes: &[PullScope],
    beside: Beside,
    answered: &mut Answered,
) -> Result<Contents, Refusal> {
    let Answer::Pulled(pulled) = &mut answered.answer else { return Ok(Contents::default()) };
    let mut wanted = Vec::new();
    for (scope, page) in pulled.scopes.iter().enumerate() {
        for (at, change) in page.changes.iter().enumerate() {
            if let PullChange::Document(key, _) = change {
                let have = scopes.get(scope).and_then(|asked| asked.have.get(&key.id)).cloned();
                wanted.push((scope, at, key.clone(), have));
            }
        }
    }
    let mut contents = Contents(vec![BTreeMap::new(); pulled.scopes.len()]);
    let reads = wanted.into_iter().map(|(scope, at, key, have)| async move {
        let content = content(asked, &key, Quota::Counts, have).await;
        (scope, at, key, content)
    });
    let mut reads = stream::iter(reads).buffered(DOCUMENT_READS_MAX);
    let mut bytes = 0_usize;
    while let Some((scope, at, key, content)) = reads.next().await {
        let content = match content {
            // What comes before is progress, and the rest comes when there are rooms again.
            Err(NotOpened::TooMany)
                if beside == Beside::Results
                    || at > 0
                    || pulled.scopes[..scope].iter().any(|page| !page.changes.is_empty()) =>
            {
                end_before(pulled, scope, at);
                break;
            }
            content => content?,
        };
        let Some(content) = content else { continue };
        let more = content.update.len() + content.state_vector.len();
        if bytes > 0 && bytes + more > PULL_DOCUMENT_BYTES_MAX {
            end_before(pulled, scope, at);
            break;
        }
        bytes += more;
        contents.0[scope].insert(key, content);
    }
    Ok(contents)
}

/// Ends the pages of a pull before the document at a place.
fn end_before(pulled: &mut Pulled, scope: usize, at: usize) {
    let is_document = |change: &PullChange| matches!(change, PullChange::Document(..));
    pulled.scopes[scope].cut(at);
    for page in &mut pulled.scopes[scope + 1..] {
        page.changes.iter().position(is_document).into_iter().for_each(|at| page.cut(at));
    }
}

/// Whether a document is read only if its tenant may have another room open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quota {
    Counts,
    /// It is one of many that are read one after the other, and there is no way around it.
    Waived,
}

/// Reads a document from its room, which is opened if need be: so a document that breaks its reader is found out where all
/// documents are.
pub(super) async fn content(
    asked: &Asked,
    key: &EntityKey,
    quota: Quota,
    have: Option<Bytes>,
) -> Result<Option<Content>, NotOpened> {
    let (done, content) = oneshot::channel();
    let (room, message) = (room_key(asked.tenant(), key), ToRoom::Read { have, done });
    match quota {
        Quota::Counts => Registry::tell(&asked.epoch, &room, message).await?,
        Quota::Waived => Registry::tell_anyway(&asked.epoch, &room, message).await?,
    };
    let content = content.await.ok();
    if content.is_none() && asked.shared.epoch().is_none() {
        return Err(NotOpened::Closed);
    }
    Ok(content)
}

/// Has the room of a document take in an update, and returns what became of it once that is durable. There is no saying if the
/// document cannot be opened.
pub(super) async fn absorb(
    asked: &Asked,
    key: &EntityKey,
    author: Author,
    update: Bytes,
) -> Result<Option<Absorbed>, NotOpened> {
    let (done, absorbed) = oneshot::channel();
    let message = ToRoom::Absorb { engine: Engine::Yjs, credit: author.into(), update, made_for: None, done };
    Registry::tell(&asked.epoch, &room_key(asked.tenant(), key), message).await?;
    let absorbed = absorbed.await.ok().filter(|absorbed| *absorbed != Absorbed::Broke);
    if absorbed.is_none() && asked.shared.epoch().is_none() {
        return Err(NotOpened::Closed);
    }
    Ok(absorbed)
}
