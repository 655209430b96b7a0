//! What handlers are asked about ops, and what they answer.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use syncline_core::entity::{Action, ActorName, Actors, Record, RefusalCode, UserName};
use syncline_core::time::WallMs;

use super::answer::Change;
use super::conflict::optional_values;
use super::fault::{Faults, OpFault};
use super::json::Json;
use super::read::{self, RequestError, may, need};
use super::result::vector;
use super::value::values;
use super::write::{Object, document, quoted_u64, string};
use crate::ledger::{PushOp, PushSeen, Verdict};

/// A question to a handler.
#[derive(Clone, Copy, Debug)]
pub struct HandlerQuestion<'a> {
    /// Whose entities they are.
    pub tenant: &'a str,
    /// Who has been authenticated.
    pub user: &'a UserName,
    /// The device that the op is from.
    pub device: &'a ActorName,
    /// The op, with its entities by the ids that they have at the server.
    pub op: &'a PushOp,
    /// The record that it meets.
    pub server: Option<&'a Record>,
}

/// Why an answer is no verdict. The handler is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerdictError {
    /// It is not JSON, or one of its parts is not what it is to be.
    #[error(transparent)]
    Shape(#[from] RequestError),
    /// What is to be set has a fault.
    #[error("`set` cannot be set: at {}, {}", .0.pointer, .0.reason)]
    Set(OpFault),
}

impl HandlerQuestion<'_> {
    /// Returns the body of the request.
    #[must_use]
    pub fn body(&self, actors: &Actors) -> String {
        document(|o| {
            o.text("tenant", self.tenant);
            o.text("user", self.user.as_str());
            o.text("device", self.device.as_str());
            o.object("op", |o| op(o, self.op, actors));
            let key = &self.op.entity;
            match self.server {
                Some(record) if record.deleted => {
                    o.object("server", |o| Change::Delete(key, record).write(o, actors));
                }
                Some(record) => o.object("server", |o| Change::Put(key, record).write(o, actors)),
                None => o.null("server"),
            }
        })
    }
}

/// Reads what a handler answers. A code that is no word for a refusal by it is `validation-failed`.
///
/// # Errors
/// [`VerdictError`] if that cannot be read. Then nothing is known of the op.
pub fn read_verdict(body: &[u8]) -> Result<Verdict, VerdictError> {
    let json = Json::parse(body).map_err(RequestError::from)?;
    let body = json.root();
    if need(body, "accept", read::flag)? {
        let mut faults = Faults::of(body);
        let set = may(body, "set", |set| Ok(values(read::map(set)?, &mut faults)))?.unwrap_or_default();
        let fault = faults.into_found().into_iter().next();
        return fault.map_or(Ok(Verdict::Accept { set }), |fault| Err(VerdictError::Set(fault)));
    }
    let word = may(body, "code", read::string)?.unwrap_or_default();
    let detail = may(body, "detail", read::string)?.unwrap_or_default();
    Ok(Verdict::Refuse { code: code(&word), detail })
}

/// Returns what a request to a handler is signed with, as the header `Sync-Signature` has it: the time, and the HMAC-SHA256 (RFC
/// 2104) over it and the body.
#[must_use]
pub fn handler_signature(secret: &str, at: WallMs, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{}.", at.0).as_bytes());
    mac.update(body);
    format!("t={},v1={}", at.0, HEXLOWER.encode(&mac.finalize().into_bytes()))
}

fn code(word: &str) -> RefusalCode {
    use RefusalCode::{AlreadyWritten, EntityDeleted, EntityUnknown, ForbiddenOp, ServerChanged};
    let codes = [ForbiddenOp, AlreadyWritten, ServerChanged, EntityDeleted, EntityUnknown];
    codes.into_iter().find(|code| code.as_str() == word).unwrap_or(RefusalCode::ValidationFailed)
}

/// Writes an op as a push has it.
fn op(o: &mut Object<'_>, op: &PushOp, actors: &Actors) {
    o.u64("n", op.numbered.n);
    o.text("type", op.entity.kind.as_str());
    o.text("id", op.entity.id.as_str());
    action(o, &op.action);
    o.object("ctx", |o| match &op.seen {
        PushSeen::After(n) => o.u64("after", *n),
        PushSeen::Record(claim) => {
            claim.ver.iter().for_each(|ver| o.u64("ver", ver.0));
            claim.vv.iter().for_each(|vv| vector(o.key("vv"), vv, actors));
            claim.hlc.iter().for_each(|hlc| o.hlc("hlc", *hlc));
        }
    });
    if !op.was.is_empty() {
        optional_values(o, "was", &op.was);
    }
    op.time.hlc.iter().for_each(|hlc| o.hlc("hlc", *hlc));
    op.time.at.iter().for_each(|at| o.time("at", *at));
    o.list("deps", &op.deps, |out, n| quoted_u64(out, *n));
    op.tx.iter().for_each(|tx| o.text("tx", tx));
    o.objects("refs", &op.refs, |o, key| {
        o.text("type", key.kind.as_str());
        o.text("id", key.id.as_str());
    });
    o.count("schema_v", op.schema_v.into());
}

fn action(o: &mut Object<'_>, action: &Action) {
    o.text(
        "op",
        match action {
            Action::Create(_) => "create",
            Action::Update { .. } => "update",
            Action::Restore(_) => "restore",
            Action::Delta(_) => "delta",
            Action::Delete => "delete",
            Action::Document(_) => "crdt",
            Action::Noop => "noop",
        },
    );
    match action {
        Action::Create(set) | Action::Restore(set) => o.values("set", set),
        Action::Update { set, unset } => {
            o.values("set", set);
            o.list("unset", unset, |out, field| string(out, field.as_str()));
        }
        Action::Delta(amounts) => o.object("delta", |o| {
            amounts.iter().for_each(|(field, amount)| o.value(field.as_str(), &(*amount).into()));
        }),
        Action::Document(update) => o.bytes("update", update),
        Action::Delete | Action::Noop => {}
    }
}
