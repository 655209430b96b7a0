//! How fast those who come from one address may come.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Mutex, PoisonError},
};

use syncline_core::{
    rate::{Allowance, Meters},
    time::MonotonicMs,
};

use super::network::{Network, counted};
use crate::{config::Config, limits::METERS_MAX};

/// Who may come in, and how fast.
#[derive(Debug)]
pub(crate) struct Doors {
    /// Proxies that are believed.
    pub(super) trusted: Vec<Network>,
    /// Whether everyone on this machine may do everything, and nobody else is to be let in.
    pub(super) local_only: bool,
    requests: Mutex<Meters<IpAddr>>,
    connections: Mutex<Meters<IpAddr>>,
}

impl Doors {
    pub(crate) fn new(config: &Config) -> Self {
        let meters = |rate| Mutex::new(Meters::new(Allowance { messages: rate, bytes: None }, METERS_MAX));
        Self {
            trusted: config.trusted_proxies.clone(),
            local_only: config.authenticator.is_none() && !config.insecure_listen_anywhere,
            requests: meters(config.quota.address_requests),
            connections: meters(config.quota.address_connections),
        }
    }

    /// Returns whether a TCP connection may be accepted. One of a trusted proxy may: whom it speaks for is known later.
    pub(crate) fn may_connect(&self, now: MonotonicMs, peer: SocketAddr) -> bool {
        let peer = peer.ip().to_canonical();
        let is_counted = !peer.is_loopback() && !self.trusted.iter().any(|network| network.contains(peer));
        !is_counted || self.admit_connection(now, peer).is_ok()
    }

    /// Takes in a connection, or says how long it is until one may come, in milliseconds.
    pub(super) fn admit_connection(&self, now: MonotonicMs, addr: IpAddr) -> Result<(), u64> {
        admit(&self.connections, now, addr)
    }

    /// Takes in a request, or says how long it is until one may come, in milliseconds.
    pub(super) fn admit_request(&self, now: MonotonicMs, addr: IpAddr) -> Result<(), u64> {
        admit(&self.requests, now, addr)
    }
}

/// Nothing that runs under the lock leaves the meters half changed, so a poisoned one is still whole.
fn admit(meters: &Mutex<Meters<IpAddr>>, now: MonotonicMs, addr: IpAddr) -> Result<(), u64> {
    meters.lock().unwrap_or_else(PoisonError::into_inner).admit(now, &counted(addr), 1, 0)
}

#[cfg(test)]
mod tests {
    use syncline_core::rate::Rate;

    use super::*;

    /// Whoever opens connections too fast waits; this machine and proxies do not.
    #[test]
    fn connections_of_one_address_have_a_rate() {
        let mut config = Config::default();
        config.quota.address_connections = Some(Rate { burst: 2, per_second: 1 });
        config.trusted_proxies = vec!["10.0.0.0/8".parse().expect("a network")];
        let doors = Doors::new(&config);
        let check = |now: u64, peer: &str, want: bool| {
            let peer = peer.parse().expect("an address with a port");
            assert_eq!(doors.may_connect(MonotonicMs(now), peer), want, "{peer} at {now} ms");
        };
        for _ in 0..2 {
            check(0, "203.0.113.9:1", true);
            check(0, "[2001:db8::1]:1", true);
        }
        check(0, "203.0.113.9:2", false);
        check(0, "[::ffff:203.0.113.9]:2", false);
        check(0, "[2001:db8::2]:1", false);
        check(0, "[2001:db8:0:1::2]:1", true);
        check(0, "198.51.100.7:1", true);
        check(1_000, "203.0.113.9:1", true);
        for _ in 0..5 {
            check(0, "127.0.0.1:1", true);
            check(0, "[::1]:1", true);
            check(0, "10.1.2.3:1", true);
        }
    }
}
