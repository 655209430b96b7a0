//! The page for people, as `web/` built it, or a word about what is missing. It lies in memory, compressed beforehand.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::http::problem;

/// One file of the page.
#[derive(Debug)]
struct Asset {
    path: &'static str,
    kind: &'static str,
    /// An entity tag, in its quotes.
    tag: &'static str,
    /// Whether the name changes with the content.
    immutable: bool,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
    brotli: Option<&'static [u8]>,
}

/// What `build.rs` found; nothing if the page was not built.
const ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/page.rs"));

const MISSING: &str = include_str!("missing.html");

/// What a page of this server may load: its own files and nothing else. No script and no style stands in the HTML.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page that says what is missing has its few styles in it, and no script.
const MISSING_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Answers every path that is nothing else: with a file of the page, or with 404.
pub(crate) async fn serve(request: Request<Body>) -> Response {
    let path = request.uri().path();
    if path == "/" && ASSETS.is_empty() {
        return missing();
    }
    let Some(asset) = ASSETS.iter().find(|asset| asset.path == path) else {
        return problem(StatusCode::NOT_FOUND, "not-found", "there is nothing at this path");
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return problem(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "this path takes other methods",
        );
    }
    asset.answer(request.headers())
}

impl Asset {
    fn answer(&self, headers: &HeaderMap) -> Response {
        let mut response = if holds(headers, header::IF_NONE_MATCH, self.tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let (body, encoding) = self.encoded(headers);
            let mut response = body.into_response();
            if let Some(encoding) = encoding {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
            }
            response
        };
        let caching = if self.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
        let own = [
            (header::CONTENT_TYPE, self.kind),
            (header::ETAG, self.tag),
            (header::CACHE_CONTROL, caching),
            (header::VARY, "accept-encoding"),
        ];
        set(&mut response, own);
        protect(&mut response, POLICY);
        response
    }

    fn encoded(&self, headers: &HeaderMap) -> (&'static [u8], Option<&'static str>) {
        let accepts = |name| holds(headers, header::ACCEPT_ENCODING, name);
        match (self.brotli, self.gzip) {
            (Some(brotli), _) if accepts("br") => (brotli, Some("br")),
            (_, Some(gzip)) if accepts("gzip") => (gzip, Some("gzip")),
            _ => (self.plain, None),
        }
    }
}

fn missing() -> Response {
    let mut response = MISSING.into_response();
    set(
        &mut response,
        [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-store")],
    );
    protect(&mut response, MISSING_POLICY);
    response
}

fn protect(response: &mut Response, policy: &'static str) {
    let rules = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    set(response, rules);
}

fn set<const N: usize>(response: &mut Response, headers: [(header::HeaderName, &'static str); N]) {
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
}

/// Returns whether a header lists `item`, apart from what follows a semicolon: `br;q=0.9` is `br`. An item of weight 0 is
/// refused.
fn holds(headers: &HeaderMap, name: header::HeaderName, item: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|listed| {
        let (listed, weight) = listed.split_once(';').unwrap_or((listed, ""));
        let weight: String = weight.split_whitespace().collect();
        let refused = weight.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|q| q <= 0.0);
        listed.trim() == item && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASSET: Asset = Asset {
        path: "/assets/page-1a2b.js",
        kind: "text/javascript; charset=utf-8",
        tag: "\"1\"",
        immutable: true,
        plain: b"plain",
        gzip: Some(b"gzip"),
        brotli: Some(b"brotli"),
    };

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn the_best_encoding_that_is_accepted_is_sent() {
        let check = |accepted: &'static str, want: &[u8]| {
            let headers = headers(header::ACCEPT_ENCODING, accepted);
            assert_eq!(ASSET.encoded(&headers).0, want, "{accepted}");
        };
        check("gzip, deflate, br, zstd", b"brotli");
        check("gzip;q=1.0, br;q=0", b"gzip");
        check("GZIPPED, brr", b"plain");
        check("", b"plain");
    }

    #[test]
    fn what_the_browser_has_is_not_sent_again() {
        let known = ASSET.answer(&headers(header::IF_NONE_MATCH, "\"0\", \"1\""));
        assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
        let changed = ASSET.answer(&headers(header::IF_NONE_MATCH, "\"2\""));
        assert_eq!(changed.status(), StatusCode::OK);
        assert_eq!(changed.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(changed.headers()[header::CONTENT_SECURITY_POLICY], POLICY);
    }

    #[test]
    fn without_the_page_there_is_a_word_about_it() {
        let response = missing();
        assert_eq!(response.status(), StatusCode::OK);
        assert!(MISSING.contains("cargo xtask serve") && !MISSING.contains("<script"));
    }
}
