//! Writes blocks: their marks at the beginning of lines, and what keeps them apart.

use super::{BYTES_MAX, Block, Inline, Item, MarkdownError, inline};

/// Writes blocks as Markdown.
pub(super) fn write(blocks: &[Block]) -> Result<String, MarkdownError> {
    let mut writer = Writer::default();
    writer.blocks(blocks)?;
    Ok(writer.out)
}

#[derive(Default)]
struct Writer {
    out: String,
    /// What each line begins with, from the outermost list or quote on.
    prefixes: Vec<Prefix>,
}

struct Prefix {
    /// What the next line begins with, if that is not what all behind it do.
    first: Option<String>,
    rest: String,
}

impl Writer {
    fn blocks(&mut self, blocks: &[Block]) -> Result<(), MarkdownError> {
        let mut before: Option<(&Block, bool)> = None;
        for block in blocks.iter().filter(|block| !is_empty(block)) {
            // Two lists of one kind, one behind the other, would be one.
            let is_other = match (before, block) {
                (Some((Block::List { first: last, .. }, was_other)), Block::List { first, .. }) => {
                    last.is_some() == first.is_some() && !was_other
                }
                _ => false,
            };
            if before.is_some_and(|(before, _)| !may_follow_at_once(before, block, self.is_in_item())) {
                self.line("")?;
            }
            self.block(block, is_other)?;
            before = Some((block, is_other));
        }
        Ok(())
    }

    fn is_in_item(&self) -> bool {
        self.prefixes.last().is_some_and(|prefix| prefix.rest.trim().is_empty())
    }

    fn block(&mut self, block: &Block, is_other: bool) -> Result<(), MarkdownError> {
        match block {
            Block::Paragraph(line) => self.lines(&inline::paragraph(line)),
            Block::Heading(level, line) => {
                let marks = "#".repeat(usize::from(*level));
                self.line(&format!("{marks} {}", inline::in_one_line(line)))
            }
            Block::Code { language, text } => self.code(language.as_deref().unwrap_or_default(), text),
            // Behind the mark of an item `-` and `*` would make one rule of both.
            Block::Rule => self.line("___"),
            Block::Quote(blocks) => self.within("> ".into(), "> ".into(), blocks),
            Block::List { first, items } => self.list(*first, items, is_other),
            Block::Table(rows) => self.table(rows),
        }
    }

    fn code(&mut self, language: &str, text: &str) -> Result<(), MarkdownError> {
        let fence = "`".repeat(inline::longest_run(text, '`').max(2) + 1);
        let is_word = |char: char| char.is_ascii_alphanumeric() || "+-#._".contains(char);
        let language = if language.chars().all(is_word) { language } else { "" };
        self.line(&format!("{fence}{language}"))?;
        if !text.is_empty() {
            // Nobody can write the last one in Markdown.
            let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "\u{fffd}");
            self.lines(&text)?;
        }
        self.line(&fence)
    }

    fn list(&mut self, first: Option<u32>, items: &[Item], is_other: bool) -> Result<(), MarkdownError> {
        let is_tight = items.iter().all(is_tight);
        for (at, item) in items.iter().enumerate() {
            if at > 0 && !is_tight {
                self.line("")?;
            }
            let marker = match (first, is_other) {
                (None, false) => "- ".to_owned(),
                (None, true) => "* ".to_owned(),
                (Some(first), is_other) => {
                    let number = u64::from(first).saturating_add(at as u64).min(999_999_999);
                    format!("{number}{} ", if is_other { ")" } else { "." })
                }
            };
            let rest = " ".repeat(marker.len());
            self.item(marker, rest, item)?;
        }
        Ok(())
    }

    fn item(&mut self, marker: String, rest: String, item: &Item) -> Result<(), MarkdownError> {
        let blocks: Vec<&Block> = item.blocks.iter().filter(|block| !is_empty(block)).collect();
        if blocks.is_empty() {
            // Marks of items with nothing behind them would make a rule, as in `- - -`, and parsers do not agree on what comes behind them
            // in a quote.
            let is_within = !self.prefixes.is_empty();
            self.prefixes.push(Prefix { first: Some(marker), rest });
            let written = self.line(if is_within { "<!-- -->" } else { "" });
            self.prefixes.pop();
            return written;
        }
        // Only a paragraph can have a box before it.
        let shown = match (item.is_done, blocks.first()) {
            (Some(true), Some(Block::Paragraph(_))) => "[x] ",
            (Some(false), Some(Block::Paragraph(_))) => "[ ] ",
            _ => "",
        };
        self.within(format!("{marker}{shown}"), rest, &item.blocks)
    }

    fn within(&mut self, first: String, rest: String, blocks: &[Block]) -> Result<(), MarkdownError> {
        self.prefixes.push(Prefix { first: Some(first), rest });
        let written = self.blocks(blocks);
        self.prefixes.pop();
        written
    }

    fn table(&mut self, rows: &[Vec<Vec<Inline>>]) -> Result<(), MarkdownError> {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        for (at, row) in rows.iter().enumerate() {
            let mut line = String::from("|");
            for column in 0..columns {
                let cell = row.get(column).map_or(String::new(), |cell| inline::cell(cell));
                line.push_str(&format!(" {cell} |"));
                if line.len() > BYTES_MAX {
                    return Err(MarkdownError::TooLong);
                }
            }
            self.line(&line)?;
            if at == 0 {
                self.line(&format!("|{}", " --- |".repeat(columns)))?;
            }
        }
        Ok(())
    }

    fn lines(&mut self, text: &str) -> Result<(), MarkdownError> {
        text.split('\n').try_for_each(|line| self.line(line))
    }

    fn line(&mut self, text: &str) -> Result<(), MarkdownError> {
        for prefix in &mut self.prefixes {
            match prefix.first.take() {
                Some(first) => self.out.push_str(&first),
                None => self.out.push_str(&prefix.rest),
            }
        }
        self.out.push_str(text);
        if text.is_empty() {
            let length = self.out.trim_end_matches(' ').len();
            self.out.truncate(length);
        }
        self.out.push('\n');
        if self.out.len() > BYTES_MAX { Err(MarkdownError::TooLong) } else { Ok(()) }
    }
}

/// Returns whether nothing would be written of a block.
fn is_empty(block: &Block) -> bool {
    match block {
        Block::Paragraph(line) | Block::Heading(_, line) => inline::is_empty(line),
        Block::Quote(blocks) => blocks.iter().all(is_empty),
        Block::List { items, .. } => items.is_empty(),
        Block::Table(rows) => rows.iter().all(Vec::is_empty),
        Block::Code { .. } | Block::Rule => false,
    }
}

/// Returns whether an item has no empty line in it.
fn is_tight(item: &Item) -> bool {
    let blocks: Vec<&Block> = item.blocks.iter().filter(|block| !is_empty(block)).collect();
    blocks.windows(2).all(|pair| may_follow_at_once(pair[0], pair[1], true))
}

/// Returns whether no empty line is needed between two blocks: a list behind the text of its item. A list with another number than 1
/// would go on with the text (`CommonMark`, 5.3), and so would one whose first item is empty.
fn may_follow_at_once(before: &Block, block: &Block, in_item: bool) -> bool {
    let Block::List { first, items } = block else { return false };
    let begins = items.first().is_some_and(|item| item.blocks.iter().any(|block| !is_empty(block)));
    in_item && matches!(before, Block::Paragraph(_)) && begins && matches!(first, None | Some(1))
}
