//! Cursors as clients hold them.

use syncline_core::entity::TypeName;
use syncline_protocol::{
    ledger::Cursor,
    wire::sync_v1::{AckedCursor, Code, CursorKey, CursorOwner, Problem},
};

use super::refusal::Refusal;
use crate::entities::LedgerHandle;

/// The number of the only key.
const KEY: u8 = 1;

/// Writes a cursor of a scope.
pub(super) fn seal(cursor: &Cursor, scope: &TypeName, ledger: &LedgerHandle) -> String {
    cursor.seal(owner(scope, ledger), CursorKey { number: KEY, secret: ledger.key() })
}

/// Reads a cursor that was written for a client.
pub(super) fn open(word: &str, scope: &TypeName, ledger: &LedgerHandle) -> Result<Cursor, Refusal> {
    let secret = |number| (number == KEY).then(|| &ledger.key()[..]);
    let opened = Cursor::open(word, owner(scope, ledger), secret);
    opened.map_err(|error| Problem::new(Code::CursorInvalid).because(error).into())
}

fn owner<'a>(scope: &'a TypeName, ledger: &'a LedgerHandle) -> CursorOwner<'a> {
    CursorOwner { tenant: ledger.tenant().name().as_str(), scope: scope.as_str() }
}

/// Reads what a client has stored, scope by scope.
pub(super) fn open_all(
    acked: Vec<AckedCursor>,
    ledger: &LedgerHandle,
) -> Result<Vec<(TypeName, Cursor)>, Refusal> {
    let open = |acked: AckedCursor| {
        let cursor = open(&acked.cursor, &acked.scope, ledger)?;
        Ok((acked.scope, cursor))
    };
    acked.into_iter().map(open).collect()
}
