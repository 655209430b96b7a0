//! Where a request goes.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use axum::http::{HeaderValue, Uri, uri::PathAndQuery};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::timeout,
};

use super::trust::Trust;
use crate::limits::TLS_HANDSHAKE_MS_MAX;

/// Why nothing is sent to an address. Whoever gave it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum TargetError {
    /// The address is none.
    #[error("the `url` is none of `http://` or `https://` with a host")]
    Url,
    /// It would be asked in the name of the server.
    #[error(
        "the `url` is on a loopback or private address: only the operator may name one, in the settings of the server"
    )]
    Inside,
}

/// An address over `http` or `https`.
#[derive(Debug)]
pub(crate) struct Target {
    /// Without the brackets of IPv6.
    host: String,
    port: u16,
    /// Whom the certificate must name; none over `http`.
    tls: Option<ServerName<'static>>,
    /// Host and port, as they are written.
    pub(super) authority: HeaderValue,
    pub(super) path: PathAndQuery,
    /// Whether it may be on this machine, or its network.
    is_trusted: bool,
}

/// A stream of bytes, with TLS or without.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

impl Target {
    pub(crate) fn parse(url: &str, is_trusted: bool) -> Result<Self, TargetError> {
        let uri: Uri = url.parse().map_err(|_| TargetError::Url)?;
        let authority = uri.authority().ok_or(TargetError::Url)?;
        let written = authority.host();
        let host = written.trim_matches(['[', ']']).to_owned();
        let (tls, usual) = match uri.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => (Some(ServerName::try_from(host.clone()).map_err(|_| TargetError::Url)?), 443),
            Some(_) | None => return Err(TargetError::Url),
        };
        let port = match authority.as_str().strip_prefix(written) {
            Some("") => usual,
            Some(rest) => {
                rest.strip_prefix(':').and_then(|port| port.parse().ok()).ok_or(TargetError::Url)?
            }
            // Something stands before the host.
            None => return Err(TargetError::Url),
        };
        Ok(Self {
            host,
            port,
            tls,
            authority: HeaderValue::from_str(authority.as_str()).map_err(|_| TargetError::Url)?,
            path: uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")),
            is_trusted,
        })
    }

    /// Checks an address that is written as numbers. What a name means is only known when it is asked for.
    pub(crate) fn check_literal(&self) -> Result<(), TargetError> {
        let is_refused = self.host.parse().is_ok_and(|address| !self.may_reach(address));
        if is_refused { Err(TargetError::Inside) } else { Ok(()) }
    }

    /// Connects to the first address that takes the connection, of those that it may reach.
    pub(super) async fn connect(&self, trust: &Trust) -> io::Result<Box<dyn Wire>> {
        let tcp = self.dial().await?;
        let Some(name) = &self.tls else { return Ok(Box::new(tcp)) };
        let wait = Duration::from_millis(TLS_HANDSHAKE_MS_MAX);
        let agreed = timeout(wait, trust.connector().connect(name.clone(), tcp)).await;
        Ok(Box::new(agreed.map_err(|_| io::ErrorKind::TimedOut)??))
    }

    async fn dial(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::PermissionDenied, TargetError::Inside);
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
    // 198.18.0.0/15 is for measuring networks (RFC 2544).
    let is_measured = a == 198 && b & 0xfe == 18;
    // 240.0.0.0/4 is reserved (RFC 1112), and its last address is everyone.
    let is_nobody = a == 0 || a >= 240 || v4.is_multicast();
    is_measured || v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_shared || is_nobody
}

fn is_inside_v6(v6: Ipv6Addr) -> bool {
    let v4 = |hi: u16, lo: u16| Ipv4Addr::from(u32::from(hi) << 16 | u32::from(lo));
    let is_inside_beyond = match v6.segments() {
        // Translated to IPv4 on the way (RFC 6052), written as such a one (RFC 4291), or in a tunnel (RFC 3056).
        [0x64, 0xff9b, 0, 0, 0, 0, hi, lo] | [0, 0, 0, 0, 0, 0, hi, lo] | [0x2002, hi, lo, ..] => {
            is_inside_v4(v4(hi, lo))
        }
        // Translated by a network of its own (RFC 8215); a site (RFC 3879).
        [0x64, 0xff9b, 1, ..] | [0xfec0..=0xfeff, ..] => true,
        _ => false,
    };
    let is_nobody = v6.is_unspecified() || v6.is_multicast();
    is_inside_beyond || v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() || is_nobody
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
            ("198.17.255.255", false),
            ("198.19.0.1", true),
            ("239.1.1.1", true),
            ("240.0.0.1", true),
            ("255.255.255.255", true),
            ("8.8.8.8", false),
            ("::1", true),
            ("::", true),
            ("::ffff:10.0.0.1", true),
            ("::ffff:8.8.8.8", false),
            ("::10.0.0.1", true),
            ("64:ff9b::10.0.0.1", true),
            ("64:ff9b::8.8.8.8", false),
            ("64:ff9b:1::8.8.8.8", true),
            ("2002:0a00:0001::1", true),
            ("2002:0808:0808::1", false),
            ("fec0::1", true),
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
            ("https://erp.example/", good("erp.example", 443, "/")),
            ("https://[::1]/a", good("::1", 443, "/a")),
            ("https://erp.example:8443/a", good("erp.example", 8443, "/a")),
            ("http://erp.example:99999/", Err(TargetError::Url)),
            ("http://erp.example:/", Err(TargetError::Url)),
            ("http://ann@erp.example/", Err(TargetError::Url)),
            ("ftp://erp.example/", Err(TargetError::Url)),
            ("/push", Err(TargetError::Url)),
        ] {
            assert_eq!(parsed(url), want, "{url}");
        }
    }
}
