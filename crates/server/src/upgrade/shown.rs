//! What a request for a WebSocket shows to say who sends it: browsers let a page choose no header of its own but
//! `Sec-WebSocket-Protocol`, and some clients choose nothing but the URL.

use axum::http::HeaderMap;

use super::{path::parameter, request::offered};
use crate::access::Credential;

/// What the offer of a subprotocol begins with that is none, but carries a token.
pub(super) const BEARER: &str = "syncline.bearer.";

/// Returns what a request shows: a token among its subprotocols, or else a ticket or a token in its URL.
pub(crate) fn credential(headers: &HeaderMap, query: Option<&str>) -> Credential {
    let bearer = offered(headers).find_map(|name| name.strip_prefix(BEARER));
    if let Some(token) = bearer.filter(|token| !token.is_empty()) {
        return Credential::Offered(token.to_owned());
    }
    let query = query.unwrap_or_default();
    match parameter(query, "ticket") {
        Some(ticket) => Credential::Ticket(ticket),
        None => Credential::InUrl(parameter(query, "token").unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_in_the_subprotocols_and_then_in_the_url() {
        let check = |protocols: &[&str], query: &str, want: Credential| {
            let mut headers = HeaderMap::new();
            for value in protocols {
                headers.append("sec-websocket-protocol", value.parse().expect("a header"));
            }
            assert!(credential(&headers, Some(query)) == want, "{protocols:?} {query}");
        };
        let offered = |token: &str| Credential::Offered(token.into());
        check(&["yjs, syncline.bearer.a.b_-"], "token=t&ticket=u", offered("a.b_-"));
        check(&["yjs", "syncline.bearer.a, syncline.bearer.b"], "", offered("a"));
        check(&["syncline.bearer., yjs"], "token=t", Credential::InUrl("t".into()));
        check(&[], "token=t&ticket=u", Credential::Ticket("u".into()));
        check(&["yjs"], "", Credential::InUrl(String::new()));
    }
}
