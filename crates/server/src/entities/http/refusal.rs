//! Refusals as problems of RFC 9457.

use axum::{
    extract::rejection::{PathRejection, QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use syncline_protocol::wire::sync_v1::{Code, Problem, RequestError};

use crate::{entities::LedgerDown, limits::ROOMS_FULL_RETRY_MS, registry::NotOpened};

/// Why a request is not done.
#[derive(Debug)]
pub(super) struct Refusal(Box<Problem>);

impl Refusal {
    pub(super) fn body(&self) -> String {
        self.0.body(None)
    }

    pub(super) fn code(&self) -> Code {
        self.0.code
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        Problem::from(&error).into()
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Problem::new(Code::MalformedRequest).because(rejection.body_text()).into()
    }
}

impl From<PathRejection> for Refusal {
    fn from(rejection: PathRejection) -> Self {
        Problem::new(Code::MalformedRequest).because(rejection.body_text()).into()
    }
}

impl From<LedgerDown> for Refusal {
    fn from(down: LedgerDown) -> Self {
        let problem = Problem::new(Code::ReadOnly).because(down);
        Problem { retry_after_ms: Some(1_000), ..problem }.into()
    }
}

impl From<NotOpened> for Refusal {
    fn from(error: NotOpened) -> Self {
        match error {
            NotOpened::Closed => LedgerDown.into(),
            NotOpened::TooMany => {
                let problem = Problem::new(Code::RateLimited).because(error);
                Problem { retry_after_ms: Some(ROOMS_FULL_RETRY_MS), ..problem }.into()
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(refused) = self;
        problem(&refused, refused.body(None))
    }
}

/// Returns the answer that tells a problem.
pub(crate) fn refused(refused: Problem) -> impl IntoResponse {
    Refusal::from(refused)
}

/// Returns the answer that tells a problem, of which this is the body.
pub(super) fn problem(problem: &Problem, body: String) -> Response {
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = HeaderValue::from_static("application/problem+json");
    let mut response = (status, [(header::CONTENT_TYPE, kind)], body).into_response();
    let headers = response.headers_mut();
    if let Some(after_ms) = problem.retry_after_ms {
        headers.insert(header::RETRY_AFTER, after_ms.div_ceil(1_000).into());
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
