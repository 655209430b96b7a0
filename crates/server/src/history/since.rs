//! What has become of a document since a commit: who worked on it, and how far it is.

use std::collections::BTreeSet;

use syncline_core::{
    id::{CommitNumber, DocumentId, RoomName, TenantId},
    log::LogRecord,
};
use syncline_store::{
    Store,
    records::{self, LoadError, Summary},
};

use super::past::Unread;
use crate::{changes::Change, storage::Storage};

/// Returns what has changed behind the commit `after`; nothing if that is the newest. A document that has fewer commits is another one
/// than that of which someone knows so many: all of it has changed. Authors are those of commits that are kept.
pub(crate) async fn since(
    storage: &Storage,
    tenant: TenantId,
    name: &RoomName,
    document: DocumentId,
    after: CommitNumber,
) -> Result<Option<Change>, Unread> {
    let summary = storage.read(move |store| records::summary(store, tenant, document)).await?;
    let Summary { commit, edited, .. } = summary.map_err(LoadError::from)?;
    if commit == after {
        return Ok(None);
    }
    let (name, at) = (name.clone(), edited.unwrap_or_default());
    let mut change = Change { name, document, commit, at, authors: BTreeSet::new() };
    let after = if after < commit { after } else { CommitNumber(0) };
    let (covered, log) =
        storage.read(move |store| records::log_behind(store, tenant, document, after)).await??;
    let mut read = after;
    while let Some(page) = {
        let page = move |store: &dyn Store| records::history_page(store, tenant, document, read, covered);
        storage.read(page).await??
    } {
        let Some(last) = page.records.last().map(|record| record.number) else { break };
        join(&mut change, &page.records, after);
        read = last;
    }
    join(&mut change, &log, after);
    Ok(Some(change))
}

/// A page may begin before the commits that are asked for.
fn join(change: &mut Change, records: &[LogRecord], after: CommitNumber) {
    for record in records.iter().filter(|record| record.number > after) {
        if let Some(next) = Change::of(&change.name, change.document, record) {
            change.join(&next);
        }
    }
}
