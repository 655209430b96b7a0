//! What a document holds, as the store has it: a state that is committed, whoever has the document open.

use bytes::Bytes;
use syncline_core::{
    doc::{AnyDocument, Broken, CompactError},
    id::{CommitNumber, RoomName, TenantId},
    limits::DOCUMENT_BYTES_MAX,
    log::Engine,
};
use syncline_protocol::Loaded;
use syncline_store::{
    ReadError, Store,
    records::{self, LoadError, Named, RecordError},
};

use super::intake::NotTaken;

/// A document as it is stored.
#[derive(Debug)]
pub(super) struct Stored {
    engine: Engine,
    loaded: Loaded,
    /// Whether it could not be loaded before, or nobody knows.
    pub(super) is_suspect: bool,
}

/// A state of a document.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) engine: Engine,
    pub(super) commit: CommitNumber,
    /// The whole document in the bytes of its kind.
    pub(super) bytes: Bytes,
}

/// Why a document is not exported.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoState {
    /// Nobody knows which document the name means.
    #[error(transparent)]
    Name(RecordError),
    /// What is stored is damaged.
    #[error(transparent)]
    Damaged(LoadError),
    #[error(transparent)]
    Unloadable(#[from] CompactError),
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error("the document has {bytes} bytes, and {DOCUMENT_BYTES_MAX} are the most that can be imported")]
    TooLong { bytes: usize },
}

impl NoState {
    /// Returns what is told of it. Of what is damaged the operator is told more.
    pub(super) fn told(&self) -> NotTaken {
        match self {
            Self::TooLong { .. } => NotTaken { code: "too-large", message: self.to_string() },
            Self::Name(_) | Self::Damaged(_) | Self::Unloadable(_) | Self::Broken(_) => {
                NotTaken { code: "broken", message: "the document cannot be read".to_owned() }
            }
        }
    }
}

/// Reads a document; nothing if its name has come to mean another, or none.
pub(super) fn read(
    store: &dyn Store,
    tenant: TenantId,
    name: &RoomName,
    named: Named,
) -> Result<Option<Result<Stored, NoState>>, ReadError> {
    match records::named(store, tenant, name) {
        Ok(Some(now)) if now == named => {}
        Err(RecordError::Read(error)) => return Err(error),
        // It was there, and sound, when the names were read.
        Ok(_) | Err(_) => return Ok(None),
    }
    let Named { document, engine } = named;
    Ok(Some(match records::load(store, tenant, document) {
        Ok(records::Loaded { snapshot, log, failed_loads, loading }) => {
            let is_suspect = failed_loads > 0 || loading;
            Ok(Stored { engine, loaded: Loaded { snapshot, log }, is_suspect })
        }
        Err(LoadError::Read(error)) => return Err(error),
        Err(damaged) => Err(NoState::Damaged(damaged)),
    }))
}

impl Stored {
    /// Returns the state. It takes as long as the document is, unless all of it is in a snapshot.
    pub(super) fn state(self) -> Result<State, NoState> {
        let commit = self.loaded.number();
        let bytes = match self.loaded {
            Loaded { snapshot: Some(snapshot), log } if log.is_empty() => snapshot.state,
            Loaded { snapshot, log } => {
                AnyDocument::load(self.engine, snapshot.as_ref(), &log)?.portable()?
            }
        };
        checked(State { engine: self.engine, commit, bytes })
    }
}

/// Returns a state unless it is too long to be imported.
pub(super) fn checked(state: State) -> Result<State, NoState> {
    match state.bytes.len() {
        bytes if bytes > DOCUMENT_BYTES_MAX => Err(NoState::TooLong { bytes }),
        _ => Ok(state),
    }
}
