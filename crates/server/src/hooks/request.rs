//! One request to a hook.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use serde::Serialize;
use syncline_core::{
    hook::{HookEvent, HookFailure, HookMark},
    id::TenantName,
    time::WallMs,
};
use syncline_protocol::{
    hooks::Answer,
    wire::{
        hook::{ID, SIGNATURE, TIMESTAMP, message_id, signatures, timestamp},
        sync_v1::time_text,
    },
};

use super::settings::Configured;
use crate::{
    clock::Clock,
    outgoing::{ExchangeError, NoAnswer, Told, tell},
};

/// What is sent. It is the same for each attempt.
#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    tenant: &'a str,
    document: &'a str,
    /// Which of the documents that the name has meant, as an `ETag` of `/docs/v1` begins.
    generation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<u64>,
}

/// Tells an application, unless it is left in peace for a while.
pub(super) async fn send(hook: &Configured, clock: Clock, tenant: &TenantName, mark: &HookMark) -> Answer {
    let (mut is_sent, mut told, mut failure) = (false, None, HookFailure::Late);
    let asking = async {
        is_sent = true;
        match tell(&hook.target, &hook.trust, request(hook, clock.now().wall, tenant, mark)).await {
            Ok(answer) => {
                told = Some(answer);
                // What is behind it may be down although something answers. With any other status it is there.
                if is_away(answer.status) { Err(NoAnswer::default()) } else { Ok(()) }
            }
            Err(error) => {
                failure = failure_of(&error);
                tracing::debug!(hook = %hook.name, %error, "a hook was not told");
                Err(NoAnswer::default())
            }
        }
    };
    let asked = hook.gate.ask(clock, asking).await;
    match (told, asked) {
        (Some(told), _) => answer_of(told),
        (None, Err(NoAnswer { retry_after_ms })) if !is_sent => Answer::Held { retry_after_ms },
        (None, _) => Answer::Failed { failure, retry_after_ms: None },
    }
}

fn request(hook: &Configured, now: WallMs, tenant: &TenantName, mark: &HookMark) -> Request<Body> {
    let body = body(tenant, mark);
    let (id, at) = (message_id(&hook.name, tenant, &mark.id), timestamp(now));
    Request::post("/")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("syncline/", env!("CARGO_PKG_VERSION")))
        .header(SIGNATURE, signatures(&hook.secrets, &id, &at, body.as_bytes()))
        .header(ID, id)
        .header(TIMESTAMP, at)
        .body(body.into())
        .expect("its headers are plain")
}

fn body(tenant: &TenantName, HookMark { id, name, at, attempts: _, dead: _ }: &HookMark) -> String {
    let commit = (id.event != HookEvent::Deleted).then_some(id.commit.0);
    let generation = id.document.to_string();
    let data = Data { tenant: tenant.as_str(), document: name.as_str(), generation, commit };
    let body = Message { kind: id.event.as_str(), timestamp: time_text(*at), data };
    serde_json::to_string(&body).expect("texts and a number are JSON")
}

fn is_away(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

fn answer_of(Told { status, retry_after_ms }: Told) -> Answer {
    if status.is_success() {
        return Answer::Taken;
    }
    if status == StatusCode::GONE {
        return Answer::Unwanted;
    }
    let retry_after_ms = retry_after_ms.filter(|_| is_away(status));
    Answer::Failed { failure: HookFailure::Status(status.as_u16()), retry_after_ms }
}

fn failure_of(error: &ExchangeError) -> HookFailure {
    match error {
        ExchangeError::Connect(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            HookFailure::Inside
        }
        ExchangeError::Connect(_) => HookFailure::Unreachable,
        ExchangeError::Status(status) => HookFailure::Status(status.as_u16()),
        ExchangeError::Http(_) | ExchangeError::Body(_) => HookFailure::Broken,
    }
}

#[cfg(test)]
mod tests {
    use syncline_core::{
        hook::HookMarkId,
        id::{CommitNumber, DocumentId, RoomName, TenantId},
    };
    use syncline_protocol::wire::hook::HookSecret;

    use super::*;

    #[test]
    fn a_body_tells_what_has_happened() {
        let told = |event| {
            let id = HookMarkId {
                tenant: TenantId(1),
                document: DocumentId([1; 16]),
                commit: CommitNumber(12),
                event,
            };
            let name = RoomName::new("team/\"plan\"").expect("a name");
            let mark = HookMark { id, name, at: WallMs(1_801_440_000_000), attempts: 3, dead: None };
            body(&"acme".parse().expect("a name"), &mark)
        };
        let at = "\"timestamp\":\"2027-02-01T00:00:00.000Z\"";
        let generation = format!("\"generation\":\"{}\"", "01".repeat(16));
        let document = format!("\"tenant\":\"acme\",\"document\":\"team/\\\"plan\\\"\",{generation}");
        let want = format!("{{\"type\":\"document.changed\",{at},\"data\":{{{document},\"commit\":12}}}}");
        assert_eq!(told(HookEvent::Changed), want);
        let want = format!("{{\"type\":\"document.deleted\",{at},\"data\":{{{document}}}}}");
        assert_eq!(told(HookEvent::Deleted), want);
    }

    /// The request in `docs/webhooks.md` is one that is made of its settings.
    #[test]
    fn the_example_of_the_documentation_is_genuine() {
        let told = include_str!("../../../../docs/webhooks.md");
        let hex = data_encoding::HEXLOWER.decode(b"019f1c2e7a4b7d03a1b2c3d4e5f60718").expect("hexadecimal");
        let document = DocumentId(hex.try_into().expect("16 bytes"));
        let (commit, event) = (CommitNumber(12), HookEvent::Changed);
        let id = HookMarkId { tenant: TenantId(0), document, commit, event };
        let name = RoomName::new("team/plan").expect("a name");
        let mark = HookMark { id, name, at: WallMs(1_801_440_000_000), attempts: 0, dead: None };
        let (hook, tenant) = ("search".parse().expect("a name"), TenantName::default());
        let (body, message, at) =
            (body(&tenant, &mark), message_id(&hook, &tenant, &id), timestamp(WallMs(1_801_440_002_000)));
        let secret = HookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a secret");
        let signed = signatures(&[secret], &message, &at, body.as_bytes());
        for line in
            [body, format!("{ID}: {message}"), format!("{TIMESTAMP}: {at}"), format!("{SIGNATURE}: {signed}")]
        {
            assert!(told.lines().any(|told| told == line), "{line}");
        }
    }

    #[test]
    fn only_a_status_of_200_to_299_is_taken() {
        let told = |status, retry_after_ms| {
            answer_of(Told { status: StatusCode::from_u16(status).expect("a status"), retry_after_ms })
        };
        for status in [200, 202, 204, 299] {
            assert_eq!(told(status, None), Answer::Taken, "{status}");
        }
        assert_eq!(told(410, None), Answer::Unwanted);
        for (status, asked) in [
            (301, None),
            (308, None),
            (400, None),
            (404, None),
            (429, Some(5)),
            (500, Some(5)),
            (503, Some(5)),
        ] {
            let failure = HookFailure::Status(status);
            assert_eq!(told(status, Some(5)), Answer::Failed { failure, retry_after_ms: asked }, "{status}");
        }
    }
}
