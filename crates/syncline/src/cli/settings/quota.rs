//! `[quota]`: how much anyone may use.

use serde::Deserialize;
use syncline::{core::rate::Rate, server::Quota};

/// The keys of `[quota]`. What is missing is as it is by default; 0 is without a limit.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct QuotaForm {
    connection_messages_per_second: Option<u64>,
    connection_bytes_per_second: Option<u64>,
    user_messages_per_second: Option<u64>,
    user_bytes_per_second: Option<u64>,
    tenant_messages_per_second: Option<u64>,
    tenant_bytes_per_second: Option<u64>,
    address_requests_per_second: Option<u64>,
    address_connections_per_second: Option<u64>,
    user_connections: Option<usize>,
    tenant_connections: Option<usize>,
    tenant_rooms: Option<usize>,
    document_bytes: Option<usize>,
    tenant_stored_bytes: Option<u64>,
}

impl QuotaForm {
    /// Puts what is said over what is usual.
    pub(super) fn over(self, quota: &mut Quota) {
        let rate = |to: &mut Option<Rate>, said: Option<u64>, of: fn(u64) -> Rate| {
            if let Some(per_second) = said {
                *to = (per_second > 0).then(|| of(per_second));
            }
        };
        for (to, said) in [
            (&mut quota.user_connections, self.user_connections),
            (&mut quota.tenant_connections, self.tenant_connections),
            (&mut quota.tenant_rooms, self.tenant_rooms),
            (&mut quota.document_bytes, self.document_bytes),
        ] {
            bound(to, said);
        }
        bound(&mut quota.tenant_stored_bytes, self.tenant_stored_bytes);
        rate(&mut quota.address_requests, self.address_requests_per_second, Quota::messages);
        rate(&mut quota.address_connections, self.address_connections_per_second, Quota::connections);
        let Quota { connection, user, tenant, .. } = quota;
        for (allowance, messages, bytes) in [
            (connection, self.connection_messages_per_second, self.connection_bytes_per_second),
            (user, self.user_messages_per_second, self.user_bytes_per_second),
            (tenant, self.tenant_messages_per_second, self.tenant_bytes_per_second),
        ] {
            rate(&mut allowance.messages, messages, Quota::messages);
            rate(&mut allowance.bytes, bytes, Quota::bytes);
        }
    }
}

/// Puts a bound that is said over the usual one; 0 is none.
fn bound<T: Default + PartialEq>(to: &mut Option<T>, said: Option<T>) {
    if let Some(said) = said {
        *to = Some(said).filter(|said| *said != T::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_without_a_limit_and_nothing_is_as_usual() {
        let text = "connection-messages-per-second = 0\nuser-bytes-per-second = 1000\ntenant-rooms = 7\nuser-connections = 0";
        let mut quota = Quota::default();
        toml::from_str::<QuotaForm>(text).expect("keys of [quota]").over(&mut quota);
        let usual = Quota::default();
        assert_eq!((quota.connection.messages, quota.connection.bytes), (None, usual.connection.bytes));
        assert_eq!(quota.user.bytes, Some(Rate { burst: 250, per_second: 1_000 }));
        assert_eq!((quota.tenant_rooms, quota.user_connections), (Some(7), None));
        assert_eq!((quota.document_bytes, quota.tenant_stored_bytes), (usual.document_bytes, None));
        assert_eq!((quota.user.messages, quota.tenant), (usual.user.messages, usual.tenant));
        assert!(toml::from_str::<QuotaForm>("messages = 1").is_err());
    }
}
