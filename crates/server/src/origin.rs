//! Which web pages may connect. Any page that a user visits can reach a server on their own machine.

use std::{fmt, net::IpAddr, str::FromStr};

use axum::http::{HeaderMap, HeaderValue, header};

/// Where a page comes from: scheme, host and port (RFC 6454), with the port left out where the scheme implies it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: Scheme,
    /// In lower case, an IPv6 address in brackets.
    host: String,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Why a text is not an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// It begins with neither `http://` nor `https://`.
    #[error("an origin begins with http:// or https://")]
    Scheme,
    /// No host follows, or something follows host and port.
    #[error("an origin is a scheme, a host and perhaps a port, such as https://notes.example:8443")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("the port of an origin is a number from 1 to 65535")]
    Port,
}

impl Origin {
    /// Returns whether a name cannot be pointed at this machine by somebody else's name server: it is no name, or one of
    /// this machine, or of an allowed page.
    fn is_trusted(&self, allowed: &[Self]) -> bool {
        let address = self.host.trim_matches(['[', ']']);
        let known = || allowed.iter().any(|allowed| allowed.host == self.host);
        self.is_local() || address.parse::<IpAddr>().is_ok() || known()
    }

    fn is_local(&self) -> bool {
        matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "[::1]")
    }

    fn is_at(&self, host: &str) -> bool {
        parse_authority(self.scheme, host).is_ok_and(|server| server == *self)
    }
}

/// Which pages may use the server.
///
/// A page is the server's own if its origin is where the server was asked for. Yet a stranger's name server may point a
/// name at this machine; then origin and `Host` agree, and only the name itself gives the page away.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages {
    allowed: Vec<Origin>,
    /// Whether any name will do as the server's own: tokens are asked for, or it is meant to be found under any name.
    any_name: bool,
}

impl Pages {
    pub(crate) fn new(allowed: Vec<Origin>, any_name: bool) -> Self {
        Self { allowed, any_name }
    }

    /// Returns whether a request may open a WebSocket: it does not come from a page, or from one that may.
    pub(crate) fn may_connect(&self, headers: &HeaderMap) -> bool {
        let origins: Vec<_> = headers.get_all(header::ORIGIN).iter().collect();
        origins.len() <= 1 && origins.into_iter().all(|origin| self.is_admitted(origin, headers))
    }

    /// Returns whether a request may read what is meant for the server's own pages. A page of a stranger gives itself away
    /// by its `Origin` or by `Sec-Fetch-Site`; one that asks without either, by a `Host` that is none of the server's.
    pub(crate) fn may_read(&self, headers: &HeaderMap) -> bool {
        let site = headers.get("sec-fetch-site");
        site.is_none_or(|site| site == "same-origin" || site == "none")
            && host_of(headers).is_some_and(|host| self.is_own_name(&host))
            && self.may_connect(headers)
    }

    /// Returns whether a request may be answered that is meant for pages and programs alike: it comes from no page or from one
    /// that may connect, and asks for the server by a name of its own.
    pub(crate) fn may_ask(&self, headers: &HeaderMap) -> bool {
        let host = host_of(headers);
        host.is_some_and(|host| self.is_own_name(&host)) && self.may_connect(headers)
    }

    fn is_admitted(&self, origin: &HeaderValue, headers: &HeaderMap) -> bool {
        let Some(origin) = origin.to_str().ok().and_then(|origin| origin.parse::<Origin>().ok()) else {
            return false;
        };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let is_own = || host.is_some_and(|host| origin.is_at(host)) && self.is_own_name(&origin);
        origin.is_local() || self.allowed.contains(&origin) || is_own()
    }

    fn is_own_name(&self, name: &Origin) -> bool {
        self.any_name || name.is_trusted(&self.allowed)
    }
}

fn host_of(headers: &HeaderMap) -> Option<Origin> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    parse_authority(Scheme::Http, host).ok()
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (scheme, rest) = text.split_once("://").ok_or(OriginError::Scheme)?;
        let schemes = [Scheme::Http, Scheme::Https];
        let scheme = schemes.into_iter().find(|known| scheme.eq_ignore_ascii_case(known.name()));
        parse_authority(scheme.ok_or(OriginError::Scheme)?, rest)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.host)?;
        if self.port != self.scheme.default_port() { write!(f, ":{}", self.port) } else { Ok(()) }
    }
}

