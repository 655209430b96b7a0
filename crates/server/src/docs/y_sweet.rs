//! What programs and clients of y-sweet 0.9 ask for: `/doc/new`, `/doc/{document}/auth`, and reading and writing whole documents.
//!
//! Their sockets are those of y-websocket (`crate::upgrade`). Tokens are ours: whoever may use a document gets one for a client, which is
//! good for that document alone ([`crate::access::DocumentToken`]). docs/y-sweet.md says what differs from y-sweet.

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Extension, FromRequestParts, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use data_encoding::BASE64URL_NOPAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use syncline_core::{
    access::{Action, Resource},
    entity::UserName,
    id::RoomName,
    log::Engine,
};

use super::{
    caller::{Caller, InPath},
    content::bytes,
    edit::{parsed, whole},
    refusal::Refusal,
    state::{self, NOTHING, absorb, random},
};
use crate::{
    access::DocumentToken, edge::Sender, entities::preflight, http::bearer, registry::RoomKey, shared::Shared,
};

/// How long a token lasts unless its issuer says otherwise, in seconds: y-sweet says so, too.
const VALID_S: u64 = 60 * 60;

/// All that is not itself in one part of a path (RFC 3986 section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/check_store", post(check_store).options(preflight))
        .route("/doc/new", post(create).options(preflight))
        .route("/doc/{document}/auth", post(authorize).options(preflight))
        .route("/doc/{document}/as-update", get(as_update).options(preflight))
        .route("/doc/{document}/update", post(update).options(preflight))
        .route("/d/{document}/as-update", get(as_update).options(preflight))
        .route("/d/{document}/update", post(update).options(preflight))
}

/// Whoever asks with a token of their own, or with one for a document.
struct Visit {
    caller: Caller,
    /// What the token is for, if it is for one document.
    only: Option<(RoomName, Action)>,
}

impl FromRequestParts<Arc<Shared>> for Visit {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let now = shared.clock.now().wall;
        let token = shared.gate.document_token(bearer(&parts.headers), now);
        let token = token.map_err(Refusal::Unauthenticated)?;
        let known = token.as_ref().map(|token| Arc::clone(&token.identity));
        let caller = Caller::of(parts, shared, known).await?;
        Ok(Self { caller, only: token.map(|token| (token.document, token.most)) })
    }
}

impl Visit {
    /// Returns the room of a document that the caller may do this with.
    async fn room(&self, name: &str, action: Action) -> Result<RoomKey, Refusal> {
        let fits = |(document, most): &(RoomName, Action)| document.as_str() == name && action <= *most;
        if !self.only.as_ref().is_none_or(fits) {
            return Err(Refusal::Absent);
        }
        self.caller.room(name, action).await
    }
}

/// What a client may do, as y-sweet calls it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Authorization {
    #[default]
    Full,
    /// It is seen, and changes nothing.
    ReadOnly,
}

#[derive(Debug, Default, Deserialize)]
struct NewDocument {
    #[serde(rename = "docId")]
    name: Option<String>,
}

/// What a token is to be for.
#[derive(Debug, Default, Deserialize)]
struct WantedToken {
    #[serde(default)]
    authorization: Authorization,
    #[serde(rename = "userId")]
    user: Option<String>,
    #[serde(rename = "validForSeconds")]
    valid_s: Option<u64>,
}

/// Says that the caller is known, and that the store is open.
async fn check_store(_caller: Caller) -> Response {
    Json(json!({ "ok": true })).into_response()
}

/// Answers with the name of a document that the caller may write. There is nothing to create: a document begins with what is first
/// written in it.
async fn create(caller: Caller, body: Result<Bytes, BytesRejection>) -> Result<Response, Refusal> {
    let NewDocument { name } = body_of(body)?;
    let name = match name {
        Some(name) => name,
        None => BASE64URL_NOPAD.encode(&random::<16>()?),
    };
    let room = caller.room(&name, Action::Write).await?;
    // It says of what kind a document is that is there.
    is_there(&caller, &room).await?;
    Ok(Json(json!({ "docId": name })).into_response())
}

