//! What is asked about conflicts, and what is proposed.

use syncline_core::entity::conflict::Conflict;
use syncline_core::entity::{Actors, Record, UserName};

use super::answer::Change;
use super::conflict;
use super::fault::Faults;
use super::handler::VerdictError;
use super::json::Json;
use super::read::{self, RequestError, may};
use super::value::values;
use super::write::document;
use crate::ledger::{ConflictId, Proposal};

/// A question about a conflict.
#[derive(Clone, Copy, Debug)]
pub struct SuggestQuestion<'a> {
    /// Whose entities they are.
    pub tenant: &'a str,
    /// Who wants to know.
    pub user: &'a UserName,
    /// The conflict.
    pub conflict: (ConflictId, &'a Conflict),
    /// The record as it is now.
    pub server: Option<&'a Record>,
}

impl SuggestQuestion<'_> {
    /// Returns the body of the request.
    #[must_use]
    pub fn body(&self, actors: &Actors) -> String {
        let (id, it) = self.conflict;
        document(|o| {
            o.text("tenant", self.tenant);
            o.text("user", self.user.as_str());
            o.object("conflict", |o| conflict::write(o, id, it, actors));
            match self.server.filter(|record| !record.deleted) {
                Some(record) => o.object("server", |o| Change::Put(it.entity(), record).write(o, actors)),
                None => o.null("server"),
            }
        })
    }
}

/// Reads what is proposed; none if nothing is, without `set`.
///
/// # Errors
/// [`VerdictError`] if it cannot be read.
pub fn read_proposal(body: &[u8]) -> Result<Option<Proposal>, VerdictError> {
    let json = Json::parse(body).map_err(RequestError::from)?;
    let body = json.root();
    let mut faults = Faults::of(body);
    let set = may(body, "set", |set| Ok(values(read::map(set)?, &mut faults)))?;
    if let Some(fault) = faults.into_found().into_iter().next() {
        return Err(VerdictError::Set(fault));
    }
    let description = may(body, "description", read::string)?.unwrap_or_default();
    let impact = may(body, "impact", read::string)?.unwrap_or_default();
    Ok(set.map(|set| Proposal { set, description, impact }))
}
