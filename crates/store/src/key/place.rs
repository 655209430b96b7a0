//! What a key says.

use syncline_core::{
    access::Subject,
    hook::{HookEvent, HookMarkId, HookName},
    id::{CommitNumber, DocumentId, RoomName, TenantId},
};

use super::kind::Kind;

/// The place of one record, or of one chunk of it, among the records of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// What the record is; none of those whose keys have another shape.
    pub kind: Kind,
    /// Whose document.
    pub tenant: TenantId,
    /// Which document.
    pub document: DocumentId,
    /// The commit it belongs to; 0 where a document has one such record.
    pub number: CommitNumber,
    /// 0 for the head, from 1 on for what did not fit into it.
    pub chunk: u16,
}

impl Slot {
    /// Returns the place of the head of the same record.
    #[must_use]
    pub const fn head(self) -> Self {
        Self { chunk: 0, ..self }
    }
}

/// What a key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The key of a room's name.
    Name {
        /// Whose room.
        tenant: TenantId,
        /// Its name.
        name: RoomName,
    },
    /// The key of a record of a document.
    Record(Slot),
    /// The key of a page of what a ledger keeps, or of one chunk of it.
    Ledger {
        /// Whose ledger.
        tenant: TenantId,
        /// The name of the thing.
        name: Vec<u8>,
        /// 0 for the head, from 1 on for what did not fit into it.
        chunk: u16,
    },
    /// The key of a revocation.
    Revocation {
        /// Whose.
        tenant: TenantId,
        /// Whose credentials are revoked.
        subject: Subject,
    },
    /// The key of the name of a tenant.
    Tenant(TenantId),
    /// The key of who wrote in deleted documents of a name, or of one chunk of it.
    Former {
        /// Whose documents.
        tenant: TenantId,
        /// Their name.
        name: RoomName,
        /// 0 for the head, from 1 on for what did not fit into it.
        chunk: u16,
    },
    /// The key of what a hook is to be told.
    Hook {
        /// Of what.
        id: HookMarkId,
        /// Who is.
        hook: HookName,
    },
}

impl Place {
    /// Returns whose it is.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        match self {
            Self::Name { tenant, .. }
            | Self::Ledger { tenant, .. }
            | Self::Revocation { tenant, .. }
            | Self::Former { tenant, .. } => *tenant,
            Self::Record(slot) => slot.tenant,
            Self::Tenant(tenant) => *tenant,
            Self::Hook { id, .. } => id.tenant,
        }
    }

    /// Reads a key; nothing if it is none that could be written here.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let (&kind, rest) = bytes.split_first()?;
        let kind = Kind::from_byte(kind)?;
        let (tenant, rest) = rest.split_first_chunk::<4>()?;
        let tenant = TenantId(u32::from_be_bytes(*tenant));
        match kind {
            Kind::Name => Some(Self::Name { tenant, name: room_name(rest)? }),
            Kind::Ledger => {
                let (name, chunk) = chunked(rest)?;
                (!name.is_empty()).then(|| Self::Ledger { tenant, name: name.to_vec(), chunk })
            }
            Kind::Revocation => {
                let subject = std::str::from_utf8(rest).ok()?.parse().ok()?;
                Some(Self::Revocation { tenant, subject })
            }
            Kind::Former => {
                let (name, chunk) = chunked(rest)?;
                Some(Self::Former { tenant, name: room_name(name.strip_suffix(&[0])?)?, chunk })
            }
            Kind::Tenant => rest.is_empty().then_some(Self::Tenant(tenant)),
            Kind::Hook | Kind::HookEnd => {
                let (document, commit, rest) = commit(rest)?;
                let (&event, hook) = rest.split_first()?;
                let event = match (kind, event) {
                    (Kind::Hook, 1) => HookEvent::Created,
                    (Kind::Hook, 2) => HookEvent::Changed,
                    (Kind::HookEnd, 3) => HookEvent::Deleted,
                    _ => return None,
                };
                let hook = HookName::new(std::str::from_utf8(hook).ok()?).ok()?;
                Some(Self::Hook { id: HookMarkId { tenant, document, commit, event }, hook })
            }
            _ => {
                let (document, number, rest) = commit(rest)?;
                let (nothing, chunk) = chunked(rest)?;
                let slot = Slot { kind, tenant, document, number, chunk };
                nothing.is_empty().then_some(Self::Record(slot))
            }
        }
    }
}

fn room_name(bytes: &[u8]) -> Option<RoomName> {
    RoomName::new(std::str::from_utf8(bytes).ok()?).ok()
}

/// Splits off the number of a chunk, which is last.
fn chunked(bytes: &[u8]) -> Option<(&[u8], u16)> {
    let (rest, chunk) = bytes.split_last_chunk::<2>()?;
    Some((rest, u16::from_be_bytes(*chunk)))
}

/// Splits off a document and one of its commits.
fn commit(bytes: &[u8]) -> Option<(DocumentId, CommitNumber, &[u8])> {
    let (document, rest) = bytes.split_first_chunk::<16>()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    Some((DocumentId(*document), CommitNumber(u64::from_be_bytes(*number)), rest))
}
