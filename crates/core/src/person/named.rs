//! The name of a person who has proved who they are, in the presence that their client made up.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::ops::Range;

use serde_json::Value;

use crate::guard::{JsonRules, JsonSink, scan_json_into};

/// Returns an awareness state with the `name` of its `user` replaced, or nothing if it claims to be nobody.
///
/// Everything else stays as it is, byte by byte. A `user` that is a text is replaced whole; one that is `null` is nobody; any other
/// that is no object becomes one. Where a member comes twice both are replaced, since parsers differ in which one counts. What is
/// no JSON claims nothing.
#[must_use]
pub fn with_name(state: &str, name: &str) -> Option<String> {
    let mut found = Found { json: state, ..Found::default() };
    scan_json_into(state, 0, JsonRules::Rfc8259, &mut found).ok()?;
    if found.places.is_empty() {
        return None;
    }
    let name = Value::from(name).to_string();
    let mut named = String::with_capacity(state.len() + name.len() + 16);
    let mut at = 0;
    for (range, what) in found.places {
        named.push_str(&state[at..range.start]);
        match what {
            Place::Text => named.push_str(&name),
            Place::Object => named.push_str(&format!(r#"{{"name":{name}}}"#)),
            Place::Only => named.push_str(&format!(r#""name":{name}"#)),
            Place::First => named.push_str(&format!(r#""name":{name},"#)),
        }
        at = range.end;
    }
    named.push_str(&state[at..]);
    Some(named)
}

/// What the name goes into.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// A text.
    Text,
    /// An object with nothing else in it.
    Object,
    /// The beginning of an object without members.
    Only,
    /// The beginning of one with members.
    First,
}

/// Finds the places for the name, in the order in which they stand.
#[derive(Default)]
struct Found<'a> {
    json: &'a str,
    places: Vec<(Range<usize>, Place)>,
    /// Arrays and objects that have begun and not ended.
    depth: usize,
    /// At each of the first two depths: whether it is an object whose next scalar is a key, and whether the last key was the one
    /// that is looked for.
    levels: [Level; 2],
    /// Where the value begins that is replaced whole, and at which depth.
    replaced: Option<(usize, usize)>,
    user: User,
}

#[derive(Clone, Copy, Default)]
struct Level {
    is_object: bool,
    expects_key: bool,
    is_found: bool,
}

/// The `user` that is being looked at.
#[derive(Default)]
struct User {
    /// Where its members begin.
    at: usize,
    is_named: bool,
    has_members: bool,
}

/// The keys on the way to the name.
const KEYS: [&str; 2] = ["user", "name"];

impl Found<'_> {
    /// Returns the level in which something stands that concerns the name, if it does.
    fn level(&mut self) -> Option<(usize, &mut Level)> {
        let at = self.depth.checked_sub(1)?;
        if self.replaced.is_some() || (at == 1 && !self.levels[0].is_found) {
            return None;
        }
        self.levels.get_mut(at).filter(|level| level.is_object).map(|level| (at, level))
    }

    fn is_key(&self, raw: Range<usize>, key: &str) -> bool {
        let raw = &self.json[raw];
        raw.trim_matches('"') == key
            || (raw.contains('\\') && serde_json::from_str(raw).ok() == Some(key.to_string()))
    }
}

impl JsonSink for Found<'_> {
    fn scalar(&mut self, start: usize, end: usize) {
        let Some((at, &mut level)) = self.level() else { return };
        if level.expects_key {
            let is_found = self.is_key(start..end, KEYS[at]);
            self.levels[at] = Level { expects_key: false, is_found, ..level };
            if at == 1 {
                self.user.has_members = true;
                self.user.is_named |= is_found;
            }
            return;
        }
        self.levels[at].expects_key = true;
        if !level.is_found {
            return;
        }
        let value = &self.json[start..end];
        match (at, value) {
            (0, "null") => {}
            (0, value) if !value.starts_with('"') => self.places.push((start..end, Place::Object)),
            _ => self.places.push((start..end, Place::Text)),
        }
    }

    fn open(&mut self, start: usize) {
        let is_object = self.json[start..].starts_with('{');
        if self.depth == 0 {
            self.levels[0] = Level { is_object, expects_key: true, is_found: false };
        } else if let Some((at, level)) = self.level()
            && level.is_found
        {
            if at == 0 && is_object {
                self.levels[1] = Level { is_object, expects_key: true, is_found: false };
                self.user = User { at: start + 1, ..User::default() };
            } else {
                self.replaced = Some((start, self.depth));
            }
        }
        self.depth += 1;
    }

    fn close(&mut self, end: usize) {
        self.depth = self.depth.saturating_sub(1);
        if let Some((start, depth)) = self.replaced.filter(|(_, depth)| *depth == self.depth) {
            self.replaced = None;
            self.places.push((start..end, if depth == 1 { Place::Object } else { Place::Text }));
        } else if self.depth == 1 && self.replaced.is_none() && self.levels[0].is_found && !self.user.is_named
        {
            let place = if self.user.has_members { Place::First } else { Place::Only };
            self.places.push((self.user.at..self.user.at, place));
        }
        if let Some((_, level)) = self.level() {
            level.expects_key = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;

    use super::*;

    fn check(state: &str, want: Option<&str>) {
        assert_eq!(with_name(state, "ann").as_deref(), want, "{state}");
    }

    #[test]
    fn the_name_is_replaced_and_nothing_else() {
        check(
            r##"{ "cursor" : {"user":{"name":"x"},"name":[1e400]}, "user": {"name" : "Eve", "color":"#fff"} ,"n":1.0}"##,
            Some(
                r##"{ "cursor" : {"user":{"name":"x"},"name":[1e400]}, "user": {"name" : "ann", "color":"#fff"} ,"n":1.0}"##,
            ),
        );
        check(
            r#"{"user":{"color":{"name":"x"},"id":"\ud83d"}}"#,
            Some(r#"{"user":{"name":"ann","color":{"name":"x"},"id":"\ud83d"}}"#),
        );
        check(r#"{"user":{ },"x":[{}]}"#, Some(r#"{"user":{"name":"ann" },"x":[{}]}"#));
        check(r#"{"user":{"name":{"name":["Eve",{}]},"a":1}}"#, Some(r#"{"user":{"name":"ann","a":1}}"#));
        check(r#"{"user":{"name":7}}"#, Some(r#"{"user":{"name":"ann"}}"#));
        assert_eq!(with_name(r#"{"user":""}"#, "a\"b\\ü").as_deref(), Some(r#"{"user":"a\"b\\ü"}"#));
    }

    #[test]
    fn whoever_claims_to_be_nobody_stays_nobody() {
        for state in [
            "null",
            "7",
            "[]",
            "{}",
            r#"{"name":"x"}"#,
            r#"{"users":{"name":"x"}}"#,
            r#"{"user":null,"name":"x"}"#,
            r#"[{"user":{"name":"x"}}]"#,
            r#"{"a":{"user":{"name":"x"}}}"#,
            r#"{"a":"user","b":{"name":"x"}}"#,
            "[",
            "",
        ] {
            check(state, None);
        }
    }

    #[test]
    fn no_spelling_of_the_claim_gets_past() {
        check(r#"{"\u0075ser":{"n\u0061me":"Eve"}}"#, Some(r#"{"\u0075ser":{"n\u0061me":"ann"}}"#));
        check(
            r#"{"user":{"name":"Eve","name":"Eve"},"user":{"name":"Eve"},"user":"Eve"}"#,
            Some(r#"{"user":{"name":"ann","name":"ann"},"user":{"name":"ann"},"user":"ann"}"#),
        );
        check(r#"{"user":["Eve"],"x":[[]]}"#, Some(r#"{"user":{"name":"ann"},"x":[[]]}"#));
        check(r#"{"user":true}"#, Some(r#"{"user":{"name":"ann"}}"#));
        check(
            r#"{"user":[{"user":{"a":1}}],"user":{}}"#,
            Some(r#"{"user":{"name":"ann"},"user":{"name":"ann"}}"#),
        );
    }

    proptest::proptest! {
        /// Any state becomes valid JSON that differs from what it was in the name of the user only.
        #[test]
        fn all_but_the_name_stays(
            others in proptest::collection::btree_map("[a-z\"\\\\]{0,3}", "[\u{0}-\u{ff}]{0,4}", 0..4),
            user in proptest::option::of(proptest::collection::btree_map("(name|[a-d]{1,2})", "[\u{0}-\u{ff}]{0,4}", 0..4)),
            name in "[ -\u{ff}]{1,5}",
        ) {
            let mut state = Value::Object(others.into_iter().map(|(key, text)| (key, Value::from(text))).collect());
            let has_user = user.is_some();
            if let Some(user) = user {
                state["user"] = Value::Object(user.into_iter().map(|(key, text)| (key, Value::from(text))).collect());
            }
            let text = state.to_string();
            let named = with_name(&text, &name);
            proptest::prop_assert_eq!(named.is_some(), has_user);
            if has_user {
                state["user"]["name"] = Value::from(name.to_owned());
            }
            let got: Value = serde_json::from_str(&named.unwrap_or(text)).expect("JSON");
            proptest::prop_assert_eq!(got, state);
        }
    }
}
