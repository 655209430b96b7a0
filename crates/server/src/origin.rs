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
    /// Returns whether a page from here may connect to a server that was addressed as `host`, the text of the `Host`
    /// header: it is the server's own page, or one of this machine, or in `allowed`.
    pub(crate) fn may_connect(&self, host: Option<&str>, allowed: &[Self]) -> bool {
        self.is_local() || host.is_some_and(|host| self.is_at(host)) || allowed.contains(self)
    }

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

/// Returns whether a request may read what is meant for the server's own pages: it comes from one of them, or from no page
/// at all. A page of a stranger gives itself away by its `Origin`, by `Sec-Fetch-Site`, or, if its name was made to mean
/// this machine, by a `Host` that nobody has allowed.
pub(crate) fn is_own_page(headers: &HeaderMap, allowed: &[Origin]) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let asked = host.and_then(|host| parse_authority(Scheme::Http, host).ok());
    let site = headers.get("sec-fetch-site");
    let same_site = site.is_none_or(|site| site == "same-origin" || site == "none");
    let may_connect = |origin: &HeaderValue| {
        let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Origin>().ok());
        origin.is_some_and(|origin| origin.may_connect(host, allowed))
    };
    asked.is_some_and(|asked| asked.is_trusted(allowed))
        && same_site
        && headers.get_all(header::ORIGIN).iter().all(may_connect)
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

    #[test]
    fn only_own_local_and_allowed_pages_may_connect() {
        let allowed: Origin = "https://app.example".parse().unwrap();
        let check = |origin: &str, host: Option<&str>, want: bool| {
            let parsed: Origin = origin.parse().unwrap();
            assert_eq!(
                parsed.may_connect(host, std::slice::from_ref(&allowed)),
                want,
                "{origin} at {host:?}"
            );
        };
        check("https://sync.example", Some("sync.example"), true);
        check("https://sync.example", Some("SYNC.example:443"), true);
        check("http://sync.example:8080", Some("sync.example:8080"), true);
        check("http://sync.example", Some("sync.example:8080"), false);
        check("http://evil.example", Some("sync.example"), false);
        check("http://evil.example", None, false);
        check("http://localhost:3000", Some("127.0.0.1:8080"), true);
        check("http://[::1]:3000", None, true);
        check("http://localhost.evil.example", Some("localhost"), false);
        check("https://app.example", Some("sync.example"), true);
        check("http://app.example", Some("sync.example"), false);
        check("https://app.example:8443", Some("sync.example"), false);
    }
}
