//! Texts that splices are made in, one behind the other.

use std::{collections::BTreeMap, mem};

use super::{EditError, Roots, Top, part, part_mut, parts, spliced::Spliced};
use crate::doc::content::{Content, Format, Piece, Run};

/// Texts that are taken out of a tree while they are spliced, so that each is taken apart and put together once for many splices.
#[derive(Debug, Default)]
pub(super) struct Texts(BTreeMap<Place, Spliced>);

/// Where a text lies: its root and the parts to it, each with the one name that it has. Numbers have several in paths, as `1` and `01`.
type Place = Vec<String>;

impl Texts {
    /// Replaces a stretch of the text at a path.
    pub(super) fn splice(
        &mut self,
        top: Top,
        roots: &mut Roots,
        path: &str,
        (at, len): (u32, u32),
        insert: &str,
        format: Format,
    ) -> Result<(), EditError> {
        let (root, inside) = parts(path)?;
        if inside.is_empty() && top == Top::Roots && !roots.contains_key(&root) {
            roots.insert(root.clone(), Content::Text(Vec::new()));
        }
        let place = place(roots, root, &inside);
        let (place, runs) = place
            .and_then(|place| runs_at(roots, &place).map(|runs| (place, runs)))
            .ok_or_else(|| EditError::Missing { path: path.to_owned() })?;
        let text = self.0.entry(place).or_insert_with(|| Spliced::new(mem::take(runs)));
        let insert = (!insert.is_empty()).then(|| Run { piece: Piece::Text(insert.to_owned()), format });
        let end = u64::from(at) + u64::from(len);
        text.splice(at, len, insert).ok_or_else(|| EditError::Range { path: path.to_owned(), at, end })
    }

    /// Puts the texts of the root that a path leads into back, and returns the tree for something else to be done there.
    pub(super) fn closed<'a>(
        &mut self,
        roots: &'a mut Roots,
        path: &str,
    ) -> Result<&'a mut Roots, EditError> {
        let (root, _) = parts(path)?;
        let is_in_root = |place: &Place| place.first() == Some(&root);
        self.0.extract_if(.., |place, _| is_in_root(place)).for_each(|text| back(roots, text));
        Ok(roots)
    }

    /// Puts all texts back.
    pub(super) fn close_all(self, roots: &mut Roots) {
        self.0.into_iter().for_each(|text| back(roots, text));
    }
}

/// Nothing but splices has been made in the root since, so there is a text.
fn back(roots: &mut Roots, (place, text): (Place, Spliced)) {
    if let Some(runs) = runs_at(roots, &place) {
        *runs = text.finish();
    }
}

fn place(roots: &Roots, root: String, inside: &[String]) -> Option<Place> {
    let mut content = roots.get(&root)?;
    let mut place = vec![root];
    for name in inside {
        let is_in_sequence = matches!(content, Content::Items(..) | Content::Element { .. });
        let number = name.parse::<usize>().ok().filter(|_| is_in_sequence);
        place.push(number.map_or_else(|| name.clone(), |number| number.to_string()));
        content = part(content, name)?;
    }
    Some(place)
}

fn runs_at<'a>(roots: &'a mut Roots, place: &[String]) -> Option<&'a mut Vec<Run>> {
    let (root, inside) = place.split_first()?;
    let root = roots.get_mut(root)?;
    match inside.iter().try_fold(root, part_mut)? {
        Content::Text(runs) | Content::XmlText { runs, .. } => Some(runs),
        _ => None,
    }
}
