//! Finds what turns one content into another, with as little changed as possible.

use std::collections::BTreeMap;

use super::{
    Content, Named, Piece, Run,
    forms::{Forms, form},
    hunks::{Effort, Hunk, hunks},
};

/// What turns one content into another.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::doc) enum Delta {
    /// Nothing.
    Same,
    /// All of it is another: the one is taken away, if there is one, and the other put in its place, if there is one.
    Other,
    /// Stretches of the text are, or only their formats.
    Text(Vec<Hunk>),
    /// Stretches of the sequence are, or things in it.
    Items(Vec<ItemsHunk>),
    /// Named parts are.
    Named(BTreeMap<String, Delta>),
    /// Attributes of something in XML, or what it holds.
    Xml { attributes: BTreeMap<String, Delta>, inside: Box<Delta> },
}

/// A stretch of a sequence: things of one kind, one behind the other in both, are changed in place; what is left over of
/// the one is removed, what is left over of the other put in.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::doc) struct ItemsHunk {
    pub(in crate::doc) hunk: Hunk,
    /// What becomes of the first things of the stretch.
    pub(in crate::doc) changed: Vec<Delta>,
}

/// A character of a text, or something that stands in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::doc) enum Token {
    Char(char),
    Embed(String),
}

impl Token {
    /// The length in UTF-16 code units; 1 for what is no character.
    pub(in crate::doc) fn len(&self) -> u32 {
        match self {
            Self::Char(char) => char.len_utf16() as u32,
            Self::Embed(_) => 1,
        }
    }
}

/// Returns what turns `before` into `after`.
pub(in crate::doc) fn delta(before: &Content, after: &Content) -> Delta {
    if before == after {
        return Delta::Same;
    }
    Comparison::default().delta(before, after)
}

/// Compares contents of two documents, one after the other. It has one [`Effort`] for all of them, and looks at each thing
/// once, however deep it lies.
#[derive(Default)]
pub(in crate::doc) struct Comparison<'a> {
    effort: Effort,
    forms: Forms<'a>,
}

impl<'a> Comparison<'a> {
    /// Returns what turns `before` into `after`.
    pub(in crate::doc) fn delta(&mut self, before: &'a Content, after: &'a Content) -> Delta {
        match (before, after) {
            (Content::Text(before), Content::Text(after)) => self.text(before, after),
            _ if self.forms.of(before) == self.forms.of(after) => Delta::Same,
            (Content::Items(kind, before), Content::Items(same, after)) if kind == same => {
                self.items(before, after)
            }
            (Content::Map(before), Content::Map(after)) => Delta::Named(self.named(before, after)),
            (
                Content::Element { name, attributes, children },
                Content::Element { name: same, attributes: new, children: others },
            ) if name == same => Delta::Xml {
                attributes: self.named(attributes, new),
                inside: Box::new(self.items(children, others)),
            },
            (Content::XmlText { attributes, runs }, Content::XmlText { attributes: new, runs: others }) => {
                Delta::Xml {
                    attributes: self.named(attributes, new),
                    inside: Box::new(self.text(runs, others)),
                }
            }
            _ => Delta::Other,
        }
    }

    /// Only names whose parts differ are in it.
    fn named(&mut self, before: &'a Named, after: &'a Named) -> BTreeMap<String, Delta> {
        let gone =
            before.keys().filter(|name| !after.contains_key(*name)).map(|name| (name.clone(), Delta::Other));
        let there = after.iter().filter_map(|(name, new)| {
            let delta = before.get(name).map_or(Delta::Other, |old| self.delta(old, new));
            (delta != Delta::Same).then(|| (name.clone(), delta))
        });
        gone.chain(there).collect()
    }

    fn text(&mut self, before: &[Run], after: &[Run]) -> Delta {
        if before == after {
            return Delta::Same;
        }
        Delta::Text(hunks(&tokens(before), &tokens(after), &mut self.effort))
    }

    fn items(&mut self, before: &'a [Content], after: &'a [Content]) -> Delta {
        let mut forms =
            |items: &'a [Content]| items.iter().map(|item| self.forms.of(item)).collect::<Vec<_>>();
        let (old, new) = (forms(before), forms(after));
        if old == new {
            return Delta::Same;
        }
        let mut found = Vec::new();
        for hunk in hunks(&old, &new, &mut self.effort) {
            self.changed(hunk, before, after, &mut found);
        }
        Delta::Items(found)
    }

    /// Appends a stretch of a sequence, cut where things in one place are the same: a stretch that was not looked into may
    /// have such.
    fn changed(
        &mut self,
        hunk: Hunk,
        before: &'a [Content],
        after: &'a [Content],
        found: &mut Vec<ItemsHunk>,
    ) {
        let Hunk { before: mut old, after: mut new } = hunk;
        let mut changed = Vec::new();
        for (before, after) in before[old.clone()].iter().zip(&after[new.clone()]) {
            let delta = self.delta(before, after);
            if delta != Delta::Same {
                changed.push(delta);
                continue;
            }
            let (old_end, new_end) = (old.start + changed.len(), new.start + changed.len());
            if !changed.is_empty() {
                let hunk = Hunk { before: old.start..old_end, after: new.start..new_end };
                found.push(ItemsHunk { hunk, changed: std::mem::take(&mut changed) });
            }
            (old.start, new.start) = (old_end + 1, new_end + 1);
        }
        if !old.is_empty() || !new.is_empty() {
            found.push(ItemsHunk { hunk: Hunk { before: old, after: new }, changed });
        }
    }
}

/// Takes a text apart; formats are left out.
pub(in crate::doc) fn tokens(runs: &[Run]) -> Vec<Token> {
    let mut tokens = Vec::new();
    for run in runs {
        match &run.piece {
            Piece::Text(text) => tokens.extend(text.chars().map(Token::Char)),
            Piece::Embed(content) => tokens.push(Token::Embed(form(content).to_string())),
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use yrs::Any;

    use super::*;
    use crate::doc::content::Items;

    /// Arrays in arrays, in each of which something else differs, and many values in the last.
    fn nested(levels: usize, values: usize, first: bool) -> Content {
        let null = Content::Value(Any::Null);
        let array = |items| Content::Items(Items::Array, items);
        let last = array(vec![null; values]);
        (1..levels).fold(last, |inner, _| array(vec![Content::Value(first.into()), inner]))
    }

    /// Goal: what lies deep is not looked at once for each level. Method: each thing has been counted once.
    #[test]
    fn each_thing_is_formed_once() {
        let (before, after) = (nested(200, 1_000, true), nested(200, 1_001, false));
        let mut comparison = Comparison::default();
        assert!(matches!(comparison.delta(&before, &after), Delta::Items(_)));
        let things = 2 * (200 + 199) + 2_001;
        assert_eq!(comparison.forms.formed(), things);
    }

    #[test]
    fn numbers_that_json_does_not_know_differ_and_are_the_same_as_themselves() {
        let numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(Any::from);
        let values: Vec<Any> = numbers.into_iter().chain([Any::Null, Any::Undefined]).collect();
        for (i, before) in values.iter().enumerate() {
            for (j, after) in values.iter().enumerate() {
                let value = |any: &Any| Content::Value(any.clone());
                let map = |any| Content::Map([("a".to_owned(), value(any))].into());
                let array = |any| Content::Items(Items::Array, vec![value(any)]);
                let is_same = |before, after| Comparison::default().delta(&before, &after) == Delta::Same;
                assert_eq!(is_same(map(before), map(after)), i == j, "{before} to {after} in a map");
                assert_eq!(is_same(array(before), array(after)), i == j, "{before} to {after} in an array");
            }
        }
    }
}
