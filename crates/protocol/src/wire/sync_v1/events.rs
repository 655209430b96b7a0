//! What has happened, as it is told to others.

use syncline_core::entity::{EntityKey, UserName};

use super::resolve::conflict_name;
use super::words;
use super::write::{Object, document};
use crate::ledger::{DomainEvent, EventIndex, Happened, UserNumber};

/// Returns what is told of an event, and what users are called: JSON in one line.
#[must_use]
pub fn event_body(
    index: EventIndex,
    event: &DomainEvent,
    tenant: &str,
    called: impl Fn(UserNumber) -> UserName,
) -> String {
    document(|o| {
        o.text("event_id", &format!("evt_{}", index.0));
        o.text("tenant", tenant);
        o.time("occurred_at", event.at);
        match &event.what {
            Happened::ConflictDetected { conflict, .. } | Happened::ConflictResolved { conflict, .. } => {
                o.text("correlation_id", &conflict_name(*conflict));
            }
            Happened::DataSynchronized { .. }
            | Happened::SyncFailed { .. }
            | Happened::DeviceBound { .. }
            | Happened::DeviceRevoked { .. } => {}
        }
        if let Some((device, n)) = &event.cause {
            o.text("causation_id", &format!("{device}:{n}"));
        }
        o.object("data", |o| write(o, &event.what, called));
    })
}

fn write(o: &mut Object<'_>, what: &Happened, called: impl Fn(UserNumber) -> UserName) {
    match what {
        Happened::DataSynchronized { device, ops, head } => {
            o.text("device_id", device.as_str());
            o.count("ops", *ops);
            o.u64("head", head.0);
        }
        Happened::ConflictDetected { conflict, entity, kind, is_open } => {
            o.text("conflict_id", &conflict_name(*conflict));
            key(o, entity);
            o.text("kind", kind.as_str());
            o.bool("open", *is_open);
        }
        Happened::ConflictResolved { conflict, entity, state } => {
            o.text("conflict_id", &conflict_name(*conflict));
            key(o, entity);
            o.text("state", words::state(*state));
        }
        Happened::SyncFailed { entity, code } => {
            key(o, entity);
            o.text("code", code.as_str());
        }
        Happened::DeviceBound { device, user } => {
            o.text("device_id", device.as_str());
            o.text("user", called(*user).as_str());
        }
        Happened::DeviceRevoked { device } => o.text("device_id", device.as_str()),
    }
}

fn key(o: &mut Object<'_>, entity: &EntityKey) {
    o.text("type", entity.kind.as_str());
    o.text("entity_id", entity.id.as_str());
}

#[cfg(test)]
mod tests {
    use syncline_core::entity::conflict::{ConflictKind, ConflictState};
    use syncline_core::entity::{ActorName, EntityId, Epoch, RefusalCode, Sequence, TypeName, UserName};
    use syncline_core::time::WallMs;

    use super::*;
    use crate::ledger::{ConflictId, audit::AuditIndex};

    /// Each event is written with what it says, and with what it comes from.
    #[test]
    fn events_are_written_as_they_are_told() {
        let device = || ActorName::new("till:4").expect("a name");
        let entity = || EntityKey {
            kind: TypeName::new("stock").expect("a name"),
            id: EntityId::new("s").expect("an id"),
        };
        let conflict = ConflictId { epoch: Epoch(1), n: 3 };
        let check = |caused: bool, what: Happened, rest: &str| {
            let event = DomainEvent { at: WallMs(1), cause: caused.then(|| (device(), 9)), what };
            let head = r#"{"event_id":"evt_7","tenant":"default","occurred_at":"1970-01-01T00:00:00.001Z""#;
            let called = |_| UserName::new("ann").expect("a name");
            assert_eq!(event_body(EventIndex(7), &event, "default", called), format!("{head}{rest}"));
        };
        check(
            true,
            Happened::DataSynchronized { device: device(), ops: 2, head: Sequence(5) },
            r#","causation_id":"till:4:9","data":{"device_id":"till:4","ops":2,"head":"5"}}"#,
        );
        let kind = ConflictKind::CreateCreate;
        check(
            true,
            Happened::ConflictDetected { conflict, entity: entity(), kind, is_open: true },
            r#","correlation_id":"cnf_3","causation_id":"till:4:9","data":{"conflict_id":"cnf_3","type":"stock","entity_id":"s","kind":"create_create","open":true}}"#,
        );
        check(
            false,
            Happened::ConflictResolved { conflict, entity: entity(), state: ConflictState::Resolved },
            r#","correlation_id":"cnf_3","data":{"conflict_id":"cnf_3","type":"stock","entity_id":"s","state":"resolved"}}"#,
        );
        check(
            true,
            Happened::SyncFailed { entity: entity(), code: RefusalCode::AppendOnly },
            r#","causation_id":"till:4:9","data":{"type":"stock","entity_id":"s","code":"append-only"}}"#,
        );
        let user = UserNumber(AuditIndex(5));
        check(
            false,
            Happened::DeviceBound { device: device(), user },
            r#","data":{"device_id":"till:4","user":"ann"}}"#,
        );
        check(false, Happened::DeviceRevoked { device: device() }, r#","data":{"device_id":"till:4"}}"#);
    }
}
