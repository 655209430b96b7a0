//! JSON texts, checked strictly and not copied.
//!
//! A text is scanned once into a tape: an entry of 12 bytes for each value and each key, with where it lies. Strings are
//! unescaped and numbers read where they are asked for, so what a text declares costs nothing before someone wants it.

use std::borrow::Cow;
use std::str;

use syncline_core::guard::{JsonRules, JsonSink, Malformed, scan_json_into};

/// A JSON text in which no object has a key twice.
pub(super) struct Json<'a> {
    text: &'a str,
    tape: Vec<Entry>,
}

/// A key or value.
struct Entry {
    /// Offsets in the text.
    start: u32,
    end: u32,
    /// The entry behind it, and behind all that it holds.
    next: u32,
}

/// A value in a text.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    json: &'a Json<'a>,
    at: usize,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number,
    Text,
    List,
    Map,
}

/// Why bytes are not such a text. Who sent them is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// They are not JSON, or nested too deep.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// An object has a key twice.
    #[error("a key is there twice")]
    Duplicate {
        /// Where the second value is, as a JSON pointer.
        pointer: String,
    },
}

impl<'a> Json<'a> {
    /// Reads a text.
    ///
    /// # Errors
    /// [`JsonError`] says what is wrong with it.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, JsonError> {
        let text = str::from_utf8(bytes).map_err(|error| Malformed::Utf8 { at: error.valid_up_to() })?;
        u32::try_from(text.len()).map_err(|_| Malformed::TooLong { bytes: text.len() })?;
        let mut tape = Tape::default();
        scan_json_into(text, 0, JsonRules::Text, &mut tape)?;
        let json = Self { text, tape: tape.entries };
        match json.duplicate() {
            Some(second) => Err(JsonError::Duplicate { pointer: json.root().pointer_to(second) }),
            None => Ok(json),
        }
    }

    pub(super) const fn root(&'a self) -> Node<'a> {
        Node { json: self, at: 0 }
    }

    /// Finds a key that its object has twice.
    fn duplicate(&self) -> Option<usize> {
        let mut keys = Vec::new();
        for at in 0..self.tape.len() {
            let node = Node { json: self, at };
            if node.kind() != Kind::Map {
                continue;
            }
            keys.clear();
            keys.extend(node.members().map(|(key, value)| (key, value.at)));
            keys.sort_unstable();
            if let Some(pair) = keys.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                return Some(pair[1].1);
            }
        }
        None
    }
}

impl<'a> Node<'a> {
    /// Returns the whole text's value.
    pub(super) const fn root(self) -> Node<'a> {
        Node { at: 0, ..self }
    }

    pub(super) fn kind(self) -> Kind {
        match self.raw().as_bytes().first() {
            Some(b'n') => Kind::Null,
            Some(b't') => Kind::Bool(true),
            Some(b'f') => Kind::Bool(false),
            Some(b'"') => Kind::Text,
            Some(b'[') => Kind::List,
            Some(b'{') => Kind::Map,
            Some(_) | None => Kind::Number,
        }
    }

    /// Returns the value as it is written.
    pub(super) fn raw(self) -> &'a str {
        let entry = &self.json.tape[self.at];
        &self.json.text[entry.start as usize..entry.end as usize]
    }

    /// Returns what a string says.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        (self.kind() == Kind::Text).then(|| unescaped(self.raw()))
    }

    /// Returns the items of an array; nothing else has any.
    pub(super) fn items(self) -> impl Iterator<Item = Node<'a>> {
        self.children(Kind::List)
    }

    /// Returns the members of an object; nothing else has any.
    pub(super) fn members(self) -> impl Iterator<Item = (Cow<'a, str>, Node<'a>)> {
        let mut children = self.children(Kind::Map);
        std::iter::from_fn(move || Some((unescaped(children.next()?.raw()), children.next()?)))
    }

    /// Returns the member of an object that has this name.
    pub(super) fn member(self, name: &str) -> Option<Node<'a>> {
        let mut children = self.children(Kind::Map);
        std::iter::from_fn(|| Some((children.next()?, children.next()?)))
            .find(|(key, _)| key.says(name))
            .map(|(_, value)| value)
    }

    /// Returns whether a key is this name; few have escapes.
    fn says(self, name: &str) -> bool {
        let literal = self.raw();
        if literal.len() == name.len() + 2 {
            // The same characters with a backslash among them are an escape, and so another name.
            literal.as_bytes()[1..=name.len()] == *name.as_bytes() && !name.contains('\\')
        } else {
            literal.len() > name.len() + 2 && unescaped(literal) == name
        }
    }

    /// Returns the JSON pointer (RFC 6901) that leads from here to a value within.
    pub(super) fn pointer(self, to: Node<'a>) -> String {
        self.pointer_to(to.at)
    }

    fn pointer_to(self, to: usize) -> String {
        let mut pointer = String::new();
        let mut here = self;
        while here.at != to {
            let holds = |node: &Node<'_>| node.at <= to && to < node.end();
            let member = here.members().find(|(_, value)| holds(value));
            let item = || here.items().enumerate().find(|(_, item)| holds(item));
            let Some((key, next)) = member.or_else(|| item().map(|(at, item)| (at.to_string().into(), item)))
            else {
                break;
            };
            push_step(&mut pointer, &key);
            here = next;
        }
        pointer
    }

    fn children(self, of: Kind) -> impl Iterator<Item = Node<'a>> {
        let end = if self.kind() == of { self.end() } else { 0 };
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            let child = Node { at, ..self };
            (at < end).then(|| at = child.end())?;
            Some(child)
        })
    }

    fn end(self) -> usize {
        self.json.tape[self.at].next as usize
    }
}

