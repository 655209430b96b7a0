//! Looks at every key of a store and lists what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::{
    access::Subject,
    hook::{HookMarkId, HookName},
    id::{CommitNumber, DocumentId, RoomName, TenantId},
};

use crate::{
    assembly::{Assembly, Finished, Outcome},
    envelope::{self, RecordFault},
    key::{Key, Kind, Place, Slot},
    port::{ReadError, Store},
    records::{
        decode_branch, decode_count, decode_former, decode_log, decode_mark, decode_named, decode_page,
        decode_revocation, decode_tenant, decode_time, decode_version,
    },
    walk::Walk,
};

/// What a store holds, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Keys that were looked at.
    pub keys: u64,
    /// Bytes of those keys and their values.
    pub bytes: u64,
    /// Tenants besides the one that is always there.
    pub tenants: u64,
    /// Names of rooms.
    pub names: u64,
    /// Documents that have a snapshot or a log.
    pub documents: u64,
    /// Snapshots, older ones included.
    pub snapshots: u64,
    /// Commits in all logs.
    pub log_records: u64,
    /// Pages of ledgers.
    pub ledger_records: u64,
    /// Revocations of credentials.
    pub revocations: u64,
    /// What hooks are to be told, or could not be.
    pub hook_marks: u64,
    /// Chunks that no head claims. They are harmless and go with the next compaction of their document.
    pub garbage_chunks: u64,
    /// Documents that no name means, such as generations that were replaced. No fault in itself.
    pub unnamed_documents: u64,
    /// Everything that is wrong, in the order of the keys.
    pub faults: Vec<Fault>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// No record has such a key.
    #[error("unknown key {key:?}")]
    UnknownKey {
        /// The key.
        key: Key,
    },
    /// The name of a tenant is damaged.
    #[error("the name of tenant {tenant} is damaged")]
    Tenant {
        /// Which.
        tenant: TenantId,
        /// What is wrong with it.
        source: RecordFault,
    },
    /// Something is stored of a tenant that has no name, so nobody reaches it.
    #[error("tenant {tenant} has no name")]
    NamelessTenant {
        /// Which.
        tenant: TenantId,
    },
    /// The record of a name is damaged.
    #[error("the name {name} of tenant {tenant} is damaged")]
    Name {
        /// Whose room.
        tenant: TenantId,
        /// Its name.
        name: RoomName,
        /// What is wrong.
        source: RecordFault,
    },
    /// The record of who wrote in deleted documents of a name is damaged: the room does not open.
    #[error("who wrote in deleted documents of {name} of tenant {tenant} is damaged")]
    Former {
        /// Whose room.
        tenant: TenantId,
        /// Its name.
        name: RoomName,
        /// What is wrong.
        source: RecordFault,
    },
    /// A name means a document that has neither a snapshot nor a log.
    #[error("the name {name} of tenant {tenant} means document {document}, of which there is nothing")]
    NameOfNothing {
        /// Whose room.
        tenant: TenantId,
        /// Its name.
        name: RoomName,
        /// The document it means.
        document: DocumentId,
    },
    /// A record of a document is damaged.
    #[error(
        "the {:?} record of commit {} of document {} of tenant {} is damaged",
        slot.kind, slot.number, slot.document, slot.tenant
    )]
    Record {
        /// The place of its head.
        slot: Slot,
        /// What is wrong.
        source: RecordFault,
    },
    /// A page of what a ledger keeps is damaged.
    #[error("what the ledger of tenant {tenant} keeps under {name:02x?} is damaged")]
    Ledger {
        /// Whose ledger.
        tenant: TenantId,
        /// The name of the page.
        name: Vec<u8>,
        /// What is wrong.
        source: RecordFault,
    },
    /// The record of a revocation is damaged.
    #[error("the revocation of {subject} of tenant {tenant} is damaged")]
    Revocation {
        /// Whose.
        tenant: TenantId,
        /// Whose credentials are revoked.
        subject: Subject,
        /// What is wrong.
        source: RecordFault,
    },
    /// What a hook is to be told is damaged: it is not told.
    #[error("what {hook} is to be told of document {} of tenant {} is damaged", id.document, id.tenant)]
    Hook {
        /// Who is.
        hook: HookName,
        /// Of what.
        id: HookMarkId,
        /// What is wrong.
        source: RecordFault,
    },
    /// A commit that no snapshot covers is missing.
    #[error("commit {expected} of document {document} of tenant {tenant} is missing: commit {found} follows")]
    Gap {
        /// Whose document.
        tenant: TenantId,
        /// Which document.
        document: DocumentId,
        /// The commit that should come next.
        expected: CommitNumber,
        /// The commit that does.
        found: CommitNumber,
    },
}

