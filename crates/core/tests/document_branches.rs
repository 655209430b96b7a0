//! Goal: a branch can be merged in any order, as often as anybody likes, and nothing is lost. Method: random edits of a document and
//! of its branches, restores of older states among them, are merged at random; a model takes in every update that was ever made.

use bytes::Bytes;
use proptest::prelude::*;
use syncline_core::{
    doc::{DocumentEdit, YjsDocument},
    id::ClientId,
};

/// A document and two branches of it.
const PLACES: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    /// Types at some place of the text.
    Type {
        place: usize,
        at: u32,
        text: String,
    },
    /// Removes some of the text.
    Remove {
        place: usize,
        at: u32,
        len: u32,
    },
    Put {
        place: usize,
        key: u8,
        value: u8,
    },
    Push {
        place: usize,
        value: u8,
    },
    /// Brings a place to a state that some place once had.
    Restore {
        place: usize,
        state: usize,
    },
    /// Merges one place into another.
    Merge {
        from: usize,
        into: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..PLACES, any::<u32>(), "[a-c🙂]{1,3}").prop_map(|(place, at, text)| Step::Type { place, at, text }),
        3 => (0..PLACES, any::<u32>(), 1..4u32).prop_map(|(place, at, len)| Step::Remove { place, at, len }),
        2 => (0..PLACES, 0..3u8, any::<u8>()).prop_map(|(place, key, value)| Step::Put { place, key, value }),
        2 => (0..PLACES, any::<u8>()).prop_map(|(place, value)| Step::Push { place, value }),
        1 => (0..PLACES, any::<usize>()).prop_map(|(place, state)| Step::Restore { place, state }),
        4 => (0..PLACES, 0..PLACES).prop_map(|(from, into)| Step::Merge { from, into }),
    ];
    prop::collection::vec(step, 0..40)
}

/// The places, all updates that were made anywhere, and states that places had.
struct World {
    places: Vec<YjsDocument>,
    made: Vec<Bytes>,
    states: Vec<Bytes>,
    clients: u64,
}

fn of(update: &Bytes) -> YjsDocument {
    let mut document = YjsDocument::default();
    document.replay(update).expect("it was encoded");
    document
}

impl World {
    fn new() -> Self {
        let seed = [
            DocumentEdit::Add { path: "/text".into(), value: "seed".into() },
            DocumentEdit::Add { path: "/list".into(), value: serde_json::json!(["seed"]) },
            DocumentEdit::Add { path: "/map".into(), value: serde_json::json!({ "seed": 1 }) },
        ];
        let seed = YjsDocument::default().edit(&seed, ClientId(1)).expect("edits").expect("it is new");
        let places = (0..PLACES).map(|_| of(&seed)).collect();
        Self { places, made: vec![seed.clone()], states: vec![seed], clients: 1 }
    }

    fn client(&mut self) -> ClientId {
        self.clients += 1;
        ClientId(self.clients)
    }

    fn edit(&mut self, place: usize, edit: DocumentEdit) {
        let client = self.client();
        let update = self.places[place].edit(&[edit], client).expect("an edit of what is there");
        self.wrote(place, update);
    }

    fn wrote(&mut self, place: usize, update: Option<Bytes>) {
        let Some(update) = update else { return };
        self.places[place].replay(&update).expect("it rests on what is there");
        self.states.push(self.places[place].encode().expect("sound"));
        self.made.push(update);
    }

    /// Returns a place in a text that cuts no character.
    fn spot(&self, place: usize, at: u32) -> u32 {
        let text = self.places[place].text("text").expect("sound").unwrap_or_default();
        let ends = text.chars().scan(0, |end, c| {
            *end += c.len_utf16() as u32;
            Some(*end)
        });
        let spots: Vec<u32> = [0].into_iter().chain(ends).collect();
        spots[at as usize % spots.len()]
    }

    fn take(&mut self, step: Step) {
        let splice = |at, remove, insert| DocumentEdit::Splice {
            path: "/text".into(),
            at,
            remove,
            insert,
            format: Default::default(),
        };
        match step {
            Step::Type { place, at, text } => self.edit(place, splice(self.spot(place, at), 0, text)),
            Step::Remove { place, at, len } => {
                let one = self.spot(place, at);
                let other = self.spot(place, at.wrapping_add(len));
                self.edit(place, splice(one.min(other), one.abs_diff(other), String::new()));
            }
            Step::Put { place, key, value } => {
                self.edit(place, DocumentEdit::Add { path: format!("/map/{key}"), value: value.into() });
            }
            Step::Push { place, value } => {
                self.edit(place, DocumentEdit::Add { path: "/list/-".into(), value: value.into() });
            }
            Step::Restore { place, state } => {
                let target = of(&self.states[state % self.states.len()]);
                let client = self.client();
                let update = self.places[place].restore(&target, client).expect("all of it can be written");
                self.wrote(place, update);
            }
            Step::Merge { from, into } => self.merge(from, into),
        }
    }

    fn merge(&mut self, from: usize, into: usize) {
        let lacks = |world: &Self| world.places[into].lacks_of(&world.places[from]).expect("sound");
        if let Some(update) = lacks(self) {
            let shown = self.places[into].merged_with(&update).expect("sound");
            let applied = self.places[into].apply(&update).expect("honest");
            assert!(!applied.gap && applied.update.is_some(), "it rests on what both have, and is new");
            assert_eq!(shown.to_json().expect("sound"), self.places[into].to_json().expect("sound"));
        }
        assert_eq!(lacks(self), None, "merging twice changes nothing");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn branches_converge_however_they_are_merged(steps in steps()) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.take(step));
        for into in (0..PLACES).chain(0..PLACES) {
            (0..PLACES).for_each(|from| world.merge(from, into));
        }
        let mut model = YjsDocument::default();
        for update in &world.made {
            prop_assert!(!model.apply(update).expect("honest").gap, "each rests on what was made before");
        }
        for place in &world.places {
            prop_assert_eq!(place.state_vector(), model.state_vector());
            prop_assert_eq!(place.to_json().expect("sound"), model.to_json().expect("sound"));
            prop_assert_eq!(model.lacks_of(place).expect("sound"), None);
            prop_assert_eq!(place.lacks_of(&model).expect("sound"), None);
        }
    }
}
