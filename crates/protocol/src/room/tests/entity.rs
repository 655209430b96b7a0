//! What the ledger and those who pull have of a room.

use syncline_core::guard::write_var_uint;
use syncline_core::limits::DOCUMENT_BYTES_MAX;
use syncline_core::log::Author;

use super::*;
use crate::{
    ledger::{MergeId, MergeOutcome},
    room::{AbsorbId, Absorbed, Content, ReadId, Revision},
};

impl World {
    fn merge(&mut self, merge: u64, update: &Bytes) {
        let author = Author { user: None, device: Some("phone".into()) };
        self.input(Input::Merge { merge: MergeId(merge), author, update: update.clone() });
    }

    pub(super) fn absorb(&mut self, absorb: u64, update: &Bytes) {
        self.absorb_if(absorb, update, None);
    }

    fn absorb_if(&mut self, absorb: u64, update: &Bytes, made_for: Option<Revision>) {
        let credit = Author { user: Some("ann".into()), device: None }.into();
        self.input(Input::Absorb { absorb: AbsorbId(absorb), credit, update: update.clone(), made_for });
    }

    pub(super) fn absorbed(&mut self) -> Vec<(u64, Absorbed)> {
        let seen = std::mem::take(&mut self.seen).into_iter();
        let absorbed = seen.filter_map(|effect| match effect {
            Effect::Absorbed(absorb, absorbed) => Some((absorb.0, absorbed)),
            _ => None,
        });
        absorbed.collect()
    }

    fn ask(&mut self, read: u64, have: Option<Bytes>) {
        self.input(Input::Read { read: ReadId(read), have });
    }

    /// Returns what the ledger has been told since this was last asked.
    fn told(&mut self) -> Vec<Effect> {
        let seen = std::mem::take(&mut self.seen).into_iter();
        seen.filter(|effect| matches!(effect, Effect::Carry(_) | Effect::Merged(..))).collect()
    }

    fn content(&mut self) -> Option<Content> {
        std::mem::take(&mut self.seen).into_iter().find_map(|effect| match effect {
            Effect::Read(_, content) => content,
            _ => None,
        })
    }
}

#[test]
fn an_update_of_the_ledger_is_in_a_commit_that_names_it() {
    let mut world = World::with(&[BOB]);
    let doc = client();
    let (first, second) = (typed(&doc, "a"), typed(&doc, "b"));
    world.merge(1, &first);
    world.flush();
    assert_eq!(world.told(), [Effect::Carry(vec![MergeId(1)])]);
    world.merge(2, &second);
    world.merge(3, &first);
    world.flush();
    assert_eq!(world.told(), [], "one commit at a time, and nothing is known before it is durable");
    assert_eq!(world.read(BOB), []);
    world.commit();
    world.flush();
    assert_eq!(world.told(), [Effect::Carry(vec![MergeId(2)])]);
    assert_eq!(world.stored[0].entries[0].author.device.as_deref(), Some("phone"));
    world.commit();
    assert_eq!(world.told(), [Effect::Merged(MergeId(3), MergeOutcome::Taken)], "it brought nothing");
    assert_eq!(text_of(&updates(world.read(BOB))), "ab");
}

/// An op is taken whole or not at all; an editor that sends such an update would be asked for the rest.
#[test]
fn an_update_with_a_gap_leaves_nothing_behind() {
    let mut world = World::with(&[BOB]);
    let (doc, other) = (client(), Doc::with_client_id(8));
    let first = typed(&doc, "a");
    typed(&doc, "b");
    let here = typed(&other, "x");
    let behind = typed(&doc, "c");
    let both = syncline_core::doc::merge_in_order(&[here, behind]).expect("valid").expect("one update");
    world.merge(1, &first);
    world.merge(2, &both);
    world.merge(3, &Bytes::from_static(b"what"));
    world.flush();
    let told = world.told();
    assert_eq!(told[0], Effect::Merged(MergeId(2), MergeOutcome::Refused { reason: "gap" }));
    assert!(matches!(told[1], Effect::Merged(MergeId(3), MergeOutcome::Refused { .. })), "{told:?}");
    assert_eq!(told[2..], [Effect::Carry(vec![MergeId(1)])]);
    world.commit();
    assert_eq!(text_of(&updates(world.read(BOB))), "a");
}

