//! What a room stores, and who is told when that is durable.

use syncline_core::log::LogRecord;
use syncline_protocol::CloseReason;
use syncline_store::{
    Batch, RecordTooLong,
    records::{self, Named},
};

use super::RoomTask;
use crate::{changes::Change, deletion};

impl RoomTask {
    /// Returns what stores a commit, and what that changes; notes what hooks are told of it once it is durable.
    pub(super) fn batch(&mut self, record: &LogRecord) -> Result<(Batch, Option<Change>), RecordTooLong> {
        let mut batch = Batch::new();
        records::put_log(&mut batch, self.key.tenant.id(), self.document, record)?;
        if !self.named {
            records::put_named(&mut batch, self.key.tenant.id(), &self.key.name, self.named());
            if let Some(branch) = &self.branch {
                records::put_branch(&mut batch, self.key.tenant.id(), self.document, branch);
            }
        }
        let change = Change::of(&self.key.name, self.document, record);
        if let Some(change) = change.as_ref().filter(|_| !self.hooks.is_empty()) {
            self.notices = self.epoch.hooks.notices(&self.hooks, &self.key, change, !self.named);
            self.epoch.hooks.put(&mut batch, &self.notices);
        }
        Ok((batch, change))
    }

    pub(super) fn named(&self) -> Named {
        Named { document: self.document, engine: self.machine.engine() }
    }

    /// Notes that the commit under way is durable, and tells hooks.
    pub(super) fn committed(&mut self) {
        if !std::mem::replace(&mut self.named, true) {
            self.epoch.directories.of(self.key.tenant.id()).created(&self.key.name);
        }
        self.edited = self.committing.take().or(self.edited);
        self.epoch.hooks.tell(std::mem::take(&mut self.notices));
    }

    /// Deletes the document, behind all that the room has stored of it. Returns why everyone is closed: nobody is told that it was
    /// deleted before that is durable.
    pub(super) async fn delete(&mut self) -> CloseReason {
        if self.commit.is_under_way()
            && let Err(error) = self.commit.done().await
        {
            return error.close_reason();
        }
        let tenant = self.key.tenant.id();
        let name = self.key.name.clone();
        let known = self.epoch.storage.read(move |store| records::former(store, tenant, &name)).await;
        let Ok(Ok(known)) = known else { return CloseReason::StoreDown };
        let former = known.and(self.machine.former());
        let end = self.epoch.hooks.end_of(&self.key, self.document, self.epoch.clock.now().wall);
        let mut batch = match deletion::batch_of(tenant, &self.key.name, &former) {
            Ok(batch) => batch,
            Err(error) => {
                tracing::error!(room = self.key.name.as_str(), %error, "a deletion has no record");
                return CloseReason::Internal;
            }
        };
        self.epoch.hooks.put(&mut batch, &end);
        if self.key.tenant.commit(&self.epoch.storage, batch).await.is_err() {
            return CloseReason::StoreDown;
        }
        self.epoch.hooks.tell(end);
        self.named = false;
        let by = self.deletions.first().map(|(author, _)| author.clone());
        deletion::deleted(&self.epoch, &self.key, self.document, by);
        CloseReason::Deleted
    }
}