/// Reads every key of `store` once. Memory grows with the number of names and documents, not with their size.
///
/// # Errors
/// [`ReadError`] if the store cannot be read; what is wrong with what it holds is in the report.
pub fn verify(store: &dyn Store) -> Result<Report, ReadError> {
    verify_of(store, None)
}

/// Looks as [`verify`] does, at what is of one tenant.
///
/// # Errors
/// As for [`verify`].
pub fn verify_tenant(store: &dyn Store, tenant: TenantId) -> Result<Report, ReadError> {
    verify_of(store, Some(tenant))
}

fn verify_of(store: &dyn Store, only: Option<TenantId>) -> Result<Report, ReadError> {
    let mut pass = Pass::default();
    let mut assembly = Assembly::default();
    for found in Walk::new(store, Vec::new()) {
        let (key, value) = found?;
        let place = key.place();
        let tenant = place.as_ref().map(Place::tenant);
        if only.is_some() && tenant != only {
            continue;
        }
        pass.tenants.extend(tenant);
        pass.report.keys += 1;
        pass.report.bytes += (key.as_bytes().len() + value.len()) as u64;
        let finished = match &place {
            Some(Place::Record(slot)) => assembly.push(&key, What::Record(slot.head()), slot.chunk, value),
            Some(Place::Ledger { tenant, name, chunk }) => {
                assembly.push(&key, What::Ledger(*tenant, name.clone()), *chunk, value)
            }
            Some(Place::Former { tenant, name, chunk }) => {
                assembly.push(&key, What::Former(*tenant, name.clone()), *chunk, value)
            }
            Some(Place::Name { tenant, name }) => {
                pass.name(*tenant, name.clone(), &key, &value);
                None
            }
            Some(Place::Revocation { tenant, subject }) => {
                pass.revocation(*tenant, subject.clone(), &key, &value);
                None
            }
            Some(Place::Tenant(tenant)) => {
                pass.tenant(*tenant, &key, &value);
                None
            }
            Some(Place::Hook { id, hook }) => {
                pass.hook(hook, *id, &key, &value);
                None
            }
            None => assembly.finish(),
        };
        finished.into_iter().for_each(|finished| pass.record(finished));
        if place.is_none() {
            pass.report.faults.push(Fault::UnknownKey { key });
        }
    }
    if let Some(finished) = assembly.finish() {
        pass.record(finished);
    }
    Ok(pass.end())
}

/// What the keys of one record have in common.
#[derive(PartialEq)]
enum What {
    Record(Slot),
    Ledger(TenantId, Vec<u8>),
    Former(TenantId, RoomName),
}

type Document = (TenantId, DocumentId);

#[derive(Default)]
struct Pass {
    report: Report,
    /// Of which something is stored.
    tenants: BTreeSet<TenantId>,
    /// Those that have names.
    named_tenants: BTreeSet<TenantId>,
    names: Vec<(TenantId, RoomName, DocumentId)>,
    documents: BTreeSet<Document>,
    /// The newest snapshot of each document that has one.
    covered: BTreeMap<Document, CommitNumber>,
    /// The last commit met, whose document is the one that is being looked at.
    last: Option<(Document, CommitNumber)>,
}

impl Pass {
    fn tenant(&mut self, tenant: TenantId, key: &Key, value: &[u8]) {
        self.report.tenants += 1;
        self.named_tenants.insert(tenant);
        if let Err(source) = envelope::open_one(key, value).and_then(decode_tenant) {
            self.report.faults.push(Fault::Tenant { tenant, source });
        }
    }

    fn name(&mut self, tenant: TenantId, name: RoomName, key: &Key, value: &[u8]) {
        self.report.names += 1;
        match envelope::open_one(key, value).and_then(decode_named).map(|named| named.document) {
            Ok(document) => self.names.push((tenant, name, document)),
            Err(source) => self.report.faults.push(Fault::Name { tenant, name, source }),
        }
    }

