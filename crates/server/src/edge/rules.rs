//! What every answer tells browsers.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// What an answer that is no page may do in a browser that shows it all the same: nothing.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// What pages of this server use of a device: nothing.
const PERMISSIONS: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
    microphone=(), midi=(), payment=(), usb=()";

/// For how long browsers are to come over TLS alone: a year. Names below this one are not the server's to speak for.
const TLS_ALONE: &str = "max-age=31536000";

/// Adds the rules that an answer does not have yet; `https` says whether it goes over TLS all the way from the browser.
pub(super) fn protect(headers: &mut HeaderMap, https: bool) {
    let rules = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-embedder-policy"), "require-corp"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        // Most answers are about someone, and any may be.
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in rules {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TLS_ALONE));
    }
}
