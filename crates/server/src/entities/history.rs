//! The audit as the store keeps it: read from end to end, an entry at a time.

use std::{collections::BTreeMap, iter::Peekable};

use bytes::Bytes;
use syncline_core::{entity::UserName, id::TenantId};
use syncline_protocol::ledger::{
    UserNumber, Write,
    audit::{AuditEntry, AuditEvent, AuditFault, AuditHead, AuditIndex, AuditPayload, Audited as What},
    stored::{AUDIT, HEADS, StoredError, USER, audit_name},
};
use syncline_store::{
    RecordTooLong, Store,
    records::ledger::{LedgerReadError, LedgerShelf, history},
};

type Thing = Result<(Bytes, Bytes), LedgerReadError>;

/// The entries of the audit of a tenant, in order. Behind an error nothing is promised.
pub struct Audit<'s> {
    /// Entries, and behind each what lies beside it.
    things: Peekable<Box<dyn Iterator<Item = Thing> + 's>>,
    /// The next entry that is wanted.
    next: AuditIndex,
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
    /// The entries beside which values lie that an op wrote.
    pub payloads: u64,
    /// The users whose names lie beside entries.
    pub users: u64,
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
    /// What is left of a page is too long to be stored: a mistake in this program.
    #[error(transparent)]
    TooLong(RecordTooLong),
    /// The end of the audit, or what a user is called, cannot be read.
    #[error("the end of the audit, or the name of a user, cannot be read")]
    End(#[source] StoredError),
}

impl AuditError {
    /// Returns the number of the first entry that is not as it was written, if it is about an entry.
    #[must_use]
    pub fn index(&self) -> Option<u64> {
        match self {
            Self::Fault(fault) => Some(fault.index()),
            Self::Damaged { index, .. } | Self::Unreadable { index, .. } => Some(*index),
            Self::Read(_) | Self::TooLong(_) | Self::End(_) => None,
        }
    }

    /// The store could not read the page of this entry.
    fn of_read(index: AuditIndex, source: LedgerReadError) -> Self {
        match source {
            LedgerReadError::Damaged { .. } => Self::Damaged { index: index.0, source },
            _ => Self::Read(source),
        }
    }
}

impl<'s> Audit<'s> {
    /// Reads the audit of a tenant from an entry on.
    #[must_use]
    pub fn from(store: &'s dyn Store, tenant: TenantId, first: AuditIndex) -> Self {
        let next = first.max(AuditIndex(1));
        let before = audit_name(AuditIndex(next.0 - 1));
        let things: Box<dyn Iterator<Item = Thing> + 's> = Box::new(history(store, tenant, AUDIT, &before));
        Self { things: things.peekable(), next }
    }

    fn read(&mut self, thing: Thing) -> Result<Option<Audited>, AuditError> {
        let (name, bytes) = thing.map_err(|error| AuditError::of_read(self.next, error))?;
        let (index, entry) = match written(self.next, &name, &bytes)? {
            Write::Audit(index, entry) if index >= self.next => (index, *entry),
            // What lies beside no entry is passed over, too: nothing speaks of it.
            _ => return Ok(None),
        };
        self.next = AuditIndex(index.0.saturating_add(1));
        Ok(Some(Audited { index, entry, payload: self.payload(index)? }))
    }

    /// Returns what lies beside an entry.
    fn payload(&mut self, index: AuditIndex) -> Result<Option<AuditPayload>, AuditError> {
        let Some(Ok((name, bytes))) = self.things.peek() else { return Ok(None) };
        match written(index, name, bytes)? {
            Write::AuditPayload(of, payload) if of == index => Ok(Some(*payload)),
            _ => Ok(None),
        }
    }
}

impl Iterator for Audit<'_> {
    type Item = Result<Audited, AuditError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let thing = self.things.next()?;
            if let Some(read) = self.read(thing).transpose() {
                return Some(read);
            }
        }
    }
}

/// Reads the whole audit of a tenant, and checks the chain, its end, and what lies beside it.
///
/// # Errors
/// [`AuditError`] about the first entry that is not as it was written.
pub fn verify_audit(store: &dyn Store, tenant: TenantId) -> Result<AuditReport, AuditError> {
    let mut report = AuditReport::default();
    let users = AuditUsers::read(store, tenant)?;
    for audited in Audit::from(store, tenant, AuditIndex(1)) {
        let Audited { index, entry, payload } = audited?;
        report.end = report.end.verify([(index, &entry)])?;
        if let Some(payload) = payload {
            if !entry.has(&payload) {
                return Err(AuditFault::Payload { index: index.0 }.into());
            }
            match entry.event() {
                Some(AuditEvent { what: What::Known, .. }) => {
                    // What the ledger calls the user is not in the chain; what lies beside it is, until it is swept.
                    let known = users.0.get(&UserNumber(index));
                    if known.is_some_and(|known| payload.name().as_ref() != Some(known)) {
                        return Err(AuditFault::Payload { index: index.0 }.into());
                    }
                    report.users += 1;
                }
                Some(_) | None => report.payloads += 1,
            }
        }
    }
    report.end.check_end(stored_end(store, tenant)?)?;
    Ok(report)
}

/// What users are called whom the audit knows by number.
#[derive(Clone, Debug, Default)]
pub struct AuditUsers(BTreeMap<UserNumber, UserName>);

impl AuditUsers {
    /// Reads what the users of a tenant are called.
    ///
    /// # Errors
    /// [`AuditError`] if that cannot be read.
    pub fn read(store: &dyn Store, tenant: TenantId) -> Result<Self, AuditError> {
        let mut users = Vec::new();
        let note = |name: Bytes, bytes: Bytes| {
            if name.first() == Some(&USER) {
                users.push((name, bytes));
            }
        };
        LedgerShelf::load(store, tenant, note).map_err(AuditError::Read)?;
        let users = users.into_iter().map(|(name, bytes)| match Write::from_stored(&name, &bytes) {
            Ok(Write::User(number, Some(user))) => Ok((number, user)),
            Ok(_) => unreachable!("the name is that of a user"),
            Err(source) => Err(AuditError::End(source)),
        });
        users.collect::<Result<_, _>>().map(Self)
    }

    /// Returns what a user is called: their name, unless they were erased.
    #[must_use]
    pub fn called(&self, number: UserNumber) -> UserName {
        self.0.get(&number).cloned().unwrap_or_else(|| number.erased_name())
    }
}

/// Returns the end that the ledger has noted beside its chain.
fn stored_end(store: &dyn Store, tenant: TenantId) -> Result<AuditHead, AuditError> {
    let mut heads = None;
    let note = |name: Bytes, bytes: Bytes| {
        if name[..] == [HEADS] {
            heads = Some(bytes);
        }
    };
    LedgerShelf::load(store, tenant, note).map_err(AuditError::Read)?;
    let Some(bytes) = heads else { return Ok(AuditHead::default()) };
    match Write::from_stored(&[HEADS], &bytes) {
        Ok(Write::Heads(heads)) => Ok(heads.audit),
        Ok(_) => unreachable!("the name is that of the ends"),
        Err(source) => Err(AuditError::End(source)),
    }
}

/// Returns what was written; if that cannot be told, `index` is the entry from which on the audit is not whole.
fn written(index: AuditIndex, name: &[u8], bytes: &[u8]) -> Result<Write, AuditError> {
    Write::from_stored(name, bytes).map_err(|source| AuditError::Unreadable { index: index.0, source })
}
