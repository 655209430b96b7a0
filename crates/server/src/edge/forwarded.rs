//! Who is behind a proxy: `Forwarded` (RFC 7239) and `X-Forwarded-For`.
//!
//! Anyone can send these headers. They are believed of proxies that an operator trusts only, and of what such a proxy says only what
//! it has added itself, which stands at the end.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};

use super::network::Network;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Returns who sent a request that came from `peer`: the last address that is not one of a trusted proxy.
pub(super) fn sender(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let (forwarded, plain) = (forwarded(headers), plain(headers, &X_FORWARDED_FOR));
    match (last_untrusted(peer, &forwarded, trusted), last_untrusted(peer, &plain, trusted)) {
        (by_one, _) if plain.is_empty() => by_one,
        (_, by_other) if forwarded.is_empty() => by_other,
        // A proxy writes one of the two and passes the other on as it came: nobody can tell which.
        (by_one, by_other) if by_one == by_other => by_one,
        _ => peer,
    }
}

/// Returns whether a proxy that is trusted says that it was asked over TLS.
pub(super) fn says_https(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> bool {
    let proto = values(headers, &X_FORWARDED_PROTO).last();
    is_trusted(peer, trusted) && proto.is_some_and(|proto| proto.eq_ignore_ascii_case("https"))
}

/// Returns whether a request says that it comes from another machine, by way of a proxy on this one. Whoever says so wrongly shuts
/// out nobody but themselves, so it is believed of all.
pub(super) fn comes_from_elsewhere(headers: &HeaderMap) -> bool {
    let said = [forwarded(headers), plain(headers, &X_FORWARDED_FOR), plain(headers, &X_REAL_IP)];
    said.into_iter().flatten().any(|address| address.is_none_or(|address| !address.is_loopback()))
}

fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

fn last_untrusted(peer: IpAddr, said: &[Option<IpAddr>], trusted: &[Network]) -> IpAddr {
    let mut sender = peer;
    for address in said.iter().rev() {
        // What is no address, as `unknown`, hides whoever stands before it.
        let Some(address) = *address else { return sender };
        sender = address;
        if !is_trusted(address, trusted) {
            return sender;
        }
    }
    sender
}

/// Returns the addresses of `Forwarded`, the nearest proxy's last, and nothing for each that is none.
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let elements = values(headers, &header::FORWARDED);
    let nodes = elements.map(|element| {
        let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
        let node = pairs.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
        node.and_then(|(_, node)| address(node))
    });
    nodes.collect()
}

fn plain(headers: &HeaderMap, name: &HeaderName) -> Vec<Option<IpAddr>> {
    values(headers, name).map(address).collect()
}

/// Returns the elements of a list. A comma in quotes ends one, too: it stands in what nobody vouches for.
fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    // What is no text is an element that is no address.
    let lines = headers.get_all(name).into_iter().map(|line| line.to_str().unwrap_or("unknown"));
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|element| !element.is_empty())
}

/// Reads an address, which may be in quotes, in brackets, and with a port.
fn address(node: &str) -> Option<IpAddr> {
    let node = node.trim().trim_matches('"');
    let bare = || node.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || node.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address: Option<IpAddr> = node.parse().ok().or_else(bare).or_else(with_port);
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let named = lines.iter().map(|(name, value)| {
            (name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"))
        });
        named.collect()
    }

    #[test]
    fn the_last_address_that_is_not_trusted_counts() {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().expect("a network"));
        let check = |peer: &str, lines: &[(&str, &str)], want: &str| {
            let found = sender(peer.parse().expect("an address"), &headers(lines), &trusted);
            assert_eq!(found.to_string(), want, "{peer} {lines:?}");
        };
        const XFF: &str = "x-forwarded-for";
        check("10.0.0.1", &[], "10.0.0.1");
        check("203.0.113.9", &[(XFF, "198.51.100.7")], "203.0.113.9");
        check("10.0.0.1", &[(XFF, "198.51.100.7")], "198.51.100.7");
        check("::ffff:10.0.0.1", &[(XFF, "::ffff:198.51.100.7")], "198.51.100.7");
        check("10.0.0.1", &[(XFF, "127.0.0.1, 198.51.100.7")], "198.51.100.7");
        check("10.0.0.1", &[(XFF, "127.0.0.1, 198.51.100.7, 10.9.9.9")], "198.51.100.7");
        check("10.0.0.1", &[(XFF, "127.0.0.1"), (XFF, "198.51.100.7")], "198.51.100.7");
        check("10.0.0.1", &[(XFF, "10.0.0.5, 10.0.0.6")], "10.0.0.5");
        check("10.0.0.1", &[(XFF, "198.51.100.7, unknown")], "10.0.0.1");
        check("10.0.0.1", &[(XFF, "198.51.100.7, unknown, 10.0.0.2")], "10.0.0.2");
        check("10.0.0.1", &[(XFF, "198.51.100.7:4711")], "198.51.100.7");
        check(
            "fd00::1",
            &[("forwarded", r#"for=127.0.0.1, for="[2001:db8::17]:4711";proto=https"#)],
            "2001:db8::17",
        );
        check("10.0.0.1", &[("forwarded", r#"for="a,b", FOR=198.51.100.7"#)], "198.51.100.7");
        check("10.0.0.1", &[("forwarded", r#"for="127.0.0.1, for=198.51.100.7"#)], "198.51.100.7");
        check("10.0.0.1", &[("forwarded", "by=10.0.0.1")], "10.0.0.1");
        check("10.0.0.1", &[("forwarded", "for=_hidden")], "10.0.0.1");
        let both = |one, other| [("forwarded", one), (XFF, other)];
        check("10.0.0.1", &both("for=198.51.100.7", "198.51.100.7"), "198.51.100.7");
        check("10.0.0.1", &both("for=198.51.100.7", "127.0.0.1"), "10.0.0.1");
    }

    #[test]
    fn only_a_trusted_proxy_says_that_it_was_asked_over_tls() {
        let trusted = ["10.0.0.0/8".parse().expect("a network")];
        let check = |peer: &str, proto: &str, want: bool| {
            let headers = headers(&[("x-forwarded-proto", proto)]);
            assert_eq!(
                says_https(peer.parse().expect("an address"), &headers, &trusted),
                want,
                "{peer} {proto}"
            );
        };
        check("10.0.0.1", "https", true);
        check("10.0.0.1", "https, http", false);
        check("10.0.0.1", "http", false);
        check("203.0.113.9", "https", false);
    }

    #[test]
    fn whoever_is_not_on_this_machine_is_elsewhere() {
        let check = |lines: &[(&str, &str)], want: bool| {
            assert_eq!(comes_from_elsewhere(&headers(lines)), want, "{lines:?}");
        };
        check(&[], false);
        check(&[("x-forwarded-for", "127.0.0.1")], false);
        check(&[("forwarded", r#"for="[::1]:80""#)], false);
        check(&[("x-forwarded-for", "127.0.0.1, 198.51.100.7")], true);
        check(&[("x-forwarded-for", "198.51.100.7, 127.0.0.1")], true);
        check(&[("x-real-ip", "198.51.100.7")], true);
        check(&[("forwarded", "for=unknown")], true);
        check(&[("forwarded", "proto=https")], true);
    }
}
