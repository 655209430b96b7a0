//! Compares contents without building what they are compared by.
//!
//! Two contents are the same here exactly if `form` in `forms` makes one value of both. That value has a copy of each format for
//! each run that has it, so a long mark over many runs would come to far more than the document.

use std::{collections::BTreeSet, sync::Arc};

use yrs::{Any, Number};

use super::{Content, Named, Piece, Run};
use crate::doc::read::json;

/// Shortest value, in bytes, of which it is remembered that it was compared: a shorter one is compared again as fast.
const REMEMBERED_BYTES_MIN: usize = 64;

/// Returns whether two contents are the same to a reader.
pub(in crate::doc) fn is_same(one: &Content, other: &Content) -> bool {
    Comparison::default().contents(one, other)
}

/// A comparison of two trees that nobody changes meanwhile.
#[derive(Default)]
struct Comparison {
    /// Where long values that are the same lie in both. All runs of a mark share its value, so it is compared once and not for each.
    known: BTreeSet<(usize, usize)>,
}

impl Comparison {
    fn contents(&mut self, one: &Content, other: &Content) -> bool {
        match (one, other) {
            (Content::Text(one), Content::Text(other)) => self.runs(one, other),
            (Content::Items(kind, one), Content::Items(same, other)) => kind == same && self.all(one, other),
            (Content::Map(one), Content::Map(other)) => self.named(one, other),
            (
                Content::Element { name, attributes, children },
                Content::Element { name: same, attributes: named, children: others },
            ) => name == same && self.named(attributes, named) && self.all(children, others),
            (Content::XmlText { attributes, runs }, Content::XmlText { attributes: named, runs: others }) => {
                self.named(attributes, named) && self.runs(runs, others)
            }
            (Content::Value(one), Content::Value(other)) => self.values(one, other),
            (Content::Special(one), Content::Special(other)) => one == other,
            (Content::Opaque, Content::Opaque) => true,
            (
                Content::Text(_)
                | Content::Items(..)
                | Content::Map(_)
                | Content::Element { .. }
                | Content::XmlText { .. }
                | Content::Value(_)
                | Content::Special(_)
                | Content::Opaque,
                _,
            ) => false,
        }
    }

    fn all(&mut self, one: &[Content], other: &[Content]) -> bool {
        one.len() == other.len() && one.iter().zip(other).all(|(one, other)| self.contents(one, other))
    }

    fn named(&mut self, one: &Named, other: &Named) -> bool {
        one.len() == other.len()
            && one
                .iter()
                .zip(other)
                .all(|((name, one), (same, other))| name == same && self.contents(one, other))
    }

    fn runs(&mut self, one: &[Run], other: &[Run]) -> bool {
        one.len() == other.len() && one.iter().zip(other).all(|(one, other)| self.run(one, other))
    }

    fn run(&mut self, one: &Run, other: &Run) -> bool {
        let is_same_piece = match (&one.piece, &other.piece) {
            (Piece::Text(one), Piece::Text(other)) => one == other,
            (Piece::Embed(one), Piece::Embed(other)) => self.contents(one, other),
            // A string that stands in a text is read as characters.
            (Piece::Text(text), Piece::Embed(content)) | (Piece::Embed(content), Piece::Text(text)) => {
                matches!(&**content, Content::Value(Any::String(value)) if **value == **text)
            }
        };
        let mut formats = one.format.iter().zip(&*other.format);
        is_same_piece
            && one.format.len() == other.format.len()
            && formats.all(|((name, one), (same, other))| name == same && self.values(one, other))
    }

    fn values(&mut self, one: &Any, other: &Any) -> bool {
        match (one, other) {
            (Any::String(one), Any::String(other)) => self.bytes(one.as_bytes(), other.as_bytes()),
            (Any::Buffer(one), Any::Buffer(other)) => self.bytes(one, other),
            (Any::Array(one), Any::Array(other)) => {
                Arc::ptr_eq(one, other)
                    || one.len() == other.len()
                        && one.iter().zip(&**other).all(|(one, other)| self.values(one, other))
            }
            (Any::Map(one), Any::Map(other)) => {
                let mut same = |name, one| other.get(name).is_some_and(|other| self.values(one, other));
                Arc::ptr_eq(one, other)
                    || one.len() == other.len() && one.iter().all(|(name, one)| same(name, one))
            }
            (Any::Undefined, Any::Undefined) => true,
            // These are as JSON has them, 1.0 is 1, but for what JSON has null for.
            (Any::Null | Any::Bool(_) | Any::Number(_), Any::Null | Any::Bool(_) | Any::Number(_)) => {
                json(one) == json(other) && beyond_json(one) == beyond_json(other)
            }
            (
                Any::Null
                | Any::Undefined
                | Any::Bool(_)
                | Any::Number(_)
                | Any::String(_)
                | Any::Buffer(_)
                | Any::Array(_)
                | Any::Map(_),
                _,
            ) => false,
        }
    }

    fn bytes(&mut self, one: &[u8], other: &[u8]) -> bool {
        if one.len() != other.len() {
            return false;
        }
        if one.len() < REMEMBERED_BYTES_MIN {
            return one == other;
        }
        // Both are borrowed until the end, so nothing else comes to lie there.
        let place = (one.as_ptr().addr(), other.as_ptr().addr());
        let is_same = self.known.contains(&place) || one == other;
        if is_same {
            self.known.insert(place);
        }
        is_same
    }
}

