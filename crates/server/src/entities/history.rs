//! The audit as the store keeps it: read from end to end, an entry at a time.

use std::iter::Peekable;

use bytes::Bytes;
use syncline_protocol::ledger::{
    Write,
    audit::{AuditEntry, AuditFault, AuditHead, AuditIndex, AuditPayload},
    stored::{AUDIT, AUDIT_PAYLOAD, HEADS, StoredError},
};
use syncline_store::{
    Store,
    records::ledger::{LedgerReadError, things},
};

use crate::shared::ONLY_TENANT;

type Thing = Result<(Vec<u8>, Bytes), LedgerReadError>;

/// The entries of the audit of a store, in order. Behind an error nothing is promised.
pub struct Audit<'s> {
    entries: Box<dyn Iterator<Item = Thing> + 's>,
    payloads: Peekable<Box<dyn Iterator<Item = Thing> + 's>>,
}

/// An entry of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// Its number.
    pub index: AuditIndex,
    /// The entry.
    pub entry: AuditEntry,
    /// What lies beside it; none if there never was anything, or if it was erased.
    pub payload: Option<AuditPayload>,
}

/// What was found in an audit that is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// Its end.
    pub end: AuditHead,
    /// The entries beside which something lies.
    pub payloads: u64,
}

/// Why an audit is not whole, or not read. The store is at fault, or whoever has changed it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// It is not the one that was written.
    #[error(transparent)]
    Fault(#[from] AuditFault),
    /// The bytes of an entry are not those that were stored.
    #[error("entry {index} of the audit is damaged")]
    Damaged {
        /// Its number.
        index: u64,
        /// What is wrong with it.
        source: LedgerReadError,
    },
    /// An entry is none, or one of a newer version.
    #[error("entry {index} of the audit cannot be read")]
    Unreadable {
        /// Its number.
        index: u64,
        /// What is wrong with it.
        source: StoredError,
    },
    /// The store cannot be read, or the end of the audit is damaged.
    #[error(transparent)]
    Read(LedgerReadError),
    /// The end of the audit cannot be read.
    #[error("the end of the audit cannot be read")]
    End(#[source] StoredError),
}

impl AuditError {
    /// Returns the number of the first entry that is not as it was written, if it is about an entry.
    #[must_use]
    pub fn index(&self) -> Option<u64> {
        match self {
            Self::Fault(fault) => Some(fault.index()),
            Self::Damaged { index, .. } | Self::Unreadable { index, .. } => Some(*index),
            Self::Read(_) | Self::End(_) => None,
        }
    }

    /// The store could not read something of this name, if it was its fault.
    fn of_read(source: LedgerReadError) -> Self {
        let index = match &source {
            LedgerReadError::Damaged { name, .. } => index_of(name),
            _ => None,
        };
        match index {
            Some(index) => Self::Damaged { index, source },
            None => Self::Read(source),
        }
    }
}

impl<'s> Audit<'s> {
    /// Reads the audit of a store from an entry on.
    #[must_use]
    pub fn from(store: &'s dyn Store, first: AuditIndex) -> Self {
        let after = |tag| name_of(tag, first.0.saturating_sub(1));
        let read = |tag| -> Box<dyn Iterator<Item = Thing> + 's> {
            Box::new(things(store, ONLY_TENANT, &[tag], Some(&after(tag))))
        };
        Self { entries: read(AUDIT), payloads: read(AUDIT_PAYLOAD).peekable() }
    }

    fn read(&mut self, thing: Thing) -> Result<Audited, AuditError> {
        let (name, bytes) = thing.map_err(AuditError::of_read)?;
        let Write::Audit(index, entry) = written(&name, &bytes)? else {
            unreachable!("the name is one of an entry")
        };
        let payload = self.payload(index)?;
        Ok(Audited { index, entry: *entry, payload })
    }

    /// Returns what lies beside an entry. What lies beside none is passed over: nothing speaks of it.
    fn payload(&mut self, index: AuditIndex) -> Result<Option<AuditPayload>, AuditError> {
        let wanted = name_of(AUDIT_PAYLOAD, index.0);
        // What is damaged waits for its entry, too: one before that may be the first that is wrong.
        let is_at = |thing: &Thing| match thing {
            Ok((name, _)) | Err(LedgerReadError::Damaged { name, .. }) => *name <= wanted,
            Err(_) => true,
        };
        while let Some(thing) = self.payloads.next_if(is_at) {
            let (name, bytes) = thing.map_err(AuditError::of_read)?;
            if name == wanted
                && let Write::AuditPayload(_, Some(payload)) = written(&name, &bytes)?
            {
                return Ok(Some(*payload));
            }
        }
        Ok(None)
    }
}

impl Iterator for Audit<'_> {
    type Item = Result<Audited, AuditError>;

    fn next(&mut self) -> Option<Self::Item> {
        let thing = self.entries.next()?;
        Some(self.read(thing))
    }
}

/// Reads the whole audit of a store, and checks the chain, its end, and what lies beside it.
///
/// # Errors
/// [`AuditError`] about the first entry that is not as it was written.
pub fn verify_audit(store: &dyn Store) -> Result<AuditReport, AuditError> {
    let mut report = AuditReport::default();
    for audited in Audit::from(store, AuditIndex(1)) {
        let Audited { index, entry, payload } = audited?;
        report.end = report.end.verify([(index, &entry)])?;
        if let Some(payload) = payload {
            if !entry.has(&payload) {
                return Err(AuditFault::Payload { index: index.0 }.into());
            }
            report.payloads += 1;
        }
    }
    report.end.check_end(stored_end(store)?)?;
    Ok(report)
}

/// Returns the end that the ledger has noted beside its chain.
fn stored_end(store: &dyn Store) -> Result<AuditHead, AuditError> {
    let Some(thing) = things(store, ONLY_TENANT, &[HEADS], None).next() else {
        return Ok(AuditHead::default());
    };
    let (name, bytes) = thing.map_err(AuditError::Read)?;
    match Write::from_stored(&name, &bytes) {
        Ok(Write::Heads(heads)) => Ok(heads.audit),
        Ok(_) => unreachable!("the name is that of the ends"),
        Err(source) => Err(AuditError::End(source)),
    }
}

fn written(name: &[u8], bytes: &[u8]) -> Result<Write, AuditError> {
    let index = index_of(name).unwrap_or_default();
    Write::from_stored(name, bytes).map_err(|source| AuditError::Unreadable { index, source })
}

fn name_of(tag: u8, index: u64) -> Vec<u8> {
    [&[tag][..], &index.to_be_bytes()].concat()
}

/// Returns the number of the entry that something of this name belongs to.
fn index_of(name: &[u8]) -> Option<u64> {
    let (tag, rest) = name.split_first()?;
    let is_of_audit = [AUDIT, AUDIT_PAYLOAD].contains(tag);
    if is_of_audit { rest.try_into().ok().map(u64::from_be_bytes) } else { None }
}
