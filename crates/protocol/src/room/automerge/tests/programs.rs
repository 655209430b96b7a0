//! Programs write and read beside people.

use syncline_core::log::Credit;

use super::*;
use crate::{AbsorbId, Absorbed, ReadId, Revision};

fn change(actor: u8, value: i64) -> Bytes {
    let mut doc = AutoCommit::new().with_actor(ActorId::from([actor; 16]));
    doc.put(ROOT, "of a program", value).expect("a map");
    doc.save_after(&[]).into()
}

impl World {
    fn bring(&mut self, number: u64, update: Bytes, made_for: Option<Revision>) {
        let (absorb, credit) = (AbsorbId(number), Credit::default());
        self.input(Input::Absorb { absorb, credit, update, made_for });
        self.flush();
    }

    fn told(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.told)
    }

    fn revision(&mut self) -> Option<Revision> {
        self.input(Input::Read { read: ReadId(9), have: None });
        match &*self.told() {
            [Effect::Read(ReadId(9), Some(content))] => Some(content.revision),
            [] => None,
            other => panic!("{other:?}"),
        }
    }
}

/// Goal: what a program writes is told when it is durable, and shown to everyone then. Method: it comes while a commit is under way.
#[test]
fn what_a_program_brings_waits_its_turn() {
    let mut world = World::with(&[ALICE, BOB]);
    world.settle();
    world.clients.get_mut(&ALICE).expect("alice").put("a", 1);
    while world.under_way.is_none() {
        assert!(world.say(ALICE, false) | world.read(ALICE));
        world.flush();
    }
    world.bring(1, change(77, 1), None);
    assert_eq!(world.revision(), None, "what is not durable is not told");
    world.commit();
    assert!(matches!(&*world.told(), [Effect::Read(..)]), "only what was committed");
    world.flush();
    assert_eq!(world.told(), []);
    world.commit();
    assert_eq!(world.told(), [Effect::Absorbed(AbsorbId(1), Absorbed::New)]);
    world.settle();
    for connection in [ALICE, BOB] {
        let doc = &world.clients[&connection].doc;
        assert!(doc.get(ROOT, "of a program").expect("a map").is_some());
    }
    world.bring(2, change(77, 1), None);
    assert_eq!(world.told(), [Effect::Absorbed(AbsorbId(2), Absorbed::Known)]);
    assert_eq!(world.on_disk().heads(), world.heads(BOB));
}

#[test]
fn a_program_is_told_why_nothing_is_taken() {
    let mut world = World::with(&[ALICE]);
    world.bring(1, change(77, 1), Some(Revision::default()));
    world.commit();
    assert_eq!(world.told(), [Effect::Absorbed(AbsorbId(1), Absorbed::New)]);
    world.bring(2, change(78, 1), Some(Revision::default()));
    assert_eq!(world.told(), [Effect::Absorbed(AbsorbId(2), Absorbed::Changed)]);
    let revision = world.revision();
    world.bring(3, change(78, 1), revision);
    world.commit();
    assert_eq!(world.told(), [Effect::Absorbed(AbsorbId(3), Absorbed::New)]);

    let mut doc = AutoCommit::new().with_actor(ActorId::from([79; 16]));
    doc.put(ROOT, "a", 1).expect("a map");
    let heads = doc.get_heads();
    doc.put(ROOT, "a", 2).expect("a map");
    let heads_before = world.on_disk().heads();
    for (number, update, why) in
        [(4, doc.save_after(&heads), "gap"), (5, b"none".to_vec(), "kind"), (6, Vec::new(), "")]
    {
        world.bring(number, update.into(), None);
        let told = world.told();
        match &*told {
            [Effect::Absorbed(AbsorbId(told), Absorbed::Refused { reason })] if !why.is_empty() => {
                assert_eq!((*told, *reason), (number, why));
            }
            [Effect::Absorbed(_, Absorbed::Known)] if why.is_empty() => {}
            other => panic!("{number}: {other:?}"),
        }
    }
    assert_eq!(world.on_disk().heads(), heads_before);
    world.room.set_storage_full(true);
    world.bring(7, change(80, 1), None);
    let full = Absorbed::Refused { reason: "storage-full" };
    assert_eq!(world.told(), [Effect::Absorbed(AbsorbId(7), full)]);
}
