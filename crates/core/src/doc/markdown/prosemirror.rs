//! Reads XML as y-prosemirror writes it: elements are nodes, attributes of a text are marks.

use std::sync::Arc;

use yrs::{Any, Number};

use super::{Block, DEPTH_MAX, Inline, Item, Marks, harmless, link};
use crate::doc::content::{Content, Named, Piece, Run, chars_of};

/// Reads what a fragment holds.
pub(super) fn blocks(children: &[Content]) -> Vec<Block> {
    inside(children, 0)
}

/// Reads blocks. What stands between them and is none is a paragraph.
fn inside(children: &[Content], depth: usize) -> Vec<Block> {
    let (mut blocks, mut line) = (Vec::new(), Vec::new());
    for child in children {
        if let Some(found) = block(child, depth) {
            end_line(&mut line, &mut blocks);
            blocks.extend(found);
        } else {
            inline(child, &mut line);
        }
    }
    end_line(&mut line, &mut blocks);
    blocks
}

fn end_line(line: &mut Vec<Inline>, blocks: &mut Vec<Block>) {
    if !line.is_empty() {
        blocks.push(Block::Paragraph(std::mem::take(line)));
    }
}

/// Reads a block; nothing if it is what stands in a line.
fn block(content: &Content, depth: usize) -> Option<Vec<Block>> {
    let Content::Element { name, attributes, children } = content else { return None };
    let is_too_deep = depth >= DEPTH_MAX;
    let one = match plain(name).as_str() {
        "paragraph" => Block::Paragraph(line(children)),
        "heading" => Block::Heading(level(attributes), line(children)),
        "codeblock" => Block::Code { language: language(attributes), text: characters(children) },
        "horizontalrule" => Block::Rule,
        "table" => Block::Table(rows(children)),
        "blockquote" if !is_too_deep => Block::Quote(inside(children, depth + 1)),
        "bulletlist" | "tasklist" if !is_too_deep => list(None, children, depth),
        "orderedlist" if !is_too_deep => {
            let first = number(attributes, "start").or_else(|| number(attributes, "order"));
            // Nine digits is what a number may have (CommonMark, 5.2).
            list(Some(first.map_or(1, |first| first.clamp(0, 999_999_999) as u32)), children, depth)
        }
        "hardbreak" | "image" => return None,
        // A node that is not known is what it holds: blocks, or what stands in a line.
        _ if children.iter().any(|child| block_like(child, 0)) || is_too_deep => {
            return Some(inside(children, depth));
        }
        _ => return None,
    };
    Some(vec![one])
}

/// Returns whether something is a block, or holds one.
fn block_like(content: &Content, depth: usize) -> bool {
    const BLOCKS: [&str; 12] = [
        "paragraph",
        "heading",
        "codeblock",
        "horizontalrule",
        "table",
        "blockquote",
        "bulletlist",
        "tasklist",
        "orderedlist",
        "listitem",
        "taskitem",
        "tablerow",
    ];
    let Content::Element { name, children, .. } = content else { return false };
    // Looked for at each level on the way down, so no further than a few.
    BLOCKS.contains(&plain(name).as_str())
        || depth < 4 && children.iter().any(|child| block_like(child, depth + 1))
}

/// `listItem` and `list_item` are one.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|char| *char != '_' && *char != '-').map(|char| char.to_ascii_lowercase()).collect()
}

fn list(first: Option<u32>, children: &[Content], depth: usize) -> Block {
    let items = children.iter().map(|child| match child {
        Content::Element { name, attributes, children } if plain(name) == "taskitem" => Item {
            is_done: Some(matches!(attributes.get("checked").and_then(value), Some(Any::Bool(true)))),
            blocks: inside(children, depth + 1),
        },
        Content::Element { name, children, .. } if plain(name) == "listitem" => {
            Item { is_done: None, blocks: inside(children, depth + 1) }
        }
        other => Item { is_done: None, blocks: inside(std::slice::from_ref(other), depth + 1) },
    });
    Block::List { first, items: items.collect() }
}

fn rows(children: &[Content]) -> Vec<Vec<Vec<Inline>>> {
    let of = |content: &Content| match content {
        Content::Element { children, .. } => children.iter().map(cell_line).collect(),
        _ => vec![line(std::slice::from_ref(content))],
    };
    children.iter().map(of).collect()
}