/// What was exported is taken whole or not at all, its author is told when it is durable, and nothing of it twice.
#[test]
fn what_is_absorbed_is_told_when_it_is_durable() {
    let mut world = World::with(&[BOB]);
    let doc = client();
    let (first, second) = (typed(&doc, "a"), typed(&doc, "b"));
    world.absorb(1, &second);
    world.absorb(2, &Bytes::from_static(b"what"));
    world.absorb(3, &first);
    world.absorb(4, &first);
    world.flush();
    let told = world.absorbed();
    assert_eq!(told[0], (1, Absorbed::Refused { reason: "gap" }));
    assert!(matches!(told[1..], [(2, Absorbed::Refused { .. })]), "nothing else is durable: {told:?}");
    world.absorb(5, &second);
    world.flush();
    assert_eq!(world.absorbed(), []);
    world.commit();
    assert_eq!(world.absorbed(), [(3, Absorbed::New), (4, Absorbed::Known)]);
    world.flush();
    world.commit();
    assert_eq!(world.absorbed(), [(5, Absorbed::New)]);
    assert_eq!(world.stored.iter().map(|record| record.entries.len()).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(text_of(&updates(world.read(BOB))), "ab");
    world.absorb(6, &first);
    assert_eq!(world.absorbed(), [(6, Absorbed::Known)], "all of it is durable");
}

/// A document may have twice the bytes that an update may have. It takes in no more, but knows what it holds.
#[test]
fn a_long_document_knows_what_it_holds() {
    let mut world = World::with(&[]);
    let long = |client| {
        // It inserts one value of bytes into the root "t".
        let mut update = vec![1, 1, client, 0, 3, 1, 1, b't'];
        write_var_uint(&mut update, DOCUMENT_BYTES_MAX as u64);
        update.resize(update.len() + DOCUMENT_BYTES_MAX, b'x');
        update.push(0);
        Bytes::from(update)
    };
    world.absorb(1, &long(7));
    world.flush();
    world.commit();
    world.absorb(2, &long(7));
    world.absorb(3, &long(8));
    let too_large = Absorbed::Refused { reason: "too-large" };
    assert_eq!(world.absorbed(), [(1, Absorbed::New), (2, Absorbed::Known), (3, too_large)]);
}

#[test]
fn whoever_pulls_reads_what_is_durable() {
    let mut world = World::with(&[ALICE]);
    let doc = client();
    let first = typed(&doc, "a");
    world.update(ALICE, &first);
    world.ask(1, None);
    world.flush();
    assert_eq!(world.content(), None, "it is not durable yet");
    world.commit();
    let whole = world.content().expect("it is durable");
    assert_eq!(text_of(&[whole.update]), "a");
    world.update(ALICE, &typed(&doc, "b"));
    world.flush();
    world.commit();
    world.ask(2, Some(whole.state_vector));
    let lacks = world.content().expect("nothing has to be waited for");
    assert_eq!(text_of(&[first, lacks.update]), "ab");
    world.ask(3, Some(Bytes::from_static(b"what")));
    let whole = world.content().expect("whoever does not know what they have gets it all");
    assert_eq!(text_of(&[whole.update]), "ab");
}

/// What was made for a revision is taken in only while the document holds the same, whatever is durable of it.
#[test]
fn what_was_made_for_a_revision_is_good_for_no_other() {
    let mut world = World::with(&[BOB]);
    let doc = client();
    let (first, second, third) = (typed(&doc, "a"), typed(&doc, "b"), typed(&doc, "c"));
    world.absorb_if(1, &first, Some(Revision { commit: CommitNumber(1), gathered: 0 }));
    assert_eq!(world.absorbed(), [(1, Absorbed::Changed)]);
    world.absorb_if(2, &first, Some(Revision::default()));
    world.ask(1, None);
    world.absorb(3, &second);
    world.flush();
    world.commit();
    // The commit holds what came behind the question, too, so the revision of the answer is not that of the commit.
    let told = std::mem::take(&mut world.seen);
    let content = told.into_iter().find_map(|effect| match effect {
        Effect::Read(_, content) => content,
        _ => None,
    });
    let revision = content.expect("it is durable").revision;
    assert_eq!(revision, Revision { commit: CommitNumber(1), gathered: 1 });
    world.absorb_if(4, &third, Some(revision));
    assert_eq!(world.absorbed(), [(4, Absorbed::Changed)]);
    world.absorb_if(5, &third, Some(Revision { commit: CommitNumber(1), gathered: 0 }));
    world.flush();
    world.commit();
    assert_eq!(world.absorbed(), [(5, Absorbed::New)]);
    assert_eq!(text_of(&updates(world.read(BOB))), "abc");
}
