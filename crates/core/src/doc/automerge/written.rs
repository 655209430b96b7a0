//! Who wrote what stands in the texts of a document.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use automerge::{ActorId, Automerge, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, Value};

use super::AutomergeDocument;
use crate::{
    doc::{Authorship, Broken, Written, WrittenRange, content::escaped, ranges::Ranges},
    limits::{TOLD_PATH_BYTES_MAX, TYPE_DEPTH_MAX},
    log::Maker,
};

impl AutomergeDocument {
    /// Returns who wrote what stands in each text of the document, in order; neighbours by one author in one commit are one range. A
    /// character is of the op that put it there, and so of the change that this is in. Things that are no characters are passed over,
    /// and so is what lies deeper than documents may be, or has a path longer than [`TOLD_PATH_BYTES_MAX`].
    ///
    /// # Errors
    /// [`Broken`] if the document is of no further use.
    pub fn written_by(&self, authorship: &Authorship) -> Result<Vec<WrittenRange>, Broken> {
        let ranges = self.doc.read(|doc| {
            let mut walk = TextWalk { doc, authorship, makers: BTreeMap::new(), ranges: Ranges::default() };
            walk.entries("", &ROOT, 0);
            walk.ranges.into_vec()
        });
        Ok(ranges?)
    }
}

struct TextWalk<'a> {
    doc: &'a Automerge,
    authorship: &'a Authorship,
    makers: BTreeMap<ActorId, Maker>,
    ranges: Ranges,
}

impl<'a> TextWalk<'a> {
    fn entries(&mut self, path: &str, map: &ObjId, depth: u32) {
        for entry in self.doc.map_range(map, ..) {
            let (key, id) = (entry.key.clone().into_owned(), entry.id());
            if let Value::Object(kind) = entry.value.into_value() {
                self.object(&format!("{path}/{}", escaped(&key)), kind, &id, depth);
            }
        }
    }

    fn object(&mut self, path: &str, kind: ObjType, id: &ObjId, depth: u32) {
        if depth >= TYPE_DEPTH_MAX || path.len() > TOLD_PATH_BYTES_MAX {
            return;
        }
        match kind {
            ObjType::Map | ObjType::Table => self.entries(path, id, depth + 1),
            ObjType::List => {
                for (place, item) in self.doc.list_range(id, ..).enumerate() {
                    let own = item.id();
                    if let Value::Object(kind) = item.value.into_value() {
                        self.object(&format!("{path}/{place}"), kind, &own, depth + 1);
                    }
                }
            }
            ObjType::Text => self.text(path, id),
        }
    }

    fn text(&mut self, path: &str, text: &ObjId) {
        self.ranges.begin();
        let mut at = 0;
        for item in self.doc.list_range(text, ..) {
            let written = self.who(&item.id());
            let value = item.value.into_value();
            let Some(chars) = chars_of(&value) else {
                // It takes the place of one character.
                at += 1;
                continue;
            };
            let units = chars.encode_utf16().count() as u32;
            self.ranges.push(path, at, units, chars, written);
            at += units;
        }
    }

    /// Returns who made an op.
    fn who(&mut self, op: &ObjId) -> Option<&'a Written> {
        let ObjId::Id(counter, actor, _) = op else { return None };
        let maker = match self.makers.get(actor) {
            Some(maker) => maker,
            None => {
                let maker = Maker::Actor(actor.to_bytes().into());
                self.makers.entry(actor.clone()).or_insert(maker)
            }
        };
        self.authorship.of(maker, *counter).0
    }
}

fn chars_of<'a>(value: &'a Value<'_>) -> Option<&'a str> {
    match value {
        Value::Scalar(scalar) => match scalar.as_ref() {
            ScalarValue::Str(chars) => Some(chars.as_str()),
            _ => None,
        },
        Value::Object(_) => None,
    }
}