/// A cell is one line, whatever it holds.
fn cell_line(cell: &Content) -> Vec<Inline> {
    let Content::Element { children, .. } = cell else { return line(std::slice::from_ref(cell)) };
    let mut all = Vec::new();
    for child in children {
        let found = line(std::slice::from_ref(child));
        if !all.is_empty() && !found.is_empty() && matches!(child, Content::Element { .. }) {
            all.push(Inline::Break);
        }
        all.extend(found);
    }
    all
}

fn line(children: &[Content]) -> Vec<Inline> {
    let mut line = Vec::new();
    children.iter().for_each(|child| inline(child, &mut line));
    line
}

fn inline(content: &Content, line: &mut Vec<Inline>) {
    match content {
        Content::Text(runs) | Content::XmlText { runs, .. } => {
            line.extend(runs.iter().flat_map(marked));
        }
        Content::Element { name, attributes, children } => match plain(name).as_str() {
            "hardbreak" => line.push(Inline::Break),
            "image" => line.extend(image(attributes)),
            _ => children.iter().for_each(|child| inline(child, line)),
        },
        Content::Items(_, children) => children.iter().for_each(|child| inline(child, line)),
        Content::Map(_) | Content::Value(_) | Content::Opaque => {}
        #[cfg(feature = "automerge")]
        Content::Special(_) => {}
    }
}

pub(super) fn image(attributes: &Named) -> Option<Inline> {
    let [url, alt, title] = ["src", "alt", "title"].map(|name| text(attributes, name).unwrap_or_default());
    Some(Inline::Image { url: harmless(&url)?.to_owned(), alt, title })
}

fn marked(run: &Run) -> Vec<Inline> {
    match &run.piece {
        Piece::Text(text) => vec![Inline::Text(text.clone(), marks(run))],
        Piece::Embed(content) => line(std::slice::from_ref(content)),
    }
}

pub(super) fn marks(run: &Run) -> Marks {
    let mut marks = Marks::default();
    for (name, value) in run.format.iter() {
        if matches!(value, Any::Null | Any::Undefined | Any::Bool(false)) {
            continue;
        }
        // Marks that may overlap have a hash behind their name.
        match name.split("--").next().unwrap_or_default() {
            "bold" | "strong" => marks.bold = true,
            "italic" | "em" => marks.italic = true,
            "strike" | "strikethrough" => marks.strike = true,
            "code" => marks.code = true,
            "link" => {
                let Any::Map(members) = value else { continue };
                let Some(Any::String(url)) = members.get("href") else { continue };
                marks.link = link(url);
            }
            _ => {}
        }
    }
    marks
}

/// Returns the characters of all that is in there.
fn characters(children: &[Content]) -> String {
    characters_of(line(children))
}

pub(super) fn characters_of(line: Vec<Inline>) -> String {
    let piece = |inline| match inline {
        Inline::Text(text, _) => text,
        Inline::Break => "\n".to_owned(),
        Inline::Image { alt, .. } => alt,
    };
    line.into_iter().map(piece).collect()
}

pub(super) fn level(attributes: &Named) -> u8 {
    number(attributes, "level").map_or(1, |level| level.clamp(1, 6) as u8)
}

pub(super) fn language(attributes: &Named) -> Option<Arc<str>> {
    let name = text(attributes, "language").or_else(|| text(attributes, "params"))?;
    super::language(&name.into())
}

fn value(content: &Content) -> Option<&Any> {
    match content {
        Content::Value(any) => Some(any),
        _ => None,
    }
}

pub(super) fn text(attributes: &Named, name: &str) -> Option<String> {
    attributes.get(name).and_then(word)
}

/// Returns what a string holds, or a text that people write in together.
pub(super) fn word(content: &Content) -> Option<String> {
    match content {
        Content::Value(Any::String(text)) => Some(text.to_string()),
        Content::Text(runs) => Some(chars_of(runs)),
        _ => None,
    }
}

fn number(attributes: &Named, name: &str) -> Option<i64> {
    match attributes.get(name).and_then(value)? {
        Any::Number(Number::Int(value)) => Some(*value),
        // Attributes are texts where an editor writes plain XML.
        Any::String(text) => text.parse().ok(),
        #[expect(clippy::cast_possible_truncation, reason = "it is clamped to a few digits, and NaN is 0")]
        Any::Number(Number::Float(value)) => Some(*value as i64),
        _ => None,
    }
}
