//! Tells people and programs what a difference is.

use serde_json::Value;

use super::{
    Content, Delta, Run,
    delta::{ItemsHunk, Token, tokens},
    hunks::Hunk,
};
use crate::limits::TOLD_PATH_BYTES_MAX;

/// One change of what a document holds. A place is a JSON pointer (RFC 6901) whose first part names the root type;
/// numbers in it count in the older document.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Change {
    /// Characters of a text are others.
    Text(TextChange),
    /// Only formats of a text are others.
    Format {
        /// Which text.
        path: String,
    },
    /// Things in a sequence were removed, put in, or replaced.
    Items(ItemsChange),
    /// A named part is another, new, or gone.
    Value {
        /// Which part.
        path: String,
        /// What it was, if it was there.
        before: Option<Value>,
        /// What it is, if it is there.
        after: Option<Value>,
    },
}

/// A stretch of a text that was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextChange {
    /// Which text.
    pub path: String,
    /// Where it begins in the older text, in UTF-16 code units.
    pub at: u32,
    /// What was there. Anything but a character stands as U+FFFC.
    pub removed: String,
    /// What is there.
    pub inserted: String,
}

/// A stretch of a sequence that was replaced.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemsChange {
    /// Which sequence.
    pub path: String,
    /// Where it begins in the older one.
    pub at: usize,
    /// What was there.
    pub removed: Vec<Value>,
    /// What is there.
    pub inserted: Vec<Value>,
}

/// Appends what `delta` changes at `path`.
pub(in crate::doc) fn report(
    path: &str,
    delta: &Delta,
    before: Option<&Content>,
    after: Option<&Content>,
    changes: &mut Vec<Change>,
) {
    match (delta, before, after) {
        (Delta::Same, ..) => {}
        // Each change inside would name the whole path.
        _ if path.len() > TOLD_PATH_BYTES_MAX => changes.push(value_change(path, before, after)),
        (Delta::Text(hunks), Some(before), Some(after)) => {
            let (before, after) = (runs_in(before), runs_in(after));
            report_text(path, hunks, before, after, changes);
        }
        (Delta::Items(hunks), Some(before), Some(after)) => {
            report_items(path, hunks, items_in(before), items_in(after), changes);
        }
        (Delta::Named(named) | Delta::Xml { attributes: named, .. }, Some(before), Some(after)) => {
            for (name, delta) in named {
                let (old, new) = (part_of(before, name), part_of(after, name));
                report(&format!("{path}/{}", escaped(name)), delta, old, new, changes);
            }
            if let Delta::Xml { inside, .. } = delta {
                report(path, inside, Some(before), Some(after), changes);
            }
        }
        _ => changes.push(value_change(path, before, after)),
    }
}

fn value_change(path: &str, before: Option<&Content>, after: Option<&Content>) -> Change {
    let [before, after] = [before, after].map(|content| content.map(Content::to_json));
    Change::Value { path: path.to_owned(), before, after }
}

/// Writes a name as part of a JSON pointer.
pub(in crate::doc) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn report_text(path: &str, hunks: &[Hunk], before: &[Run], after: &[Run], changes: &mut Vec<Change>) {
    let (before, after) = (tokens(before), tokens(after));
    let (mut place, mut at) = (0, 0);
    for Hunk { before: old, after: new } in hunks {
        at += before[place..old.start].iter().map(Token::len).sum::<u32>();
        place = old.start;
        changes.push(Change::Text(TextChange {
            path: path.to_owned(),
            at,
            removed: shown(&before[old.clone()]),
            inserted: shown(&after[new.clone()]),
        }));
    }
    if hunks.is_empty() {
        changes.push(Change::Format { path: path.to_owned() });
    }
}

fn shown(tokens: &[Token]) -> String {
    let chars = tokens.iter().map(|token| match token {
        Token::Char(char) => *char,
        Token::Embed(_) => '\u{FFFC}',
    });
    chars.collect()
}

fn report_items(
    path: &str,
    hunks: &[ItemsHunk],
    before: &[Content],
    after: &[Content],
    changes: &mut Vec<Change>,
) {
    for ItemsHunk { hunk: Hunk { before: old, after: new }, changed } in hunks {
        for (i, delta) in changed.iter().enumerate() {
            let (place, old, new) = (old.start + i, &before[old.start + i], &after[new.start + i]);
            report(&format!("{path}/{place}"), delta, Some(old), Some(new), changes);
        }
        let kept = changed.len();
        let (removed, inserted) = (&before[old.start + kept..old.end], &after[new.start + kept..new.end]);
        if !removed.is_empty() || !inserted.is_empty() {
            changes.push(Change::Items(ItemsChange {
                path: path.to_owned(),
                at: old.start + kept,
                removed: removed.iter().map(Content::to_json).collect(),
                inserted: inserted.iter().map(Content::to_json).collect(),
            }));
        }
    }
}

fn runs_in(content: &Content) -> &[Run] {
    match content {
        Content::Text(runs) | Content::XmlText { runs, .. } => runs,
        _ => &[],
    }
}

fn items_in(content: &Content) -> &[Content] {
    match content {
        Content::Items(_, items) | Content::Element { children: items, .. } => items,
        _ => &[],
    }
}

fn part_of<'a>(content: &'a Content, name: &str) -> Option<&'a Content> {
    match content {
        Content::Map(named)
        | Content::Element { attributes: named, .. }
        | Content::XmlText { attributes: named, .. } => named.get(name),
        _ => None,
    }
}
