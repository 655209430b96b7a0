//! Where a handler is that is asked over HTTP.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use axum::http::{HeaderValue, Uri, uri::PathAndQuery};
use tokio::net::{TcpStream, lookup_host};

/// Why a handler cannot be asked. Whoever declares its type is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum HandlerError {
    /// The address is none.
    #[error("the `url` of the handler has no host")]
    Url,
    /// TLS is not in the build.
    #[error(
        "the `url` of the handler begins with `https`, and this server speaks no TLS: use `http`, or a proxy beside it"
    )]
    Tls,
    /// It would be asked in the name of the server.
    #[error(
        "the handler is on a loopback or private address: only the operator may declare such a type, in the settings of the server"
    )]
    Inside,
    /// The type has none any more.
    #[error("the type has no handler any more")]
    Gone,
}

/// An address over `http`.
#[derive(Debug)]
pub(super) struct Target {
    /// Without the brackets of IPv6.
    host: String,
    port: u16,
    /// Host and port, as they are written.
    pub(super) authority: HeaderValue,
    pub(super) path: PathAndQuery,
    /// Whether it may be on this machine, or its network.
    is_trusted: bool,
}

impl Target {
    pub(super) fn parse(url: &str, is_trusted: bool) -> Result<Self, HandlerError> {
        let uri: Uri = url.parse().map_err(|_| HandlerError::Url)?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(HandlerError::Tls),
            Some(_) | None => return Err(HandlerError::Url),
        }
        let authority = uri.authority().ok_or(HandlerError::Url)?;
        let host = authority.host();
        let port = match authority.as_str().strip_prefix(host) {
            Some("") => 80,
            Some(rest) => {
                rest.strip_prefix(':').and_then(|port| port.parse().ok()).ok_or(HandlerError::Url)?
            }
            // Something stands before the host.
            None => return Err(HandlerError::Url),
        };
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_| HandlerError::Url)?,
            path: uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")),
            is_trusted,
        })
    }

    /// Checks an address that is written as numbers. What a name means is only known when it is asked for.
    pub(super) fn check_literal(&self) -> Result<(), HandlerError> {
        let is_refused = self.host.parse().is_ok_and(|address| !self.may_reach(address));
        if is_refused { Err(HandlerError::Inside) } else { Ok(()) }
    }

    /// Connects to the first address that takes the connection, of those that it may reach.
    pub(super) async fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::PermissionDenied, HandlerError::Inside);
        for address in lookup_host((self.host.as_str(), self.port)).await? {
            if !self.may_reach(address.ip()) {
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(tcp) => return Ok(tcp),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn may_reach(&self, address: IpAddr) -> bool {
        self.is_trusted || !is_inside(address)
    }
}

/// Returns whether an address means this machine, its network, or nobody.
fn is_inside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => is_inside_v4(v4),
        IpAddr::V6(v6) => is_inside_v6(v6),
    }
}

fn is_inside_v4(v4: Ipv4Addr) -> bool {
    let [a, b, ..] = v4.octets();
    // 100.64.0.0/10 lies behind the address of a carrier (RFC 6598); 0.0.0.0/8 is "this network" (RFC 1122).
    let is_shared = a == 100 && b & 0xc0 == 64;
    let is_nobody = a == 0 || v4.is_broadcast() || v4.is_multicast();
    v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_shared || is_nobody
}

fn is_inside_v6(v6: Ipv6Addr) -> bool {
    let is_nobody = v6.is_unspecified() || v6.is_multicast();
    v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() || is_nobody
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_the_inside_or_not() {
        for (address, want) in [
            ("127.0.0.1", true),
            ("127.9.9.9", true),
            ("10.0.0.1", true),
            ("172.16.0.1", true),
            ("172.32.0.1", false),
            ("192.168.1.1", true),
            ("169.254.169.254", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("0.0.0.0", true),
            ("8.8.8.8", false),
            ("::1", true),
            ("::", true),
            ("::ffff:10.0.0.1", true),
            ("::ffff:8.8.8.8", false),
            ("fd00::1", true),
            ("fe80::1", true),
            ("2001:4860:4860::8888", false),
        ] {
            assert_eq!(is_inside(address.parse().expect("an address")), want, "{address}");
        }
    }

    #[test]
    fn a_url_says_where_to_connect() {
        let parsed = |url: &str| {
            let target = Target::parse(url, true)?;
            Ok((target.host, target.port, target.path.to_string()))
        };
        let good = |host: &str, port, path: &str| Ok((host.to_owned(), port, path.to_owned()));
        for (url, want) in [
            ("http://erp.example/push?x=1", good("erp.example", 80, "/push?x=1")),
            ("http://erp.example:8080", good("erp.example", 8080, "/")),
            ("http://[::1]:9/a#b", good("::1", 9, "/a")),
            ("HTTP://erp.example/", good("erp.example", 80, "/")),
            ("https://erp.example/", Err(HandlerError::Tls)),
            ("http://erp.example:99999/", Err(HandlerError::Url)),
            ("http://erp.example:/", Err(HandlerError::Url)),
            ("http://ann@erp.example/", Err(HandlerError::Url)),
            ("ftp://erp.example/", Err(HandlerError::Url)),
            ("/push", Err(HandlerError::Url)),
        ] {
            assert_eq!(parsed(url), want, "{url}");
        }
    }
}
