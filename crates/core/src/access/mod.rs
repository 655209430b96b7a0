//! Who someone is, and what they may do.
//!
//! An [`Identity`] comes from a credential that whoever does IO has verified. Nothing is allowed that no [`Grant`] of it allows,
//! and what is asked is answered without looking at what there is: so what is absent and what is forbidden are answered alike.
//! [`Revocations`] say which credentials are good no longer, though they have not ended.
//!
//! | resource | as text | what its actions mean |
//! | --- | --- | --- |
//! | a document | `doc:NAME` | read it; comment: presence and stateless messages; write it; admin: delete it |
//! | a type of entities | `type:NAME` | read its records and conflicts; write them, and settle conflicts; admin: declare it, erase records |
//! | a scope | `scope:NAME` | read what is in it; admin: define it |
//! | the conflicts of a type | `conflict:NAME` | read them; write: settle them |
//! | the server | `server` | read: which documents there are; admin: export, import, events, others' devices, revocations, erasure |
//! | all of these | `*` | |
//!
//! A `NAME` that ends in `*` is the beginning of names.

mod grant;
mod pattern;
mod revocation;

use alloc::{collections::BTreeMap, string::String};

pub use grant::{Action, ActionError, Grant, GrantError, Grants};
pub use pattern::{PatternError, Resource, ResourcePattern};
pub use revocation::{Revocation, Revocations, Subject, SubjectError};

pub use crate::entity::TokenId;

use crate::entity::{ActorName, UserName, Value};
use crate::id::TenantName;
use crate::time::WallMs;

/// Who a credential has proved someone to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Whose data the credential is for: none of it is within the reach of another tenant's.
    pub tenant: TenantName,
    /// The user, whom another tenant may call by the same name.
    pub user: UserName,
    /// The device that the credential was given to; none if it is good for each device of the user.
    pub device: Option<ActorName>,
    /// The device whose key has signed what was shown; none if nothing was signed.
    pub signed_by: Option<ActorName>,
    /// The user who has said who they are, by a credential of their own; none if nobody has.
    pub vouched_by: Option<UserName>,
    /// What they may do.
    pub grants: Grants,
    /// What else is said about them, to fill scopes with.
    pub claims: BTreeMap<String, Value>,
    /// When the credential was issued; none if it does not say.
    pub issued_at: Option<WallMs>,
    /// When the credential ends; none if it does not.
    pub expires_at: Option<WallMs>,
    /// What the credential is called by whoever revokes it.
    pub token_id: Option<String>,
}

impl Identity {
    /// Returns someone of the default tenant who may do this, by a credential that does not end.
    #[must_use]
    pub fn of(user: UserName, grants: Grants) -> Self {
        Self {
            tenant: TenantName::default(),
            user,
            device: None,
            signed_by: None,
            vouched_by: None,
            grants,
            claims: BTreeMap::new(),
            issued_at: None,
            expires_at: None,
            token_id: None,
        }
    }

    /// Returns whether the credential has ended at `now`.
    #[must_use]
    pub fn is_expired(&self, now: WallMs) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// Returns whether they may do something.
    #[must_use]
    pub fn may(&self, action: Action, resource: Resource<'_>) -> bool {
        self.grants.allows(action, resource)
    }
}
