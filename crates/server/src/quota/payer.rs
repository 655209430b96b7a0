//! Whose quota something counts for.

use syncline_core::{access::Identity, entity::UserName, id::TenantId};

use crate::shared::ONLY_TENANT;

/// Whose quota something counts for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Payer {
    pub(crate) tenant: TenantId,
    /// Nobody where no token is asked for: anyone may say any name there.
    pub(crate) user: Option<UserName>,
}

impl Payer {
    /// Returns whose quota it is that someone uses, or someone who has proved nothing yet.
    pub(crate) fn of(identity: Option<&Identity>) -> Self {
        Self { tenant: tenant_of(identity), user: identity.map(|identity| identity.user.clone()) }
    }
}

/// Returns the tenant of someone: there is one.
const fn tenant_of(_identity: Option<&Identity>) -> TenantId {
    ONLY_TENANT
}
