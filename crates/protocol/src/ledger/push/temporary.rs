//! Ids that a device makes up for entities until the server gives them theirs.

use syncline_core::entity::{Action, EntityId, EntityKey, Value, Values};

use super::view::View;
use crate::ledger::device::Device;
use crate::ledger::message::PushOp;

/// An op that names entities as the server does.
pub(super) struct Rewritten {
    pub(super) op: PushOp,
    /// Whether a field that refers to an entity still holds a temporary id.
    pub(super) is_dangling: bool,
}

impl Device {
    /// Returns the name of an entity here.
    pub(super) fn named(&self, key: &EntityKey) -> EntityKey {
        let id = self.ids.get(key).unwrap_or(&key.id);
        EntityKey { kind: key.kind.clone(), id: id.clone() }
    }
}

impl View<'_> {
    /// Returns the name of an entity here.
    pub(super) fn named(&self, key: &EntityKey) -> EntityKey {
        let here = self.decided().iter().rev().find(|op| op.sent == *key);
        here.map_or_else(|| self.device.named(key), |op| op.key.clone())
    }

    /// Replaces temporary ids in all places where an op names an entity. One that creates an entity has an id made for it.
    pub(super) fn rewrite(&self, sent: &PushOp) -> Rewritten {
        let mut op = sent.clone();
        op.entity = self.named(&sent.entity);
        op.refs = sent.refs.iter().map(|key| self.named(key)).collect();
        let mut is_dangling = false;
        let ty = self.ledger.types.get(&op.entity.kind);
        for reference in ty.iter().flat_map(|ty| &ty.refs) {
            let Some(value) = values_of(&mut op.action).and_then(|values| values.get_mut(&reference.field))
            else {
                continue;
            };
            let Some(id) = temporary(value) else { continue };
            let key = self.named(&EntityKey { kind: reference.target.clone(), id });
            is_dangling |= key.id.is_temporary();
            *value = Value::Text(key.id.as_str().to_owned());
            // What a field refers to is waited for, whether the op says so or not.
            op.refs.insert(key);
        }
        let makes = creates(&sent.action) || matches!(sent.action, Action::Document(_));
        if makes && op.entity.id.is_temporary() {
            op.entity.id = self.new_id(sent);
        }
        Rewritten { op, is_dangling }
    }

    /// Makes an id of what is unique about the op, so that it is the same however often the op is tried.
    fn new_id(&self, op: &PushOp) -> EntityId {
        let (epoch, actor, n) = (self.ledger.epoch, self.actor.0, op.numbered.n);
        let text = |at: u64| match at {
            0 => format!("s{epoch}.{actor}.{n}"),
            _ => format!("s{epoch}.{actor}.{n}.{at}"),
        };
        let ids = (0..).map(|at| EntityId::new(&text(at)).expect("it is short and plain"));
        let kind = &op.entity.kind;
        // A device may have used the id for something of its own.
        let mut free =
            ids.filter(|id| self.record(&EntityKey { kind: kind.clone(), id: id.clone() }).is_none());
        free.next().expect("there are fewer records than numbers")
    }
}

/// Returns whether an op is to create its entity.
pub(super) const fn creates(action: &Action) -> bool {
    matches!(action, Action::Create(_))
}

fn temporary(value: &Value) -> Option<EntityId> {
    let Value::Text(text) = value else { return None };
    EntityId::new(text).ok().filter(EntityId::is_temporary)
}

fn values_of(action: &mut Action) -> Option<&mut Values> {
    match action {
        Action::Create(values) | Action::Restore(values) | Action::Update { set: values, .. } => Some(values),
        Action::Delta(_) | Action::Delete | Action::Document(_) | Action::Noop => None,
    }
}
