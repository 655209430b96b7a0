//! What is written is read again by a parser of `CommonMark` that is not ours: the same characters, with the same marks.

use proptest::{collection::vec, prelude::*};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::{Block, Inline, Item, Marks, write::write};

/// A character and how it looks; what is no character is told by a word.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Char(char, Marks),
    Sign(String),
}

fn sign(text: impl Into<String>) -> Seen {
    Seen::Sign(text.into())
}

/// Returns what someone sees who reads Markdown.
fn read(markdown: &str) -> Vec<Seen> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let (mut seen, mut marks) = (Vec::new(), Marks::default());
    let mut fenced = None;
    for event in Parser::new_ext(markdown, options | Options::ENABLE_FOOTNOTES) {
        let text = |seen: &mut Vec<Seen>, text: &str, marks: &Marks| {
            seen.extend(text.chars().map(|char| Seen::Char(char, marks.clone())));
        };
        match event {
            Event::Text(words) if fenced.is_some() => {
                fenced.as_mut().map_or((), |all: &mut String| all.push_str(&words))
            }
            Event::Text(words) => text(&mut seen, &words, &marks),
            Event::Code(words) => text(&mut seen, &words, &Marks { code: true, ..marks.clone() }),
            Event::HardBreak => seen.push(sign("break")),
            Event::InlineHtml(html) if &*html == "<br>" => seen.push(sign("break")),
            // An item that is empty.
            Event::Html(html) if html.trim() == "<!-- -->" => {}
            Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => {}
            Event::Rule => seen.push(sign("rule")),
            Event::TaskListMarker(is_done) => seen.push(sign(format!("task {is_done}"))),
            Event::Start(Tag::Strong) => marks.bold = true,
            Event::End(TagEnd::Strong) => marks.bold = false,
            Event::Start(Tag::Emphasis) => marks.italic = true,
            Event::End(TagEnd::Emphasis) => marks.italic = false,
            Event::Start(Tag::Strikethrough) => marks.strike = true,
            Event::End(TagEnd::Strikethrough) => marks.strike = false,
            Event::Start(Tag::Link { dest_url, .. }) => marks.link = Some(dest_url.to_string().into()),
            Event::End(TagEnd::Link) => marks.link = None,
            Event::Start(Tag::Image { dest_url, title, .. }) => {
                seen.push(sign(format!("image {dest_url} {title}")))
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                seen.push(sign(format!("code {language}")));
                fenced = Some(String::new());
            }
            Event::End(TagEnd::CodeBlock) => {
                let all = fenced.take().unwrap_or_default();
                text(&mut seen, all.strip_suffix('\n').unwrap_or(&all), &marks);
                seen.push(sign("end"));
            }
            Event::Start(Tag::Heading { level, .. }) => seen.push(sign(format!("heading {}", level as u8))),
            Event::Start(Tag::BlockQuote(_)) => seen.push(sign("quote")),
            Event::Start(Tag::List(first)) => seen.push(sign(format!("list {first:?}"))),
            Event::Start(Tag::Item) => seen.push(sign("item")),
            Event::Start(Tag::Table(_)) => seen.push(sign("table")),
            Event::Start(Tag::TableHead | Tag::TableRow) => seen.push(sign("row")),
            Event::Start(Tag::TableCell) => seen.push(sign("cell")),
            Event::End(TagEnd::List(_) | TagEnd::BlockQuote(_) | TagEnd::Table | TagEnd::Heading(_)) => {
                seen.push(sign("end"));
            }
            Event::End(TagEnd::Paragraph) => seen.push(sign("end")),
            Event::Start(Tag::Paragraph)
            | Event::End(
                TagEnd::Item | TagEnd::TableCell | TagEnd::TableHead | TagEnd::TableRow | TagEnd::Image,
            ) => {}
            other => panic!("{other:?} is nothing that is written: {markdown}"),
        }
    }
    // In a list without empty lines paragraphs are not told.
    seen.retain(|seen| *seen != sign("end"));
    seen
}

fn line_of(line: &[Inline], place: &str) -> Vec<Seen> {
    let mut line: Vec<&Inline> =
        line.iter().filter(|inline| !matches!(inline, Inline::Text(text, _) if text.is_empty())).collect();
    while line.last().is_some_and(|last| **last == Inline::Break) {
        line.pop();
    }
    let first = line.iter().position(|inline| **inline != Inline::Break).unwrap_or(line.len());
    line[first..]
        .iter()
        .flat_map(|inline| match inline {
            Inline::Text(text, marks) => {
                let is_odd = |char: char| char.is_control() || place == "cell" && "|\\".contains(char);
                // Code that cannot be written is no code.
                let is_definition = marks.link.is_some() && text.contains("]:");
                let code = marks.code && !text.trim().is_empty() && !text.contains(is_odd) && !is_definition;
                let marks = Marks { code, ..marks.clone() };
                text.chars()
                    .map(|char| Seen::Char(if char == '\0' { '\u{fffd}' } else { char }, marks.clone()))
                    .collect()
            }
            Inline::Break => vec![sign("break")],
            Inline::Image { url, alt, title } => {
                let alt = alt
                    .chars()
                    .map(|char| Seen::Char(if char == '\0' { '\u{fffd}' } else { char }, Marks::default()));
                [sign(format!("image {url} {title}"))].into_iter().chain(alt).collect()
            }
        })
        .collect()
}

