//! A small world: three devices and a server, one record.

use std::collections::BTreeMap;

use syncline_core::clock::{Dot, HybridTime, ReplicaId, VectorClock};
use syncline_core::entity::conflict::Origin;
use syncline_core::entity::{
    Action, ActorName, Actors, Change, Context, Decision, EntityId, EntityKey, EntityType, FieldName, Life,
    Op, Others, Outcome, Policy, Promises, Record, Ruling, Scene, Stamp, TypeName, Value, Values, decide,
};
use syncline_core::time::WallMs;

pub(crate) const ANN: ReplicaId = ReplicaId(0);
pub(crate) const BOB: ReplicaId = ReplicaId(1);
pub(crate) const CID: ReplicaId = ReplicaId(2);
pub(crate) const SERVER: ReplicaId = ReplicaId(3);

pub(crate) const POLICIES: [(&str, Policy); 13] = [
    ("append_only", Policy::AppendOnly),
    ("lww", Policy::Lww),
    ("field_merge", Policy::FieldMerge),
    ("server_authoritative", Policy::ServerAuthoritative),
    ("server_wins", Policy::ServerWins),
    ("client_wins", Policy::ClientWins),
    ("first_write_wins", Policy::FirstWriteWins),
    ("additive", Policy::Additive),
    ("max", Policy::Max),
    ("min", Policy::Min),
    ("rules", Policy::Rules),
    ("manual", Policy::Manual),
    ("crdt", Policy::Crdt),
];

/// Numbers the actors in the order given by `names`.
pub(crate) fn actors(names: [&str; 4]) -> Actors {
    let mut actors = Actors::new();
    for name in names {
        actors.number(&ActorName::new(name).expect("a name"));
    }
    actors
}

pub(crate) fn usual_actors() -> Actors {
    actors(["ann", "bob", "cid", "srv:eu"])
}

pub(crate) fn entity_type(policy: Policy) -> EntityType {
    EntityType::new(TypeName::new("inventory").expect("a name"), policy)
}

pub(crate) fn field(name: &str) -> FieldName {
    FieldName::new(name).expect("a name")
}

pub(crate) fn values(values: &[(&str, Value)]) -> Values {
    values.iter().map(|(name, value)| (field(name), value.clone())).collect()
}

pub(crate) fn set(fields: &[(&str, Value)]) -> Action {
    Action::Update { set: values(fields), unset: Default::default() }
}

pub(crate) fn add(name: &str, amount: i64) -> Action {
    Action::Delta([(field(name), amount.into())].into())
}

pub(crate) fn vector(entries: &[(ReplicaId, u64)]) -> VectorClock {
    entries.iter().copied().collect()
}

pub(crate) fn at(ms: u64) -> HybridTime {
    HybridTime::new(WallMs(ms), 0)
}

pub(crate) fn stamp(actor: ReplicaId, n: u64, ms: u64) -> Stamp {
    Stamp { hlc: at(ms), dot: Dot::new(actor, n) }
}

pub(crate) fn op(stamp: Stamp, seen: &[(ReplicaId, u64)], action: Action) -> Op {
    Op { stamp, context: Context { vv: vector(seen), beyond: false }, action, was: BTreeMap::new() }
}

pub(crate) fn with_was(op: Op, was: &[(&str, Value)]) -> Op {
    Op { was: was.iter().map(|(name, value)| (field(name), Some(value.clone()))).collect(), ..op }
}

/// The record that most tests begin with: Ann created it with 100 of a, and Bob, who had seen that, made it 95.
pub(crate) fn record() -> Record {
    let mut created = Change::new(stamp(ANN, 1, 10), Life::Begins);
    for (name, value) in values(&[("qty", 100.into()), ("name", "a".into())]) {
        created.fields.insert(name, (Some(value), at(10)));
    }
    let mut changed = Change::new(stamp(BOB, 1, 20), Life::Lives);
    changed.fields.insert(field("qty"), (Some(95.into()), at(20)));
    changed.applied_to(Some(&created.applied_to(None)))
}

/// The record after its deletion by Bob.
pub(crate) fn tombstone() -> Record {
    Change::new(stamp(BOB, 2, 25), Life::Ends).applied_to(Some(&record()))
}

/// A server that holds one record.
#[derive(Clone)]
pub(crate) struct World<'a> {
    pub(crate) ty: &'a EntityType,
    pub(crate) actors: &'a Actors,
    pub(crate) ruling: Option<Ruling>,
    pub(crate) record: Option<Record>,
    /// Other records, if what the type promises of them counts.
    pub(crate) others: Option<&'a dyn Others>,
}

impl<'a> World<'a> {
    pub(crate) fn new(ty: &'a EntityType, actors: &'a Actors, record: Option<Record>) -> Self {
        Self { ty, actors, ruling: None, record, others: None }
    }

    pub(crate) fn decide(&self, op: &Op) -> Decision {
        let scene = Scene { ty: self.ty, actors: self.actors, ruling: self.ruling.as_ref() };
        let record = self.record.as_ref();
        let decision = decide(&scene, record, op);
        let Some(others) = self.others else { return decision };
        let key = EntityKey { kind: self.ty.name.clone(), id: EntityId::new("inv_9").expect("an id") };
        Promises { scene: &scene, others, key: &key, record, may_wait: true }.keep(op, decision)
    }

    pub(crate) fn push(&mut self, op: &Op) -> Decision {
        let decision = self.decide(op);
        if let Some(change) = &decision.change {
            self.record = Some(change.applied_to(self.record.as_ref()));
        }
        decision
    }

    /// The values of the record; none if it is deleted or was never there.
    pub(crate) fn data(&self) -> Option<Values> {
        self.record.as_ref().filter(|record| !record.deleted).map(Record::data)
    }

    pub(crate) fn value(&self, name: &str) -> Option<Value> {
        self.data()?.get(&field(name)).cloned()
    }
}

/// Writes what became of an op as the tables do: its outcome, the quantity and the name after it, and its conflict.
pub(crate) fn shown(world: &World<'_>, decision: &Decision) -> String {
    let outcome = match &decision.outcome {
        Outcome::Applied => "applied",
        Outcome::Merged => "merged",
        Outcome::Superseded => "superseded",
        Outcome::Rejected(refusal) => refusal.code.as_str(),
        Outcome::Conflict => "conflict",
    };
    let state = match world.data() {
        Some(data) => {
            ["qty", "name"].map(|name| data.get(&field(name)).map_or("-".to_owned(), plain)).join(" ")
        }
        None => "gone".to_owned(),
    };
    let conflict = decision.conflict.as_ref().map(|draft| {
        let sides = draft.candidates.iter().map(|candidate| match candidate.origin {
            Origin::Op => "op",
            Origin::Record => "record",
        });
        let sides = sides.collect::<Vec<_>>().join("+");
        format!(" {}:{sides}", if draft.open { "open" } else { "auto" })
    });
    format!("{outcome} {state}{}", conflict.unwrap_or_default())
}

fn plain(value: &Value) -> String {
    match value {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        other => format!("{other:?}"),
    }
}
