//! Scopes: what a device may follow.

use std::collections::BTreeMap;

use syncline_core::entity::TypeName;
use syncline_protocol::{
    ledger::{Ledger, Scope},
    wire::sync_v1::{Code, Problem},
};

use super::refusal::Refusal;

/// Returns what a scope holds for who asks with these parameters.
pub(super) fn filled(
    ledger: &Ledger,
    name: TypeName,
    _params: &BTreeMap<String, String>,
) -> Result<Scope, Refusal> {
    if ledger.types().any(|ty| ty.name == name) {
        return Ok(Scope::of_type(name));
    }
    Err(Problem::new(Code::UnknownScope).because(format!("the scope `{name}` is not known")).into())
}
