//! Networks of addresses, as `10.0.0.0/8`.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use serde::Deserialize;

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    /// No IPv4 address in the clothes of IPv6.
    address: IpAddr,
    /// From 0 to 32, or to 128.
    prefix: u8,
}

/// A text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a network is an address, perhaps with the number of its bits that count, as 10.0.0.0/8 or fd00::/8")]
pub struct NetworkError;

impl Network {
    /// Returns whether an address is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && masked(address, self.prefix) == masked(self.address, self.prefix)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        if address != address.to_canonical() {
            return Err(NetworkError);
        }
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), |prefix| prefix.parse().map_err(|_| NetworkError))?;
        if prefix <= bits { Ok(Self { address, prefix }) } else { Err(NetworkError) }
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Returns the address by which someone is counted: of IPv6 the first 64 bits, for whoever has one such address has all of them.
pub(super) fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        v6 @ IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from_bits(masked(v6, 64))),
    }
}

/// Returns the first bits of an address, and zeros for the others.
fn masked(address: IpAddr, prefix: u8) -> u128 {
    let (bits, count) = match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    let dropped = count - u32::from(prefix).min(count);
    bits.checked_shr(dropped).unwrap_or(0).checked_shl(dropped).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_the_addresses_that_begin_alike() {
        let check = |network: &str, address: &str, want: bool| {
            let found =
                network.parse::<Network>().expect("a network").contains(address.parse().expect("an address"));
            assert_eq!(found, want, "{address} in {network}");
        };
        check("10.0.0.0/8", "10.255.1.2", true);
        check("10.1.2.3/8", "10.255.1.2", true);
        check("10.0.0.0/8", "11.0.0.0", false);
        check("10.0.0.0/8", "::ffff:10.0.0.1", true);
        check("10.0.0.1", "10.0.0.1", true);
        check("10.0.0.1", "10.0.0.2", false);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("0.0.0.0/0", "2001:db8::1", false);
        check("fd00::/8", "fd12::1", true);
        check("::/0", "::1", true);
        check("::1", "::2", false);
        check("::/0", "10.0.0.1", false);
        for text in
            ["", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/-1", "10.0.0.0/8/8", "::ffff:10.0.0.0/104", "proxy"]
        {
            assert_eq!(text.parse::<Network>(), Err(NetworkError), "{text}");
        }
        assert_eq!("fd00::/8".parse::<Network>().map(|network| network.to_string()), Ok("fd00::/8".into()));
    }

    #[test]
    fn one_line_of_ipv6_is_counted_as_one() {
        let counted = |text: &str| counted(text.parse().expect("an address")).to_string();
        assert_eq!(counted("2001:db8:1:2:3::4"), "2001:db8:1:2::");
        assert_eq!(counted("203.0.113.9"), "203.0.113.9");
        assert_eq!(counted("::ffff:203.0.113.9"), "203.0.113.9");
    }
}
