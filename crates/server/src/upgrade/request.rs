//! The opening handshake of a WebSocket (RFC 6455 section 4.2).

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::shown::BEARER;

/// What a valid request for a WebSocket is answered with.
#[derive(Debug)]
pub(super) struct Handshake {
    accept: HeaderValue,
    /// The first subprotocol that the client offers, whatever it is: browsers give up if none is chosen. What carries a token is
    /// never sent back.
    protocol: Option<HeaderValue>,
}

impl Handshake {
    /// Reads the handshake of a request, if it is one of version 13.
    pub(super) fn of(request: &Request) -> Option<Self> {
        let headers = request.headers();
        let asks = request.method() == Method::GET
            && has_token(headers, &header::CONNECTION, "upgrade")
            && has_token(headers, &header::UPGRADE, "websocket")
            && headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
        let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asks)?;
        let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok()?;
        Some(Self {
            accept,
            protocol: offered(headers).find(|name| !name.starts_with(BEARER)).and_then(value),
        })
    }

    pub(super) fn response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        if let Some(protocol) = self.protocol {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        response
    }
}

/// Returns the subprotocols that a client offers.
pub(super) fn offered(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    tokens(headers, &header::SEC_WEBSOCKET_PROTOCOL)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|token| !token.is_empty())
}

fn value(token: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(token).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455 section 1.3.
    fn example() -> Request {
        let request = Request::get("/yjs/room")
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "WebSocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", "chat, superchat")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        let response = Handshake::of(&example()).unwrap().response();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(response.headers()["sec-websocket-protocol"], "chat");
    }

    #[test]
    fn a_token_is_never_sent_back() {
        let check = |offers: &'static str, want: Option<&str>| {
            let mut request = example();
            request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static(offers));
            let response = Handshake::of(&request).unwrap().response();
            let chosen = response.headers().get("sec-websocket-protocol");
            assert_eq!(chosen.and_then(|value| value.to_str().ok()), want, "{offers}");
        };
        check("syncline.bearer.abc, chat", Some("chat"));
        check("chat, syncline.bearer.abc", Some("chat"));
        check("syncline.bearer.abc", None);
    }

    #[test]
    fn whatever_is_missing_makes_it_no_handshake() {
        let check = |break_it: fn(&mut Request)| {
            let mut request = example();
            break_it(&mut request);
            assert!(Handshake::of(&request).is_none(), "{request:?}");
        };
        check(|request| *request.method_mut() = Method::POST);
        check(|request| drop(request.headers_mut().remove("upgrade")));
        check(|request| drop(request.headers_mut().insert("connection", HeaderValue::from_static("close"))));
        check(|request| drop(request.headers_mut().remove("sec-websocket-key")));
        check(|request| {
            request.headers_mut().insert("sec-websocket-version", HeaderValue::from_static("8"));
        });
    }
}
