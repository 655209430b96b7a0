//! Reads a text of Automerge with the blocks of `@automerge/prosemirror`: a marker begins each block, and names those that it stands in.

use std::{collections::BTreeMap, sync::Arc};

use yrs::Any;

use super::{
    Block, DEPTH_MAX, Inline, Item, LINK_BYTES_MAX, Marks, link,
    prosemirror::{characters_of, image, language, level, marks, plain, text, word},
};
use crate::doc::content::{Content, Named, Piece, Run};

/// What one marker begins.
#[derive(Debug, Default)]
struct Line {
    /// What it stands in, from the outside; a marker of one of these is the last of them.
    within: Vec<Within>,
    /// Whether it begins the last of them, and does not go on in one that is there.
    begins: bool,
    kind: Kind,
    inlines: Vec<Inline>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Quote,
    Item {
        is_numbered: bool,
    },
    /// What is not known is what it holds.
    Other,
}

#[derive(Debug, Default)]
enum Kind {
    #[default]
    Paragraph,
    Heading(u8),
    Code(Option<Arc<str>>),
}

/// Reads a text. What stands before the first marker is plain: each of its lines is a paragraph.
pub(super) fn blocks(runs: &[Run]) -> Vec<Block> {
    let (mut lines, mut is_plain) = (Vec::new(), true);
    let mut links = Links::default();
    for run in runs {
        match &run.piece {
            Piece::Text(text) => {
                let mut marks = marks(run);
                if let Some(Any::String(link)) = run.format.get("link") {
                    marks.link = links.of(link);
                }
                put(&mut lines, is_plain, text, &marks);
            }
            Piece::Embed(content) => match &**content {
                Content::Map(marker) if is_embed(marker) => {
                    let image = attributes(marker).and_then(image);
                    last(&mut lines).inlines.extend(image);
                }
                Content::Map(marker) => {
                    lines.push(Line::of(marker));
                    is_plain = false;
                }
                _ => {}
            },
        }
    }
    nested(lines, 0)
}

fn put(lines: &mut Vec<Line>, is_plain: bool, text: &str, marks: &Marks) {
    for (at, part) in text.split('\n').enumerate() {
        match at {
            0 => {}
            _ if is_plain => lines.push(Line::default()),
            _ => last(lines).inlines.push(Inline::Break),
        }
        if !part.is_empty() {
            last(lines).inlines.push(Inline::Text(part.to_owned(), marks.clone()));
        }
    }
}

fn last(lines: &mut Vec<Line>) -> &mut Line {
    if lines.is_empty() {
        lines.push(Line::default());
    }
    lines.last_mut().expect("there is one")
}

impl Line {
    fn of(marker: &Named) -> Self {
        let none = Named::new();
        let attributes = attributes(marker).unwrap_or(&none);
        let own = text(marker, "type").unwrap_or_default();
        let mut within: Vec<Within> = parents(marker).iter().map(|parent| Within::of(parent)).collect();
        let (begins, kind) = match plain(&own).as_str() {
            "paragraph" => (false, Kind::Paragraph),
            "heading" => (false, Kind::Heading(level(attributes))),
            "codeblock" => (false, Kind::Code(language(attributes))),
            own => {
                within.push(Within::of(own));
                (true, Kind::Paragraph)
            }
        };
        let begins = begins && within.len() <= DEPTH_MAX;
        within.truncate(DEPTH_MAX);
        Self { within, begins, kind, inlines: Vec::new() }
    }

    fn into_block(self) -> Block {
        match self.kind {
            Kind::Paragraph => Block::Paragraph(self.inlines),
            Kind::Heading(level) => Block::Heading(level, self.inlines),
            Kind::Code(language) => Block::Code { language, text: characters_of(self.inlines) },
        }
    }
}

impl Within {
    fn of(name: &str) -> Self {
        match plain(name).as_str() {
            "blockquote" => Self::Quote,
            "orderedlistitem" => Self::Item { is_numbered: true },
            "unorderedlistitem" => Self::Item { is_numbered: false },
            _ => Self::Other,
        }
    }
}

/// Makes blocks of lines that stand in the same so many.
fn nested(lines: Vec<Line>, depth: usize) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut rest = lines.into_iter().peekable();
    while let Some(first) = rest.next() {
        let Some(&within) = first.within.get(depth) else {
            found.push(first.into_block());
            continue;
        };
        let goes_on = |line: &Line| {
            let begins_here = line.begins && line.within.len() == depth + 1;
            line.within.get(depth) == Some(&within) && !begins_here
        };
        let mut group = vec![first];
        while let Some(line) = rest.next_if(goes_on) {
            group.push(line);
        }
        let blocks = nested(group, depth + 1);
        match within {
            Within::Other => found.extend(blocks),
            Within::Quote => found.push(Block::Quote(blocks)),
            Within::Item { is_numbered } => {
                let item = Item { is_done: None, blocks };
                match found.last_mut() {
                    Some(Block::List { first, items }) if first.is_some() == is_numbered => items.push(item),
                    _ => found.push(Block::List { first: is_numbered.then_some(1), items: vec![item] }),
                }
            }
        }
    }
    found
}

