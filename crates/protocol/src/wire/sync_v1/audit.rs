//! The audit as it is given away: an object a line.

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use syncline_core::entity::{EntityKey, Outcome, UserName};

use super::conflict::fields;
use super::resolve::conflict_name;
use super::words;
use super::write::{Object, document};
use crate::ledger::UserNumber;
use crate::ledger::audit::{AuditEntry, AuditIndex, AuditPayload, Audited};

/// Returns an entry, with the hash before it and what lies beside it if that was not erased; without a line feed.
///
/// `bytes` is what `hash` covers besides `previous` and the index, and `event` is what they say; it is `null` if this version
/// does not know. Of users the audit has numbers; `called` says what they are called. What the event says of the payload is SHA-256 over `salt` and `bytes` of that. Hashes are hexadecimal.
#[must_use]
pub fn audit_line(
    index: AuditIndex,
    entry: &AuditEntry,
    previous: &[u8; 32],
    payload: Option<&AuditPayload>,
    called: impl Fn(UserNumber) -> UserName,
) -> String {
    let event = entry.event();
    document(|o| {
        o.u64("index", index.0);
        match &event {
            Some(event) => {
                o.time("at", event.at);
                o.object("event", |o| {
                    audited(o, index, &event.what, &called);
                    event.payload.iter().for_each(|digest| o.text("payload", &HEXLOWER.encode(digest)));
                });
            }
            None => {
                o.null("at");
                o.null("event");
            }
        }
        o.bytes("bytes", &entry.event);
        o.text("hash", &HEXLOWER.encode(&entry.hash));
        o.text("previous", &HEXLOWER.encode(previous));
        payload.into_iter().for_each(|it| o.object("payload", |o| beside(o, it)));
    })
}

fn beside(o: &mut Object<'_>, payload: &AuditPayload) {
    o.text("salt", &BASE64.encode(&payload.salt));
    o.bytes("bytes", &payload.values);
    match payload.values() {
        Some(values) => o.object("values", |o| fields(o, &values)),
        None => match payload.name() {
            Some(name) => o.text("user", name.as_str()),
            None => o.null("values"),
        },
    }
}

fn audited(o: &mut Object<'_>, index: AuditIndex, what: &Audited, called: &impl Fn(UserNumber) -> UserName) {
    let text = |o: &mut Object<'_>, name, user| o.text(name, called(user).as_str());
    match what {
        Audited::Op { actor, user, n, content, entity, outcome, changed } => {
            o.text("kind", "op");
            o.text("device", actor.as_str());
            user.iter().for_each(|user| text(o, "user", *user));
            o.u64("n", *n);
            o.text("content", &HEXLOWER.encode(&content.0));
            key(o, entity);
            became(o, outcome);
            if let Some((ver, seq)) = changed {
                o.u64("ver", ver.0);
                o.u64("seq", seq.0);
            }
        }
        Audited::Conflict { conflict, entity, rev, state } => {
            o.text("kind", "conflict");
            o.text("conflict_id", &conflict_name(*conflict));
            key(o, entity);
            o.count("rev", *rev);
            o.text("state", words::state(*state));
        }
        Audited::Bound { device, user } => {
            o.text("kind", "bound");
            o.text("device", device.as_str());
            text(o, "user", *user);
        }
        Audited::Revoked { device } => {
            o.text("kind", "revoked");
            o.text("device", device.as_str());
        }
        Audited::Keyed { device, key } => {
            o.text("kind", "keyed");
            o.text("device", device.as_str());
            o.text("key", &BASE64URL_NOPAD.encode(key));
        }
        Audited::Purged { entity } => {
            o.text("kind", "purged");
            key(o, entity);
        }
        Audited::Erased { entity, by } => {
            o.text("kind", "erased");
            key(o, entity);
            text(o, "by", *by);
        }
        Audited::UserErased { user, by } => {
            o.text("kind", "user_erased");
            text(o, "user", *user);
            text(o, "by", *by);
        }
        Audited::Known => {
            o.text("kind", "known");
            text(o, "user", UserNumber(index));
        }
    }
}

fn key(o: &mut Object<'_>, entity: &EntityKey) {
    o.text("type", entity.kind.as_str());
    o.text("id", entity.id.as_str());
}

fn became(o: &mut Object<'_>, outcome: &Outcome) {
    let status = match outcome {
        Outcome::Applied => "applied",
        Outcome::Merged => "merged",
        Outcome::Superseded => "superseded",
        Outcome::Conflict => "conflict",
        Outcome::Rejected(_) => "rejected",
    };
    o.text("status", status);
    if let Outcome::Rejected(refusal) = outcome {
        o.text("code", refusal.code.as_str());
    }
}
