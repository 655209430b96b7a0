//! Erasure: what is to be erased, and that it is.

use syncline_core::entity::{ActorName, EntityKey, UserName};

use super::json::Json;
use super::read::{self, RequestError, expected, may, need};
use super::write::{document, string};
use crate::ledger::Erased;

/// What is to be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erase {
    /// An entity.
    Entity(EntityKey),
    /// What is known of a user.
    User(UserName),
}

impl Erase {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`RequestError`] if it is not JSON, or one of its parts is not what it is to be.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let json = Json::parse(body)?;
        let body = json.root();
        let user = |node| UserName::new(&read::text(node)?).map_err(|_| expected(node, "the name of a user"));
        if let Some(user) = may(body, "user", user)? {
            return Ok(Self::User(user));
        }
        let kind = need(body, "type", read::type_name)?;
        let id = need(body, "id", |id| read::entity_id(&read::text(id)?, id))?;
        Ok(Self::Entity(EntityKey { kind, id }))
    }
}

/// Returns the answer: that the entity is erased, and whether files may still hold what was.
#[must_use]
pub fn erased_body(key: &EntityKey, erased: Erased, is_in_files: bool) -> String {
    document(|o| {
        o.text("type", key.kind.as_str());
        o.text("id", key.id.as_str());
        o.bool("purged", true);
        o.time("at", erased.at);
        o.text("vacuum", vacuum(is_in_files));
    })
}

/// Returns the answer: what the user is called from now on, and which devices are shut out.
#[must_use]
pub fn user_erased_body(known_as: &UserName, devices: &[ActorName], is_in_files: bool) -> String {
    document(|o| {
        o.bool("purged", true);
        o.text("known_as", known_as.as_str());
        o.list("devices", devices, |out, device| string(out, device.as_str()));
        o.text("vacuum", vacuum(is_in_files));
    })
}

const fn vacuum(is_in_files: bool) -> &'static str {
    if is_in_files { "pending" } else { "done" }
}