/// Returns the name of a number that is infinite or none.
fn beyond_json(any: &Any) -> Option<String> {
    match any {
        Any::Number(Number::Float(value)) if !value.is_finite() => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, sync::Arc};

    use proptest::{collection::vec, prelude::*};
    use yrs::Number;

    use super::*;
    use crate::doc::content::{Items, Special, forms::form};

    /// Few words, so that often two are the same, and one that is remembered.
    fn words() -> impl Strategy<Value = String> {
        let long = "a".repeat(REMEMBERED_BYTES_MIN);
        prop::sample::select(vec!["".to_owned(), "a".to_owned(), "values".to_owned(), long])
    }

    fn values() -> impl Strategy<Value = Any> {
        let numbers = vec![0.0, -0.0, 1.0, 1.5, f64::NAN, f64::INFINITY, 1e300, 9_007_199_254_740_993.0];
        let leaf = prop_oneof![
            Just(Any::Null),
            Just(Any::Undefined),
            any::<bool>().prop_map(Any::from),
            prop::sample::select(vec![0, 1, -1, 97, 1 << 53, i64::MAX])
                .prop_map(|whole| Any::Number(Number::Int(whole))),
            prop::sample::select(numbers).prop_map(|float| Any::Number(Number::Float(float))),
            words().prop_map(Any::from),
            words().prop_map(|word| Any::Buffer(word.as_bytes().into())),
        ];
        leaf.prop_recursive(2, 4, 3, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..3).prop_map(|items| Any::Array(items.into())),
                vec((words(), inner), 0..3)
                    .prop_map(|members| Any::Map(Arc::new(members.into_iter().collect::<HashMap<_, _>>()))),
            ]
        })
    }

    fn runs(inner: impl Strategy<Value = Content>) -> impl Strategy<Value = Vec<Run>> {
        let piece = prop_oneof![
            words().prop_map(Piece::Text),
            inner.prop_map(|content| Piece::Embed(Box::new(content)))
        ];
        let format = vec((words().prop_map(Arc::from), values()), 0..2)
            .prop_map(|named| Arc::new(named.into_iter().collect()));
        vec((piece, format).prop_map(|(piece, format)| Run { piece, format }), 0..3)
    }

    fn contents() -> impl Strategy<Value = Content> {
        let special = (0..3u8, 0..2i64).prop_map(|(kind, value)| match kind {
            0 => Special::Counter(value),
            1 => Special::Timestamp(value),
            _ => Special::Unsigned(value as u64),
        });
        let leaf = prop_oneof![
            4 => values().prop_map(Content::Value),
            1 => special.prop_map(Content::Special),
            1 => Just(Content::Opaque),
        ];
        leaf.prop_recursive(3, 8, 3, |inner| {
            let items = vec(inner.clone(), 0..3);
            let named = || vec((words(), inner.clone()), 0..3).prop_map(Named::from_iter);
            let kinds = prop::sample::select(vec![Items::Array, Items::Fragment]);
            prop_oneof![
                runs(inner.clone()).prop_map(Content::Text),
                (kinds, items.clone()).prop_map(|(kind, items)| Content::Items(kind, items)),
                named().prop_map(Content::Map),
                (words(), named(), items).prop_map(|(name, attributes, children)| Content::Element {
                    name,
                    attributes,
                    children
                }),
                (named(), runs(inner.clone()))
                    .prop_map(|(attributes, runs)| Content::XmlText { attributes, runs }),
            ]
        })
    }

    /// The same, but with nothing shared between both, and numbers written in the other way where they can be.
    fn copied(value: &Any) -> Any {
        match value {
            Any::Number(Number::Int(whole @ 0..=1)) => Any::Number(Number::Float(*whole as f64)),
            Any::Number(Number::Float(float)) if float.is_nan() => Any::Null,
            Any::String(text) => Any::from(&**text),
            Any::Array(items) => Any::Array(items.iter().map(copied).collect()),
            Any::Map(members) => {
                let members = members.iter().map(|(name, value)| (name.clone(), copied(value)));
                Any::Map(Arc::new(members.collect()))
            }
            other => other.clone(),
        }
    }

    /// What differs from a content in one place, if that is a value in a sequence, a map or a format.
    fn changed(content: &Content, to: &Any) -> Content {
        let mut changed = content.clone();
        match &mut changed {
            Content::Text(runs) | Content::XmlText { runs, .. } => {
                if let Some(run) = runs.last_mut() {
                    Arc::make_mut(&mut run.format).values_mut().for_each(|value| *value = copied(value));
                    Arc::make_mut(&mut run.format).values_mut().take(1).for_each(|value| *value = to.clone());
                }
            }
            Content::Items(_, items) | Content::Element { children: items, .. } => {
                items.last_mut().into_iter().for_each(|item| *item = self::changed(item, to));
            }
            Content::Map(entries) => entries.values_mut().for_each(|entry| *entry = self::changed(entry, to)),
            Content::Value(value) => *value = to.clone(),
            Content::Special(_) | Content::Opaque => {}
        }
        changed
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Two contents that have nothing to do with each other, a copy, and what differs in one place.
        #[test]
        fn contents_are_the_same_if_their_forms_are(one in contents(), other in contents(), value in values()) {
            let again = changed(&one, &copied(&value));
            let copy = Content::Value(copied(&value));
            let pairs = [
                (&one, &other),
                (&one, &one),
                (&one, &again),
                (&again, &one),
                (&changed(&one, &value), &again),
                (&Content::Value(value), &copy),
            ];
            for (one, other) in pairs {
                prop_assert_eq!(is_same(one, other), form(one) == form(other), "{:?} and {:?}", one, other);
            }
        }
    }
}