fn is_embed(marker: &Named) -> bool {
    matches!(marker.get("isEmbed"), Some(Content::Value(Any::Bool(true))))
}

fn attributes(marker: &Named) -> Option<&Named> {
    match marker.get("attrs")? {
        Content::Map(attributes) => Some(attributes),
        _ => None,
    }
}

fn parents(marker: &Named) -> Vec<String> {
    let Some(Content::Items(_, parents)) = marker.get("parents") else { return Vec::new() };
    parents.iter().filter_map(word).collect()
}

/// Links that were read: what many runs have is read once.
#[derive(Default)]
struct Links(BTreeMap<Arc<str>, Option<Arc<str>>>);

impl Links {
    /// A link is JSON with an `href`, as `@automerge/prosemirror` writes it, or the address itself.
    fn of(&mut self, mark: &Arc<str>) -> Option<Arc<str>> {
        if mark.len() > LINK_BYTES_MAX {
            return None;
        }
        let read = || {
            let members: Option<serde_json::Value> = serde_json::from_str(mark).ok();
            let href = members.as_ref().and_then(|members| members.get("href")?.as_str());
            link(&href.map_or_else(|| Arc::clone(mark), Arc::from))
        };
        self.0.entry(Arc::clone(mark)).or_insert_with(read).clone()
    }
}

#[cfg(test)]
mod tests {
    use automerge::{
        AutoCommit, ObjId, ObjType, ROOT, ReadDoc,
        marks::{ExpandMark, Mark},
        transaction::Transactable,
    };
    use proptest::prelude::*;

    use crate::doc::{AutomergeDocument, MarkdownError};

    /// A document with one text, written as `@automerge/prosemirror` does.
    struct Editor {
        doc: AutoCommit,
        text: ObjId,
    }

    impl Editor {
        fn new() -> Self {
            let mut doc = AutoCommit::new();
            let text = doc.put_object(ROOT, "text", ObjType::Text).expect("a map");
            Self { doc, text }
        }

        fn end(&self) -> usize {
            self.doc.length(&self.text)
        }

        fn marker(&mut self, kind: &str, parents: &[&str], attributes: &[(&str, &str)]) -> ObjId {
            let block = self.doc.split_block(&self.text, self.end()).expect("within the text");
            self.doc.put(&block, "type", kind).expect("a map");
            let list = self.doc.put_object(&block, "parents", ObjType::List).expect("a map");
            for (at, parent) in parents.iter().enumerate() {
                self.doc.insert(&list, at, *parent).expect("a list");
            }
            let map = self.doc.put_object(&block, "attrs", ObjType::Map).expect("a map");
            for (name, value) in attributes {
                match value.parse::<i64>() {
                    Ok(number) => self.doc.put(&map, *name, number).expect("a map"),
                    Err(_) => self.doc.put(&map, *name, *value).expect("a map"),
                }
            }
            block
        }

        fn block(&mut self, kind: &str, parents: &[&str], text: &str) {
            self.marker(kind, parents, &[]);
            self.write(text);
        }

        fn write(&mut self, text: &str) {
            self.doc.splice_text(&self.text, self.end(), 0, text).expect("within the text");
        }

        fn marked(&mut self, text: &str, name: &str, value: impl Into<automerge::ScalarValue>) {
            let begin = self.end();
            self.write(text);
            let mark = Mark::new(name.to_owned(), value, begin, self.end());
            self.doc.mark(&self.text, mark, ExpandMark::None).expect("within the text");
        }

        fn document(mut self) -> AutomergeDocument {
            let mut document = AutomergeDocument::default();
            document.apply(&self.doc.save()).expect("honest");
            document
        }

        fn markdown(self) -> String {
            self.document().markdown(None).expect("there is one text")
        }
    }

