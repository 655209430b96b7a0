//! How much anyone may use: what an operator may set, and who uses what now.

mod pace;
mod payer;
mod places;
mod usage;

use syncline_core::{
    limits::DOCUMENT_BYTES_MAX,
    rate::{Allowance, Rate},
};

pub(crate) use self::{
    pace::{Pace, TooFast},
    payer::Payer,
    places::{Place, Places, Shares, UsedUp},
    usage::Usage,
};
use crate::limits::{
    ADDRESS_CONNECTIONS_PER_S, ADDRESS_REQUESTS_PER_S, CONNECTION_BYTES_PER_S, CONNECTION_MESSAGES_PER_S,
    TENANT_BYTES_PER_S, TENANT_MESSAGES_PER_S, USER_BYTES_PER_S, USER_CONNECTIONS_MAX, USER_MESSAGES_PER_S,
};

/// How much anyone may use.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Quota {
    /// What one WebSocket may send.
    pub connection: Allowance,
    /// What one user may send, over all of their connections and requests. Where no token is asked for there are no users.
    pub user: Allowance,
    /// What all of a tenant may send together.
    pub tenant: Allowance,
    /// Requests that may come from one address, unless it is one of this machine.
    pub address_requests: Option<Rate>,
    /// Connections that may be opened from one address, unless it is one of this machine.
    pub address_connections: Option<Rate>,
    /// WebSockets and streams that one user may have open.
    pub user_connections: Option<usize>,
    /// WebSockets and streams that all of a tenant may have open together.
    pub tenant_connections: Option<usize>,
    /// Rooms of a tenant that may be open, whoever opens them. One that nobody uses ends after 30 s, or when another one is wanted.
    pub tenant_rooms: Option<usize>,
    /// How long the snapshot and the log of one document may be together, in bytes.
    pub document_bytes: Option<usize>,
    /// Bytes of keys and values that a tenant may have stored. To count them costs a pass over the whole store at each start.
    pub tenant_stored_bytes: Option<u64>,
}

impl Quota {
    /// Returns the rate of so many messages a second: as many as come in two seconds may come at once.
    #[must_use]
    pub const fn messages(per_second: u64) -> Rate {
        Rate { burst: per_second.saturating_mul(2), per_second }
    }

    /// Returns the rate of so many connections a second: as many as come in ten seconds may come at once.
    #[must_use]
    pub const fn connections(per_second: u64) -> Rate {
        Rate { burst: per_second.saturating_mul(10), per_second }
    }

    /// Returns the rate of so many bytes a second: as many as come in a quarter of a second may come at once.
    #[must_use]
    pub const fn bytes(per_second: u64) -> Rate {
        Rate { burst: per_second / 4, per_second }
    }
}

impl Default for Quota {
    fn default() -> Self {
        let allowance = |messages, bytes| Allowance {
            messages: Some(Self::messages(messages)),
            bytes: Some(Self::bytes(bytes)),
        };
        Self {
            connection: allowance(CONNECTION_MESSAGES_PER_S, CONNECTION_BYTES_PER_S),
            user: allowance(USER_MESSAGES_PER_S, USER_BYTES_PER_S),
            tenant: allowance(TENANT_MESSAGES_PER_S, TENANT_BYTES_PER_S),
            address_requests: Some(Self::messages(ADDRESS_REQUESTS_PER_S)),
            address_connections: Some(Self::connections(ADDRESS_CONNECTIONS_PER_S)),
            user_connections: Some(USER_CONNECTIONS_MAX),
            tenant_connections: None,
            tenant_rooms: None,
            document_bytes: Some(2 * DOCUMENT_BYTES_MAX),
            tenant_stored_bytes: None,
        }
    }
}

/// A limit that held someone up or refused them, as metrics and people know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Limit {
    ConnectionRate,
    UserRate,
    TenantRate,
    AddressRequests,
    AddressConnections,
    UserConnections,
    TenantConnections,
    TenantRooms,
    TenantStoredBytes,
}

impl Limit {
    /// Returns how metrics call it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ConnectionRate => "connection-rate",
            Self::UserRate => "user-rate",
            Self::TenantRate => "tenant-rate",
            Self::AddressRequests => "address-requests",
            Self::AddressConnections => "address-connections",
            Self::UserConnections => "user-connections",
            Self::TenantConnections => "tenant-connections",
            Self::TenantRooms => "tenant-rooms",
            Self::TenantStoredBytes => "tenant-stored-bytes",
        }
    }

    /// Returns the settings that set it, for whoever reads a refusal.
    pub(crate) const fn settings(self) -> &'static str {
        match self {
            Self::ConnectionRate => {
                "`connection-messages-per-second` and `connection-bytes-per-second` in `[quota]`"
            }
            Self::UserRate => "`user-messages-per-second` and `user-bytes-per-second` in `[quota]`",
            Self::TenantRate => "`tenant-messages-per-second` and `tenant-bytes-per-second` in `[quota]`",
            Self::AddressRequests => "`address-requests-per-second` in `[quota]`",
            Self::AddressConnections => "`address-connections-per-second` in `[quota]`",
            Self::UserConnections => "`user-connections` in `[quota]`",
            Self::TenantConnections => "`tenant-connections` in `[quota]`",
            Self::TenantRooms => "`tenant-rooms` in `[quota]`",
            Self::TenantStoredBytes => "`tenant-stored-bytes` in `[quota]`",
        }
    }
}
