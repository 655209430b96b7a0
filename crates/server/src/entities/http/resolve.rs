//! What people do with conflicts.

use axum::{
    body::Body,
    extract::{Path, rejection::PathRejection},
    http::StatusCode,
    response::Response,
};
use serde::{Deserialize, de::DeserializeOwned};
use syncline_core::{
    access::{Action, Resource},
    entity::conflict::Conflict,
};
use syncline_protocol::{
    ledger::{Answer, ConflictId, ConflictRefusal, ConflictWish, Input},
    wire::sync_v1::{Code, Problem, Resolve, conflict_id, resolved_body, time_of, unresolved_body},
};

use super::{
    ask::Asked,
    push::told,
    refusal::{Refusal, problem},
    reply::{json, unexpected},
};
use crate::{access::Check, entities::Answered};

/// `POST /sync/v1/resolve-conflict`.
pub(super) async fn resolve(mut asked: Asked, body: Body) -> Result<Response, Refusal> {
    let Resolve { conflict, request } = Resolve::parse(&asked.whole(body).await?, asked.user.as_str())?;
    let conflict = conflict.ok_or_else(|| Problem::new(Code::UnknownConflict))?;
    let request = request.map_err(|faults| Problem::of_faults(&faults))?;
    wish(&mut asked, conflict, ConflictWish::Resolve(request)).await
}

/// Who is to have a conflict.
#[derive(Deserialize)]
struct Assign {
    assignee: String,
    deadline: Option<String>,
}

/// What is said about a conflict.
#[derive(Deserialize)]
struct Comment {
    text: String,
}

/// `POST /sync/v1/conflicts/{conflict_id}/assign`.
pub(super) async fn assign(
    mut asked: Asked,
    name: Result<Path<String>, PathRejection>,
    body: Body,
) -> Result<Response, Refusal> {
    let Assign { assignee, deadline } = read(&asked, body).await?;
    let deadline = deadline.map(|text| time_of(&text).ok_or("a deadline is a time of RFC 3339")).transpose();
    let deadline = deadline.map_err(|why| Problem::new(Code::MalformedRequest).because(why))?;
    wish(&mut asked, named(name)?, ConflictWish::Assign { assignee, deadline }).await
}

/// `POST /sync/v1/conflicts/{conflict_id}/escalate`.
pub(super) async fn escalate(
    mut asked: Asked,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    wish(&mut asked, named(name)?, ConflictWish::Escalate).await
}

/// `POST /sync/v1/conflicts/{conflict_id}/comment`.
pub(super) async fn comment(
    mut asked: Asked,
    name: Result<Path<String>, PathRejection>,
    body: Body,
) -> Result<Response, Refusal> {
    let Comment { text } = read(&asked, body).await?;
    asked.check_storage()?;
    let by = asked.user.to_string();
    wish(&mut asked, named(name)?, ConflictWish::Comment { by, text }).await
}

async fn read<T: DeserializeOwned>(asked: &Asked, body: Body) -> Result<T, Refusal> {
    let read = serde_json::from_slice(&asked.whole(body).await?);
    read.map_err(|error| Problem::new(Code::MalformedRequest).because(error).into())
}

pub(super) fn named(name: Result<Path<String>, PathRejection>) -> Result<ConflictId, Refusal> {
    let Path(name) = name?;
    conflict_id(&name).ok_or_else(|| Problem::new(Code::UnknownConflict).into())
}

pub(super) async fn wish(asked: &mut Asked, id: ConflictId, wish: ConflictWish) -> Result<Response, Refusal> {
    may_settle(asked, id).await?;
    let answered = asked.ledger(move |_, request| Input::Conflict { request, conflict: id, wish }).await?;
    match &answered.answer {
        Answer::Conflict { conflict, result } => {
            let result = result.as_deref().map(told);
            Ok(json(StatusCode::OK, resolved_body(id, conflict, result.as_ref(), &answered.actors)))
        }
        Answer::ConflictRefused(refusal) => match refusal {
            ConflictRefusal::State(error, conflict) => Ok(stale(&error.into(), (id, conflict), &answered)),
            ConflictRefusal::Record(refusal) => Err(Problem::from(refusal).into()),
            ConflictRefusal::Unknown => Err(Problem::new(Code::UnknownConflict).into()),
            ConflictRefusal::LastLevel => Err(invalid("no level is left that could have the conflict")),
            ConflictRefusal::CommentsFull => Err(invalid("too much has been said about the conflict")),
        },
        _ => Err(unexpected()),
    }
}

/// Checks that the caller may settle a conflict. One that they may not even read is not there for them.
pub(super) async fn may_settle(asked: &mut Asked, id: ConflictId) -> Result<(), Refusal> {
    let kind = asked.look(move |ledger| ledger.conflict(id).map(|conflict| conflict.entity().kind.clone()));
    let unknown = || Problem::new(Code::UnknownConflict);
    let kind = kind.await?.ok_or_else(unknown)?;
    let conflicts = Resource::Conflicts(kind.as_str());
    asked.want([Action::Read, Action::Write].map(|action| Check::new(action, conflicts))).await?;
    asked.may(Action::Read, conflicts).map_err(|_| unknown())?;
    asked.may(Action::Write, conflicts)
}

/// A refusal that shows the conflict as it is now.
fn stale(refused: &Problem, conflict: (ConflictId, &Conflict), answered: &Answered) -> Response {
    problem(refused, unresolved_body(refused, conflict, &answered.actors, None))
}

fn invalid(why: &str) -> Refusal {
    Problem::new(Code::ValidationFailed).because(why).into()
}
