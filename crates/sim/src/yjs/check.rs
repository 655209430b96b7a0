//! What holds of a Yjs document at every moment, checked from the outside.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use syncline_core::{
    doc::YjsDocument,
    guard::{scan_state_vector, scan_update},
    id::ClientId,
    log::LogRecord,
};
use syncline_protocol::Loaded;

use super::client::Message;
use crate::{Violation, family::Watch, violation::unloadable};

/// Follows the durable image and everything that was shown.
#[derive(Default)]
pub(crate) struct Checker {
    durable: YjsDocument,
    /// Elements that are deleted in the durable image.
    deleted: BTreeSet<(ClientId, u32)>,
    seen: BTreeMap<ClientId, u32>,
    /// Who wrote in deleted documents of the name.
    former: BTreeSet<ClientId>,
}

impl Watch<Bytes> for Checker {
    fn committed(&mut self, record: &LogRecord) -> Result<(), Violation> {
        for entry in &record.entries {
            let scanned = scan_update(&entry.update).map_err(unloadable)?;
            for section in scanned.sections() {
                if self.former.contains(&section.client) {
                    return Err(Violation::CameBack { client: section.client });
                }
                let expected = self.durable.clock(section.client);
                if section.clock != expected {
                    let (number, client) = (record.number, section.client);
                    return Err(Violation::NotExactlyOnce { number, client, clock: section.clock, expected });
                }
            }
            self.durable.replay(&entry.update).map_err(unloadable)?;
        }
        self.note_deleted()
    }

    fn reloaded(&mut self, loaded: &Loaded) -> Result<(), Violation> {
        self.durable = YjsDocument::load(loaded.snapshot.as_ref(), &loaded.log).map_err(unloadable)?;
        self.note_deleted()?;
        if let Some(&client) = self.durable.writers().intersection(&self.former).next() {
            return Err(Violation::CameBack { client });
        }
        for (&client, &shown) in &self.seen {
            let there = self.durable.clock(client);
            if there < shown {
                return Err(Violation::SeenAndLost { client, shown, there });
            }
        }
        Ok(())
    }

    fn shown(&mut self, frame: &Bytes) -> Result<(), Violation> {
        match Message::read(frame) {
            Some(Message::Step1(state)) => {
                for (client, clock) in scan_state_vector(state).map_err(unloadable)? {
                    self.shown_upto(client, clock)?;
                }
            }
            Some(Message::Step2(update) | Message::Update(update)) => {
                let scanned = scan_update(update).map_err(unloadable)?;
                for section in scanned.sections() {
                    self.shown_upto(section.client, section.end())?;
                }
                for range in scanned.deletes() {
                    for clock in range.clock..range.end() {
                        if !self.deleted.contains(&(range.client, clock)) {
                            return Err(Violation::DeletionBeforeDurable { client: range.client, clock });
                        }
                    }
                }
            }
            Some(Message::Durable | Message::Kept(_)) | None => {}
        }
        Ok(())
    }

    fn deleted(&mut self) {
        self.former.append(&mut self.durable.writers());
        self.durable = YjsDocument::default();
        self.deleted.clear();
        self.seen.clear();
    }

    fn saved(&self, state: &Bytes) -> Result<(), Violation> {
        let scanned = scan_update(state).map_err(unloadable)?;
        for section in scanned.sections() {
            let (client, held) = (section.client, section.end());
            if held > self.durable.clock(client) {
                return Err(Violation::SavedBeforeDurable { client, held });
            }
        }
        let deletes = scanned.deletes().iter();
        let mut deleted =
            deletes.flat_map(|range| (range.clock..range.end()).map(|clock| (range.client, clock)));
        match deleted.find(|id| !self.deleted.contains(id)) {
            Some((client, held)) => Err(Violation::SavedBeforeDurable { client, held }),
            None => Ok(()),
        }
    }

    fn same(&self, replica: &str, state: &Bytes) -> Result<(), Violation> {
        let mut document = YjsDocument::default();
        document.replay(state).map_err(unloadable)?;
        let same_clocks = document.state_vector() == self.durable.state_vector();
        let same = same_clocks && document.to_json().ok() == self.durable.to_json().ok();
        same.then_some(()).ok_or_else(|| Violation::Diverged { replica: replica.into() })
    }
}

impl Checker {
    fn shown_upto(&mut self, client: ClientId, shown: u32) -> Result<(), Violation> {
        let durable = self.durable.clock(client);
        if shown > durable {
            return Err(Violation::VisibleBeforeDurable { client, shown, durable });
        }
        let seen = self.seen.entry(client).or_default();
        *seen = shown.max(*seen);
        Ok(())
    }

    fn note_deleted(&mut self) -> Result<(), Violation> {
        let whole = self.durable.encode().map_err(unloadable)?;
        let scanned = scan_update(&whole).map_err(unloadable)?;
        let clocks = |range: &syncline_core::guard::DeleteRange| {
            let client = range.client;
            (range.clock..range.end()).map(move |clock| (client, clock))
        };
        self.deleted = scanned.deletes().iter().flat_map(clocks).collect();
        Ok(())
    }
}