    fn revocation(&mut self, tenant: TenantId, subject: Subject, key: &Key, value: &[u8]) {
        self.report.revocations += 1;
        if let Err(source) = envelope::open_one(key, value).and_then(decode_revocation) {
            self.report.faults.push(Fault::Revocation { tenant, subject, source });
        }
    }

    fn hook(&mut self, hook: &HookName, id: HookMarkId, key: &Key, value: &[u8]) {
        self.report.hook_marks += 1;
        if let Err(source) = envelope::open_one(key, value).and_then(|payload| decode_mark(id, payload)) {
            self.report.faults.push(Fault::Hook { hook: hook.clone(), id, source });
        }
    }

    fn record(&mut self, Finished { place, outcome }: Finished<What>) {
        let payload = match outcome {
            Outcome::Whole { payload, surplus } => {
                self.report.garbage_chunks += surplus;
                Ok(payload)
            }
            Outcome::Garbage { chunks } => {
                self.report.garbage_chunks += chunks;
                return;
            }
            Outcome::Faulty(fault) => Err(fault),
        };
        let slot = match place {
            What::Record(slot) => slot,
            What::Former(tenant, name) => {
                let fault = payload.and_then(decode_former).err();
                self.report.faults.extend(fault.map(|source| Fault::Former { tenant, name, source }));
                return;
            }
            What::Ledger(tenant, name) => {
                self.report.ledger_records += 1;
                let fault = payload.err().map(|source| Fault::Ledger { tenant, name, source });
                self.report.faults.extend(fault);
                return;
            }
        };
        let document = (slot.tenant, slot.document);
        let checked = match slot.kind {
            // Their keys have a place of another shape.
            Kind::Name
            | Kind::Ledger
            | Kind::Revocation
            | Kind::Tenant
            | Kind::Former
            | Kind::Hook
            | Kind::HookEnd => payload.map(drop),
            Kind::Snapshot => {
                self.report.snapshots += 1;
                self.documents.insert(document);
                self.covered.insert(document, slot.number);
                payload.map(drop)
            }
            Kind::Log => {
                self.report.log_records += 1;
                self.documents.insert(document);
                self.follow(document, slot.number);
                payload.and_then(|payload| decode_log(slot.number, payload)).map(drop)
            }
            Kind::HistoryPage => payload.and_then(|payload| decode_page(slot.number, payload)).map(drop),
            Kind::Version => payload.and_then(|payload| decode_version(slot.number.0, payload)).map(drop),
            Kind::HistoryBase | Kind::Loading | Kind::Erased => payload.map(drop),
            Kind::FailedLoads => payload.and_then(|payload| decode_count(&payload)).map(drop),
            Kind::Branch => payload.and_then(|payload| decode_branch(&payload)).map(drop),
            Kind::Edited => payload.and_then(|payload| decode_time(&payload)).map(drop),
        };
        if let Err(source) = checked {
            self.report.faults.push(Fault::Record { slot, source });
        }
    }

    /// Checks that the commits of a document follow each other. Those that its snapshot covers may be partly deleted.
    fn follow(&mut self, document: Document, number: CommitNumber) {
        let covered = self.covered.get(&document).copied().unwrap_or_default();
        let before = match self.last {
            Some((last, before)) if last == document => before.max(covered),
            _ => covered,
        };
        self.last = Some((document, number));
        let expected = CommitNumber(before.0.saturating_add(1));
        if number > expected {
            let (tenant, document) = document;
            self.report.faults.push(Fault::Gap { tenant, document, expected, found: number });
        }
    }

    fn end(mut self) -> Report {
        self.named_tenants.insert(TenantId::DEFAULT);
        let nameless = self.tenants.difference(&self.named_tenants);
        self.report.faults.extend(nameless.map(|&tenant| Fault::NamelessTenant { tenant }));
        let mut unnamed = self.documents.clone();
        for (tenant, name, document) in self.names {
            unnamed.remove(&(tenant, document));
            if !self.documents.contains(&(tenant, document)) {
                self.report.faults.push(Fault::NameOfNothing { tenant, name, document });
            }
        }
        self.report.documents = self.documents.len() as u64;
        self.report.unnamed_documents = unnamed.len() as u64;
        self.report
    }
}
