//! Reads a text with the formats of Quill: those of a line break are about its line.

use std::sync::Arc;

use yrs::Any;

use super::{Block, DEPTH_MAX, Inline, Item, Marks, harmless, language, link};
use crate::doc::content::{Content, Format, Piece, Run};

/// What a line is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Heading(u8),
    Quote,
    /// Many lines may have the language, and none a copy.
    Code(Option<Arc<str>>),
    Item {
        is_numbered: bool,
        is_done: Option<bool>,
        indent: usize,
    },
}

/// Reads a text.
pub(super) fn blocks(runs: &[Run]) -> Vec<Block> {
    let lines = lines(runs);
    let mut blocks = Vec::new();
    let mut rest = lines.as_slice();
    while let Some((first, _)) = rest.first() {
        let alike = |(kind, _): &&(Kind, Vec<Inline>)| match (first, kind) {
            (Kind::Item { .. }, Kind::Item { .. }) => true,
            (Kind::Quote | Kind::Code(_), kind) => first == kind,
            _ => false,
        };
        let count = rest.iter().take_while(alike).count().max(1);
        let (group, others) = rest.split_at(count);
        rest = others;
        match first {
            Kind::Plain => blocks.push(Block::Paragraph(group[0].1.clone())),
            Kind::Heading(level) => blocks.push(Block::Heading(*level, group[0].1.clone())),
            Kind::Quote => {
                let paragraphs = group.iter().map(|(_, line)| Block::Paragraph(line.clone()));
                blocks.push(Block::Quote(paragraphs.collect()));
            }
            Kind::Code(language) => {
                let text: Vec<String> = group.iter().map(|(_, line)| characters(line)).collect();
                blocks.push(Block::Code { language: language.clone(), text: text.join("\n") });
            }
            Kind::Item { .. } => blocks.extend(lists(group, 0)),
        }
    }
    blocks
}

/// Takes a text apart at its line breaks.
fn lines(runs: &[Run]) -> Vec<(Kind, Vec<Inline>)> {
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    for run in runs {
        match &run.piece {
            Piece::Text(text) => {
                let marks = marks(&run.format);
                let mut parts = text.split('\n').peekable();
                while let Some(part) = parts.next() {
                    if !part.is_empty() {
                        line.push(Inline::Text(part.to_owned(), marks.clone()));
                    }
                    if parts.peek().is_some() {
                        lines.push((kind(&run.format), std::mem::take(&mut line)));
                    }
                }
            }
            Piece::Embed(content) => line.extend(embed(content)),
        }
    }
    if !line.is_empty() {
        lines.push((Kind::Plain, line));
    }
    lines
}

fn kind(format: &Format) -> Kind {
    let indent = match format.get("indent").and_then(whole) {
        Some(indent) => usize::try_from(indent).unwrap_or(0).min(DEPTH_MAX - 1),
        None => 0,
    };
    if let Some(Any::String(list)) = format.get("list") {
        let (is_numbered, is_done) = match &**list {
            "ordered" => (true, None),
            "checked" => (false, Some(true)),
            "unchecked" => (false, Some(false)),
            _ => (false, None),
        };
        return Kind::Item { is_numbered, is_done, indent };
    }
    if let Some(level) = format.get("header").and_then(whole).filter(|level| *level > 0) {
        return Kind::Heading(level.clamp(1, 6) as u8);
    }
    match (format.get("code-block"), format.get("blockquote")) {
        (Some(Any::String(name)), _) if &**name != "plain" => Kind::Code(language(name)),
        (Some(Any::Bool(true) | Any::String(_)), _) => Kind::Code(None),
        (_, Some(Any::Bool(true))) => Kind::Quote,
        _ => Kind::Plain,
    }
}

/// Makes lists of lines that are items; those that are further in belong to the item before them.
fn lists(lines: &[(Kind, Vec<Inline>)], depth: usize) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut rest = lines;
    while let Some((Kind::Item { is_numbered, is_done, indent }, line)) = rest.first() {
        // Whoever begins further in than anybody before has nobody to belong to.
        let inner = |(kind, _): &&(Kind, Vec<Inline>)| matches!(kind, Kind::Item { indent: inner, .. } if inner > indent && *inner > depth);
        let count = rest[1..].iter().take_while(inner).count();
        let mut blocks = vec![Block::Paragraph(line.clone())];
        blocks.extend(lists(&rest[1..=count], depth + 1));
        rest = &rest[1 + count..];
        let item = Item { is_done: *is_done, blocks };
        match found.last_mut() {
            Some(Block::List { first, items }) if first.is_some() == *is_numbered => items.push(item),
            _ => found.push(Block::List { first: is_numbered.then_some(1), items: vec![item] }),
        }
    }
    found
}

fn embed(content: &Content) -> Option<Inline> {
    let Content::Value(Any::Map(members)) = content else { return None };
    let Some(Any::String(url)) = members.get("image") else { return None };
    let url = harmless(url)?.to_owned();
    Some(Inline::Image { url, alt: String::new(), title: String::new() })
}

fn marks(format: &Format) -> Marks {
    let is_set = |name: &str| matches!(format.get(name), Some(Any::Bool(true)));
    let link = match format.get("link") {
        Some(Any::String(url)) => link(url),
        _ => None,
    };
    let (bold, italic, strike, code) = (is_set("bold"), is_set("italic"), is_set("strike"), is_set("code"));
    Marks { link, bold, italic, strike, code }
}

fn characters(line: &[Inline]) -> String {
    let piece = |inline: &Inline| match inline {
        Inline::Text(text, _) => text.clone(),
        Inline::Break | Inline::Image { .. } => String::new(),
    };
    line.iter().map(piece).collect()
}

fn whole(any: &Any) -> Option<i64> {
    match any {
        Any::Number(yrs::Number::Int(value)) => Some(*value),
        #[expect(clippy::cast_possible_truncation, reason = "it is clamped to a few, and NaN is 0")]
        Any::Number(yrs::Number::Float(value)) => Some(*value as i64),
        Any::String(text) => text.parse().ok(),
        _ => None,
    }
}
