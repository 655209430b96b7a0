//! What holds of an Automerge document at every moment, checked from the outside.

use std::collections::BTreeSet;

use automerge::{Automerge, ChangeHash, ReadDoc, sync::Message};
use bytes::Bytes;
use syncline_core::log::LogRecord;
use syncline_protocol::Loaded;

use crate::{Violation, family::Watch, violation::unloadable};

/// Follows the durable image and everything that was shown.
#[derive(Default)]
pub(crate) struct Checker {
    durable: Automerge,
    /// Heads that clients were told.
    seen: BTreeSet<ChangeHash>,
}

impl Watch<Vec<ChangeHash>> for Checker {
    fn committed(&mut self, record: &LogRecord) -> Result<(), Violation> {
        record.entries.iter().try_for_each(|entry| {
            let before = self.durable.get_heads();
            take_up(&mut self.durable, &entry.update)?;
            let brings_nothing = self.durable.get_heads() == before;
            if brings_nothing { Err(Violation::ChangeTwice { number: record.number }) } else { Ok(()) }
        })
    }

    fn reloaded(&mut self, loaded: &Loaded) -> Result<(), Violation> {
        let mut durable = Automerge::new();
        if let Some(snapshot) = &loaded.snapshot {
            take_up(&mut durable, &snapshot.state)?;
        }
        for entry in loaded.log.iter().flat_map(|record| &record.entries) {
            take_up(&mut durable, &entry.update)?;
        }
        self.durable = durable;
        match self.seen.iter().find(|head| !self.holds(head)) {
            Some(head) => Err(Violation::HeadLost { head: head.to_string() }),
            None => Ok(()),
        }
    }

    fn shown(&mut self, message: &Bytes) -> Result<(), Violation> {
        let message = Message::decode(message).map_err(unloadable)?;
        for head in message.heads {
            if !self.holds(&head) {
                return Err(Violation::HeadBeforeDurable { head: head.to_string() });
            }
            self.seen.insert(head);
        }
        Ok(())
    }

    fn deleted(&mut self) {
        unreachable!("Automerge documents are not deleted here");
    }

    fn saved(&self, _heads: &Vec<ChangeHash>) -> Result<(), Violation> {
        unreachable!("no client of Automerge documents asks what is kept")
    }

    fn same(&self, replica: &str, heads: &Vec<ChangeHash>) -> Result<(), Violation> {
        let is_same = self.durable.get_heads() == *heads;
        if is_same { Ok(()) } else { Err(Violation::Diverged { replica: replica.to_owned() }) }
    }
}

impl Checker {
    fn holds(&self, head: &ChangeHash) -> bool {
        self.durable.get_change_meta_by_hash(head).is_some()
    }
}

fn take_up(document: &mut Automerge, update: &[u8]) -> Result<(), Violation> {
    document.load_incremental(update).map_err(unloadable)?;
    match document.get_missing_deps(&[]).first() {
        Some(missing) => Err(Violation::Unloadable { why: format!("{missing} is missing") }),
        None => Ok(()),
    }
}
