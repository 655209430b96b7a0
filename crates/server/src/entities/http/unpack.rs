//! Bodies that are packed with zstd (RFC 8878).
//!
//! Those that are packed with gzip are unpacked by a layer of tower-http. Its decoder of zstd would allocate 128 MiB for a body
//! of 20 bytes that says so.

use std::{error::Error, io};

use async_compression::{tokio::bufread::ZstdDecoder, zstd::DParameter};
use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use syncline_protocol::wire::sync_v1::{Code, Problem};
use tokio_util::io::{ReaderStream, StreamReader};

use crate::limits::{UNPACKED_PIECE_BYTES, ZSTD_WINDOW_LOG_MAX};

/// What zstd says of a window that is wider than it may be.
const TOO_WIDE: &str = "too much memory";

/// Why there are no more bytes of a body. Its sender is at fault.
#[derive(Debug, thiserror::Error)]
enum UnpackError {
    /// To unpack it takes more memory than anyone is to have sent.
    #[error("the window of the zstd frame is wider than {} bytes", window_bytes())]
    TooWide,
    /// It is no zstd, or ended early.
    #[error("the body cannot be unpacked: {0}")]
    Broken(io::Error),
}

/// Unpacks the body of a request, as it is read.
pub(super) async fn unpack(mut request: Request, next: Next) -> Response {
    if !is_packed(request.headers()) {
        return next.run(request).await;
    }
    let headers = request.headers_mut();
    headers.remove(header::CONTENT_ENCODING);
    headers.remove(header::CONTENT_LENGTH);
    next.run(request.map(|body| Body::from_stream(unpacked(body)))).await
}

/// Returns what is to be said of a body that broke off.
pub(super) fn broken_off(error: &axum::Error) -> Problem {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(at) = cause {
        if matches!(at.downcast_ref(), Some(UnpackError::TooWide)) {
            let problem = Problem::new(Code::PayloadTooLarge).because(at);
            return Problem { max: Some(window_bytes()), ..problem };
        }
        cause = at.source();
    }
    Problem::new(Code::MalformedRequest).because(error)
}

fn is_packed(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"zstd"))
}

fn unpacked(body: Body) -> impl Stream<Item = Result<Bytes, UnpackError>> {
    let packed = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    let mut decoder = ZstdDecoder::with_params(packed, &[DParameter::window_log_max(ZSTD_WINDOW_LOG_MAX)]);
    // Tools that pack in parallel write a frame for each part.
    decoder.multiple_members(true);
    ReaderStream::with_capacity(decoder, UNPACKED_PIECE_BYTES).map_err(|error| {
        // The decoder has no kinds of errors.
        if error.to_string().contains(TOO_WIDE) { UnpackError::TooWide } else { UnpackError::Broken(error) }
    })
}

const fn window_bytes() -> u64 {
    1 << ZSTD_WINDOW_LOG_MAX
}