    #[test]
    fn blocks_of_prosemirror_are_markdown() {
        let mut editor = Editor::new();
        editor.marker("heading", &[], &[("level", "2")]);
        editor.write("A plan");
        editor.block("paragraph", &[], "with ");
        editor.marked("bold", "strong", true);
        editor.write(" and ");
        editor.marked("a link", "link", r#"{"href":"https://a.example/","title":""}"#);
        editor.write(" and ");
        editor.marked("none", "link", r#"{"href":"javascript:alert(1)"}"#);
        editor.block("unordered-list-item", &[], "milk");
        editor.block("paragraph", &["unordered-list-item"], "of oats");
        editor.block("ordered-list-item", &["unordered-list-item"], "warm");
        editor.block("ordered-list-item", &["unordered-list-item"], "drink");
        editor.block("unordered-list-item", &[], "tea");
        editor.block("blockquote", &[], "said");
        editor.block("heading", &["blockquote"], "loud");
        editor.marker("code-block", &[], &[("language", "rust")]);
        editor.write("fn a() {\n}");
        editor.block("aside", &[], "beside");
        let image = editor.marker("image", &[], &[("src", "https://a.example/b.png"), ("alt", "b")]);
        editor.doc.put(&image, "isEmbed", true).expect("a map");
        editor.write(" and behind");
        let want = "\
## A plan

with **bold** and [a link](https://a.example/) and none

- milk

  of oats
  1. warm
  2. drink

- tea

> said
>
> # loud

```rust
fn a() {
}
```

beside![b](https://a.example/b.png) and behind
";
        assert_eq!(editor.markdown(), want);
    }

    /// A text without blocks is what a plain editor shows, and which text is meant has to be plain.
    #[test]
    fn lines_of_a_plain_text_are_paragraphs() {
        let mut editor = Editor::new();
        editor.write("one\n# two");
        let inner = editor.doc.put_object(ROOT, "inner", ObjType::Map).expect("a map");
        editor.doc.put_object(&inner, "note", ObjType::Text).expect("a map");
        editor.doc.put(ROOT, "n", 1).expect("a map");
        let document = editor.document();
        assert_eq!(document.markdown(None).as_deref(), Ok("one\n\n\\# two\n"));
        assert_eq!(document.markdown(Some("/inner/note")).as_deref(), Ok(""));
        assert_eq!(document.markdown(Some("n")), Err(MarkdownError::NotRich { root: "n".into() }));
        assert_eq!(
            document.markdown(Some("/inner/x")),
            Err(MarkdownError::NoRoot { root: "/inner/x".into() })
        );
        let mut two = AutoCommit::new();
        for name in ["a", "b"] {
            two.put_object(ROOT, name, ObjType::Text).expect("a map");
        }
        let mut document = AutomergeDocument::default();
        document.apply(&two.save()).expect("honest");
        assert!(
            matches!(document.markdown(None), Err(MarkdownError::Ambiguous { roots }) if roots.len() == 2)
        );
    }

    /// Goal: nothing is written that is longer than documents may be. Method: the lines of a paragraph are one link, which each of them writes
    /// again; an address that is longer than those of links may be is left out.
    #[test]
    fn a_link_over_many_lines_is_written_until_it_is_too_long() {
        const LINES: usize = 33_000;
        for (address, is_link) in [("a".repeat(2_048), true), ("a".repeat(2_049), false)] {
            let mut editor = Editor::new();
            editor.block("paragraph", &[], "");
            editor.marked(&"x\n".repeat(LINES), "link", address);
            let markdown = editor.document().markdown(None).map(|markdown| markdown.len() < 5 * LINES);
            assert_eq!(markdown, if is_link { Err(MarkdownError::TooLong) } else { Ok(true) });
        }
    }

    /// A language may have as many bytes in a block of Automerge as anywhere else.
    #[test]
    fn a_language_that_is_too_long_is_none() {
        for (name, is_written) in [("a".repeat(64), true), ("a".repeat(65), false)] {
            let mut editor = Editor::new();
            editor.marker("code-block", &[], &[("language", &name)]);
            editor.write("x");
            let name = if is_written { &*name } else { "" };
            assert_eq!(editor.markdown(), format!("```{name}\nx\n```\n"));
        }
    }

    fn kinds() -> impl Strategy<Value = &'static str> {
        prop::sample::select(
            &[
                "paragraph",
                "heading",
                "code-block",
                "blockquote",
                "ordered-list-item",
                "unordered-list-item",
                "aside",
                "what",
                "",
            ][..],
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Whatever markers there are, every word is there, in order.
        #[test]
        fn no_word_is_lost(blocks in prop::collection::vec((kinds(), prop::collection::vec(kinds(), 0..40)), 0..12)) {
            let mut editor = Editor::new();
            editor.write("first");
            let words: Vec<String> = (0..blocks.len()).map(|at| format!("word{at}end")).collect();
            for ((kind, parents), word) in blocks.iter().zip(&words) {
                editor.block(kind, parents, word);
            }
            let markdown = editor.markdown();
            let mut rest = markdown.as_str();
            for word in std::iter::once("first").chain(words.iter().map(String::as_str)) {
                let at = rest.find(word);
                prop_assert!(at.is_some(), "{} is not in {:?}", word, rest);
                rest = &rest[at.unwrap_or_default() + word.len()..];
            }
        }
    }
}