/// Answers with what a client needs to open a document, and with no token where none is asked for.
async fn authorize(
    caller: Caller,
    InPath(name): InPath<String>,
    sender: Option<Extension<Sender>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let wanted: WantedToken = body_of(body)?;
    let RoomKey { name: document, .. } = caller.room(&name, Action::Read).await?;
    let may_write = match caller.room(&name, Action::Write).await {
        Ok(_) => true,
        Err(Refusal::Absent) => false,
        Err(refusal) => return Err(refusal),
    };
    let authorization = if may_write { wanted.authorization } else { Authorization::ReadOnly };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.ok_or_else(|| Refusal::Malformed("`Host` says where to connect to".to_owned()))?;
    let secure = if sender.is_some_and(|Extension(sender)| sender.https) { "s" } else { "" };
    let place = format!("{host}/d/{}", utf8_percent_encode(&name, RESERVED));
    let mut told = json!({
        "url": format!("ws{secure}://{place}/ws"),
        "baseUrl": format!("http{secure}://{place}"),
        "docId": name,
        "authorization": authorization,
    });
    if caller.shared.gate.asks_token() {
        told["token"] = Value::from(token(&caller, document, authorization, wanted)?);
    }
    Ok(Json(told).into_response())
}

fn token(
    caller: &Caller,
    document: RoomName,
    authorization: Authorization,
    wanted: WantedToken,
) -> Result<String, Refusal> {
    let own = &caller.identity;
    let user = match wanted.user {
        None => own.user.clone(),
        Some(user) => {
            UserName::new(&user).map_err(|error| Refusal::Malformed(format!("`userId`: {error}")))?
        }
    };
    if user != own.user && !own.may(Action::Admin, Resource::Server) {
        let why = "only who may administer `server` says who somebody else is, with `userId`";
        return Err(Refusal::Malformed(why.to_owned()));
    }
    let most = match authorization {
        Authorization::Full => Action::Write,
        Authorization::ReadOnly => Action::Comment,
    };
    let (now, valid_ms) = (caller.now(), wanted.valid_s.unwrap_or(VALID_S).saturating_mul(1_000));
    caller.check_lease()?;
    let token = DocumentToken::new(own, user, document, most, (now, valid_ms));
    Ok(caller.shared.gate.issue_document_token(own, token, random()?, now)?)
}

/// Answers with all that a document holds, as an update. One that is not there holds nothing.
async fn as_update(visit: Visit, InPath(name): InPath<String>) -> Result<Response, Refusal> {
    let room = visit.room(&name, Action::Read).await?;
    let update = match is_there(&visit.caller, &room).await? {
        true => state::content(&visit.caller, &room).await?.update,
        false => Bytes::from_static(&NOTHING),
    };
    visit.caller.check_lease()?;
    Ok(bytes(update))
}

/// Takes in an update; when this is answered it is durable.
async fn update(
    visit: Visit,
    InPath(name): InPath<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let room = visit.room(&name, Action::Write).await?;
    absorb(&visit.caller, &room, Engine::Yjs, whole(body)?, None).await?;
    Ok(StatusCode::OK.into_response())
}

/// Returns whether anything of a document is stored, which has to be a Yjs document then.
async fn is_there(caller: &Caller, room: &RoomKey) -> Result<bool, Refusal> {
    match state::known(caller, room).await?.map(|named| named.engine) {
        Some(Engine::Automerge) => {
            Err(Refusal::OtherKind("it is an Automerge document: y-sweet knows of Yjs documents only"))
        }
        Some(Engine::Yjs) => Ok(true),
        None => Ok(false),
    }
}

/// Reads a body that may be missing.
fn body_of<T: Default + serde::de::DeserializeOwned>(
    body: Result<Bytes, BytesRejection>,
) -> Result<T, Refusal> {
    let body = whole(body)?;
    if body.is_empty() { Ok(T::default()) } else { parsed(&body) }
}