fn parse_authority(scheme: Scheme, text: &str) -> Result<Origin, OriginError> {
    let host_end = if text.starts_with('[') { text.find(']').map(|at| at + 1) } else { text.find(':') };
    let (host, port) = text.split_at(host_end.unwrap_or(text.len()));
    let foreign = |c: char| matches!(c, '/' | '?' | '#' | '@' | '\\') || c.is_whitespace() || c.is_control();
    if host.is_empty() || host.contains(foreign) || (host.starts_with('[') && !host.ends_with(']')) {
        return Err(OriginError::Host);
    }
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => scheme.default_port(),
        None => return Err(OriginError::Host),
        Some(digits) => digits.parse().ok().filter(|&port| port > 0).ok_or(OriginError::Port)?,
    };
    Ok(Origin { scheme, host: host.to_ascii_lowercase(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_parsed_as_it_is_shown() {
        let check = |text: &str, want: Result<&str, OriginError>| {
            assert_eq!(
                text.parse::<Origin>().map(|origin| origin.to_string()),
                want.map(str::to_owned),
                "{text}"
            );
        };
        check("http://localhost:5173", Ok("http://localhost:5173"));
        check("HTTPS://Notes.Example:443", Ok("https://notes.example"));
        check("http://[::1]:80", Ok("http://[::1]"));
        check("null", Err(OriginError::Scheme));
        check("file:///etc", Err(OriginError::Scheme));
        check("http://", Err(OriginError::Host));
        check("http://a/b", Err(OriginError::Host));
        check("http://user@a", Err(OriginError::Host));
        check("http://[::1", Err(OriginError::Host));
        check("http://[::1]x", Err(OriginError::Host));
        check("http://a:0", Err(OriginError::Port));
        check("http://a:http", Err(OriginError::Port));
    }

    fn headers(origin: &str, host: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        if let Some(host) = host {
            headers.insert(header::HOST, host.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_own_local_and_allowed_pages_may_connect() {
        let pages = Pages::new(vec!["https://app.example".parse().unwrap()], false);
        let check = |origin: &str, host: Option<&str>, want: bool| {
            assert_eq!(pages.may_connect(&headers(origin, host)), want, "{origin} at {host:?}");
        };
        check("http://192.168.0.7:8080", Some("192.168.0.7:8080"), true);
        check("http://192.168.0.7", Some("192.168.0.7:8080"), false);
        check("http://evil.example", Some("127.0.0.1"), false);
        check("http://evil.example", None, false);
        check("http://localhost:3000", Some("127.0.0.1:8080"), true);
        check("http://[::1]:3000", None, true);
        check("http://localhost.evil.example", Some("localhost"), false);
        check("https://app.example", Some("sync.example"), true);
        check("http://app.example", Some("sync.example"), false);
        check("https://app.example:8443", Some("sync.example"), false);
        check("null", Some("127.0.0.1"), false);
        let mut two = headers("http://localhost", Some("localhost"));
        two.append(header::ORIGIN, HeaderValue::from_static("http://localhost"));
        assert!(!pages.may_connect(&two));
        assert!(pages.may_connect(&HeaderMap::new()), "no page");
        assert!(pages.may_ask(&headers("https://app.example", Some("127.0.0.1:80"))));
        assert!(!pages.may_ask(&headers("http://evil.example", Some("127.0.0.1"))));
    }

    /// A stranger's name server can point a name at this machine.
    #[test]
    fn a_name_that_nobody_vouches_for_is_not_the_servers_own() {
        let rebound = headers("http://evil.example:8080", Some("evil.example:8080"));
        assert!(!Pages::new(Vec::new(), false).may_connect(&rebound));
        assert!(!Pages::new(Vec::new(), false).may_read(&rebound));
        let mut without_origin = rebound.clone();
        without_origin.remove(header::ORIGIN);
        assert!(!Pages::new(Vec::new(), false).may_ask(&without_origin));
        let named = Pages::new(Vec::new(), true);
        assert!(named.may_connect(&headers("https://sync.example", Some("SYNC.example:443"))));
        assert!(named.may_read(&headers("http://sync.example:8080", Some("sync.example:8080"))));
        assert!(!named.may_connect(&headers("http://sync.example", Some("sync.example:8080"))));
    }
}