/// Adds a step to a JSON pointer.
pub(super) fn push_step(pointer: &mut String, step: &str) {
    pointer.push('/');
    for c in step.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// Returns what a string literal says that has passed the scan, so that each escape is whole.
fn unescaped(literal: &str) -> Cow<'_, str> {
    let inner = &literal[1..literal.len() - 1];
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((before, escape)) = rest.split_once('\\') {
        text.push_str(before);
        let unit = |at: usize| escape.get(at..at + 4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
        let (c, used) = match escape.as_bytes().first() {
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b't') => ('\t', 1),
            Some(b'u') => {
                let units = [unit(1), unit(7)].map(Option::unwrap_or_default);
                let c = char::decode_utf16(units).next().and_then(Result::ok);
                let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
                (c, if c.len_utf16() == 2 { 11 } else { 5 })
            }
            Some(&byte) => (char::from(byte), 1),
            None => break,
        };
        text.push(c);
        rest = escape.get(used..).unwrap_or_default();
    }
    text.push_str(rest);
    Cow::Owned(text)
}

#[derive(Default)]
struct Tape {
    entries: Vec<Entry>,
    /// Those that have begun and not ended; the scan bounds how many.
    open: Vec<usize>,
}

impl Tape {
    fn push(&mut self, start: usize, end: usize) {
        // The length of the text fits, and there are fewer entries than bytes.
        let next = self.entries.len() as u32 + 1;
        self.entries.push(Entry { start: start as u32, end: end as u32, next });
    }
}

impl JsonSink for Tape {
    fn scalar(&mut self, start: usize, end: usize) {
        self.push(start, end);
    }

    fn open(&mut self, start: usize) {
        self.open.push(self.entries.len());
        self.push(start, start);
    }

    fn close(&mut self, end: usize) {
        let next = self.entries.len() as u32;
        if let Some(entry) = self.open.pop().and_then(|at| self.entries.get_mut(at)) {
            (entry.end, entry.next) = (end as u32, next);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> Option<JsonError> {
        Json::parse(text.as_bytes()).err()
    }

    #[test]
    fn strings_say_what_is_meant() {
        let text = r#"["\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83d\ude42z\u0000", "ü", {"\u0061":1}]"#;
        let json = Json::parse(text.as_bytes()).expect("it is JSON");
        let root = json.root();
        let texts: Vec<_> = root.items().filter_map(Node::text).collect();
        assert_eq!(texts, ["\"\\/\u{8}\u{c}\n\r\tAé€🙂z\0", "ü"]);
        let map = root.items().nth(2).expect("three items");
        let a = map.member("a").expect("by what it says");
        assert_eq!((a.raw(), root.pointer(a)), ("1", "/2/a".to_owned()));
    }

    #[test]
    fn what_is_not_strict_is_refused() {
        let duplicate = |pointer: &str| Some(JsonError::Duplicate { pointer: pointer.into() });
        assert_eq!(error(r#"{"a":1,"b":{"x/~":[0,{"k":1,"\u006b":2}]}}"#), duplicate("/b/x~1~0/1/k"));
        assert_eq!(error(r#"{"a":1,"a":1}"#), duplicate("/a"));
        assert_eq!(error(r#"[{"a":1},{"a":1}]"#), None);
        let malformed = |malformed| Some(JsonError::Malformed(malformed));
        assert_eq!(error("{} x"), malformed(Malformed::Json { at: 3 }));
        assert_eq!(error("\"\0\""), malformed(Malformed::Json { at: 1 }));
        assert_eq!(error(r#"["\ud800"]"#), malformed(Malformed::JsonValue { at: 2 }));
        assert_eq!(error(&"[".repeat(100_000)), malformed(Malformed::Depth { at: 64 }));
        assert_eq!(error(&"{\"a\":".repeat(100_000)), malformed(Malformed::Depth { at: 320 }));
        assert_eq!(Json::parse(b"\"\xff\"").err(), malformed(Malformed::Utf8 { at: 1 }));
    }

    #[test]
    fn a_name_with_a_backslash_is_not_the_escape_that_looks_like_it() {
        let json = Json::parse(br#"{"\"":0,"\\\"":1}"#).expect("it is JSON");
        let found = |name: &str| json.root().member(name).map(Node::raw);
        assert_eq!((found("\""), found("\\\"")), (Some("0"), Some("1")));
    }

    proptest! {
        /// Each value is found again by its pointer, whatever the keys are.
        #[test]
        fn pointers_lead_to_values(keys in prop::collection::btree_set("[a/~0-9\\\\u\"é]{0,3}", 1..5), at in 0..5_usize) {
            let mut text = String::from("[{");
            for (at, key) in keys.iter().enumerate() {
                text.push_str(if at > 0 { "," } else { "" });
                super::super::write::string(&mut text, key);
                text.push_str(&format!(":{at}"));
            }
            text.push_str("}]");
            let json = Json::parse(text.as_bytes()).expect("it is JSON");
            let at = at % keys.len();
            let map = json.root().items().next().expect("one item");
            let key = keys.iter().nth(at).expect("in range");
            let value = map.member(key).expect("it is there");
            prop_assert_eq!(value.raw(), at.to_string());
            let steps: Vec<String> = json.root().pointer(value).split('/').skip(1)
                .map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
            prop_assert_eq!(steps, ["0", key.as_str()]);
        }
    }
}
