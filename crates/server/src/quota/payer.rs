//! Whose quota something counts for.

use syncline_core::{access::Identity, entity::UserName, id::TenantName};

/// Whose quota something counts for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Payer {
    pub(crate) tenant: TenantName,
    /// Nobody where no token is asked for: anyone may say any name there.
    pub(crate) user: Option<UserName>,
}

impl Payer {
    /// Returns whose quota it is that someone uses, or someone who has proved nothing yet.
    pub(crate) fn of(identity: Option<&Identity>) -> Self {
        Self {
            tenant: identity.map_or_else(TenantName::default, |identity| identity.tenant.clone()),
            user: identity.map(|identity| identity.user.clone()),
        }
    }
}