/// Returns what is to be seen.
fn expected(blocks: &[Block]) -> Vec<Seen> {
    let mut seen = Vec::new();
    for block in blocks {
        match block {
            Block::Paragraph(line) => seen.extend(line_of(line, "paragraph")),
            Block::Heading(level, line) => {
                let line = line_of(line, "heading");
                if !line.is_empty() {
                    seen.push(sign(format!("heading {level}")));
                }
                seen.extend(line);
            }
            Block::Code { language, text } => {
                seen.push(sign(format!("code {}", language.as_deref().unwrap_or_default())));
                let text = text.chars().map(|char| if char == '\0' { '\u{fffd}' } else { char });
                seen.extend(text.map(|char| Seen::Char(char, Marks::default())));
            }
            Block::Rule => seen.push(sign("rule")),
            Block::Quote(inside) => {
                let inside = expected(inside);
                if !inside.is_empty() {
                    seen.push(sign("quote"));
                }
                seen.extend(inside);
            }
            Block::List { first, items } => {
                if !items.is_empty() {
                    seen.push(sign(format!("list {:?}", first.map(u64::from))));
                }
                for item in items {
                    seen.push(sign("item"));
                    let there =
                        item.blocks.iter().find(|block| !expected(std::slice::from_ref(block)).is_empty());
                    if let (Some(is_done), Some(Block::Paragraph(_))) = (item.is_done, there) {
                        seen.push(sign(format!("task {is_done}")));
                    }
                    seen.extend(expected(&item.blocks));
                }
            }
            Block::Table(rows) => {
                let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
                if columns == 0 {
                    continue;
                }
                seen.push(sign("table"));
                for row in rows {
                    seen.push(sign("row"));
                    for column in 0..columns {
                        seen.push(sign("cell"));
                        seen.extend(row.get(column).map_or(Vec::new(), |cell| line_of(cell, "cell")));
                    }
                }
            }
        }
    }
    seen
}

fn chars() -> impl Strategy<Value = char> {
    prop_oneof![
        4 => proptest::char::range('!', '~'),
        3 => proptest::char::range('a', 'c'),
        2 => Just(' '),
        1 => proptest::sample::select(vec!['\n', '\t', '\r', '\0', '\u{7f}', '\u{a0}', '\u{2003}', '\u{301}', '–', 'ß', '漢', '🙂', '1']),
    ]
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        vec(chars(), 0..8).prop_map(|chars| chars.into_iter().collect::<String>()),
        proptest::sample::select(vec![
            "1. a",
            "# a #",
            "- [x] b",
            "&amp;",
            "<b>",
            "![a](b)",
            "===",
            "***",
            "a|b",
            "```",
            "    a",
            "a  ",
            "[^1]",
            "http://a.b"
        ])
        .prop_map(str::to_owned),
    ]
}

fn marks() -> impl Strategy<Value = Marks> {
    let link = proptest::option::weighted(
        0.2,
        proptest::sample::select(vec!["https://a.example/x?y=1&z", "/b", "mailto:a@b"]),
    );
    (link, any::<bool>(), any::<bool>(), any::<bool>(), proptest::bool::weighted(0.2)).prop_map(
        |(link, bold, italic, strike, code)| Marks { link: link.map(Into::into), bold, italic, strike, code },
    )
}

fn inlines() -> impl Strategy<Value = Vec<Inline>> {
    let image = (words(), proptest::sample::select(vec!["", "a \"b\" <c>"]));
    let inline = prop_oneof![
        6 => (words(), marks()).prop_map(|(words, marks)| Inline::Text(words, marks)),
        1 => Just(Inline::Break),
        1 => image.prop_map(|(alt, title)| Inline::Image { url: "/i.png".into(), alt, title: title.into() }),
    ];
    vec(inline, 0..5).prop_map(merged)
}

/// Neighbours that look the same are one, as they are in documents.
fn merged(line: Vec<Inline>) -> Vec<Inline> {
    let mut merged: Vec<Inline> = Vec::new();
    for inline in line {
        match (merged.last_mut(), inline) {
            (_, Inline::Text(text, _)) if text.is_empty() => {}
            (Some(Inline::Text(before, marks)), Inline::Text(text, same)) if *marks == same => {
                before.push_str(&text)
            }
            (_, inline) => merged.push(inline),
        }
    }
    merged
}

fn blocks() -> impl Strategy<Value = Vec<Block>> {
    let code = vec(
        prop_oneof![4 => chars().prop_filter("line ends of others are made plain", |char| *char != '\r'), 1 => Just('`'), 1 => Just('\n')],
        0..12,
    );
    let code = (code, proptest::sample::select(vec![None, Some("rust"), Some("c++")]));
    let leaf = prop_oneof![
        4 => inlines().prop_map(Block::Paragraph),
        1 => (1..=6_u8, inlines()).prop_map(|(level, line)| Block::Heading(level, line)),
        1 => code.prop_map(|(text, language)| Block::Code { language: language.map(Into::into), text: text.into_iter().collect() }),
        1 => Just(Block::Rule),
        1 => vec(vec(inlines(), 0..3), 0..3).prop_map(Block::Table),
    ];
    let block = leaf.prop_recursive(3, 24, 4, |inner| {
        let item = (proptest::option::of(any::<bool>()), vec(inner.clone(), 0..3))
            .prop_map(|(is_done, blocks)| Item { is_done, blocks });
        prop_oneof![
            vec(inner, 0..3).prop_map(Block::Quote),
            (proptest::option::of(0..12_u32), vec(item, 0..4))
                .prop_map(|(first, items)| Block::List { first, items }),
        ]
    });
    vec(block, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Goal: whoever reads the Markdown reads what was written, character by character, with all marks.
    #[test]
    fn what_is_written_is_read(blocks in blocks()) {
        let markdown = write(&blocks).expect("it is short");
        prop_assert_eq!(read(&markdown), expected(&blocks), "{}", markdown);
    }
}
