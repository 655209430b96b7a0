//! Writes what stands in a line, so that exactly its characters are read again.
//!
//! What Markdown could take for a mark is escaped. Whether a delimiter (`**`, `_`, `~~`) opens or closes something depends on the characters
//! at both sides of it (`CommonMark` 0.31.2, 6.2); where they are not as they must be, one of them is written as a character reference,
//! which counts as punctuation.

use std::sync::Arc;

use super::{BYTES_MAX, Inline, Marks, harmless};

/// What a character is to a delimiter beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// White space, or the beginning or end of a line.
    Space,
    Punctuation,
    Letter,
}

/// A delimiter: it begins or ends a stretch of text.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Delimiter {
    Opens(Mark),
    Closes(Mark),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Mark {
    Link(Arc<str>),
    Bold,
    Italic,
    Strike,
}

/// Where the line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Paragraph,
    Heading,
    Cell,
}

/// Writes a paragraph, whose lines are those that its breaks make.
pub(super) fn paragraph(line: &[Inline]) -> String {
    Line::new(Place::Paragraph).write(line)
}

/// Writes a heading.
pub(super) fn in_one_line(line: &[Inline]) -> String {
    Line::new(Place::Heading).write(line)
}

/// Writes a cell of a table.
pub(super) fn cell(line: &[Inline]) -> String {
    Line::new(Place::Cell).write(line)
}

/// Returns whether nothing would be written.
pub(super) fn is_empty(line: &[Inline]) -> bool {
    trimmed(line).is_empty()
}

/// Returns how often a character stands behind itself, at most.
pub(super) fn longest_run(text: &str, of: char) -> usize {
    text.split(|char| char != of).map(str::len).max().unwrap_or(0)
}

/// Leaves out what is empty, and breaks that have nothing before or behind them.
fn trimmed(line: &[Inline]) -> Vec<&Inline> {
    let is_there = |inline: &&Inline| !matches!(inline, Inline::Text(text, _) if text.is_empty());
    let mut line: Vec<&Inline> = line.iter().filter(is_there).collect();
    while line.last().is_some_and(|last| **last == Inline::Break) {
        line.pop();
    }
    let breaks = line.iter().take_while(|first| ***first == Inline::Break).count();
    line.split_off(breaks)
}

/// A line that is being written.
struct Line {
    place: Place,
    out: String,
    open: Vec<Mark>,
    /// The last character, of which it is not known yet how it is written.
    last: Option<Last>,
    /// What has been written last, but for [`last`](Self::last).
    class: Class,
    /// The next character is written as a reference.
    encode_next: bool,
    start: Start,
}

struct Last {
    char: char,
    escape: Escape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    No,
    Backslash,
    Reference,
}

/// What the line holds so far: only there some characters mean something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Nothing,
    Digits,
    Past,
}

impl Line {
    const fn new(place: Place) -> Self {
        Self {
            place,
            out: String::new(),
            open: Vec::new(),
            last: None,
            class: Class::Space,
            encode_next: false,
            start: Start::Nothing,
        }
    }

    /// Ends early where it is too long for anybody.
    fn write(mut self, line: &[Inline]) -> String {
        for inline in trimmed(line) {
            if self.out.len() > BYTES_MAX {
                break;
            }
            match inline {
                Inline::Text(text, marks) => self.text(text, marks),
                Inline::Break => self.end_of_line(true),
                Inline::Image { url, alt, title } => self.image(url, alt, title),
            }
        }
        self.end_of_line(false);
        self.out
    }

    fn text(&mut self, text: &str, marks: &Marks) {
        let is_code = marks.code && self.may_be_code(text, marks);
        let first =
            if is_code { Class::Punctuation } else { text.chars().next().map_or(Class::Space, class) };
        // What is before one delimiter and behind another may still become a reference for the sake of the other.
        let is_between = text.chars().nth(1).is_none();
        let next = if is_between { &[first, Class::Punctuation][..] } else { &[first] };
        self.turn(marked(marks), next);
        if is_code {
            self.put_char_whole();
            self.encode_next = false;
            let fence = "`".repeat(longest_run(text, '`') + 1);
            // One space at both ends is no part of the code.
            let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
            self.raw(&format!("{fence}{pad}{text}{pad}{fence}"));
        } else {
            text.chars().for_each(|char| self.char(char));
        }
    }

    /// Characters of code are written as they are: some cannot be.
    fn may_be_code(&self, text: &str, marks: &Marks) -> bool {
        let is_odd = |char: char| char.is_control() || self.place == Place::Cell && "|\\".contains(char);
        // What is all white space has no end at which one could be left out. Two codes side by side would be one.
        let is_blank = text.trim().is_empty();
        let touches = self.last.is_none() && self.out.ends_with('`') && self.open == marked(marks);
        // A paragraph that begins with such a link would be what links elsewhere are defined by.
        let is_definition = marks.link.is_some() && text.contains("]:");
        !is_blank && !touches && !text.contains(is_odd) && !is_definition
    }

    fn image(&mut self, url: &str, alt: &str, title: &str) {
        self.turn(Vec::new(), &[Class::Punctuation]);
        self.put_char_whole();
        let mut described = Self { start: Start::Past, ..Self::new(self.place) };
        described.raw("![");
        alt.chars().for_each(|char| described.char(char));
        described.put_char_whole();
        self.raw(&described.out);
        let title = match title {
            "" => String::new(),
            title => format!(
                " \"{}\"",
                title.chars().map(|char| reference_or(char, "\"\\&<>|`")).collect::<String>()
            ),
        };
        self.raw(&format!("]({}{title})", destination(url)));
    }

    /// Ends the line, for another one or for good.
    fn end_of_line(&mut self, goes_on: bool) {
        let is_inline = goes_on && self.place != Place::Paragraph;
        self.turn(Vec::new(), &[if goes_on { Class::Punctuation } else { Class::Space }]);
        if let Some(last) = &mut self.last
            && (last.char.is_whitespace() || last.char == '#' && self.place == Place::Heading)
        {
            last.escape = Escape::Reference;
        }
        self.put_char_whole();
        if is_inline {
            self.raw("<br>");
        } else if goes_on {
            self.raw("\\\n");
            (self.class, self.start) = (Class::Space, Start::Nothing);
        }
    }

    /// Closes and opens marks, so that those are open which what comes next has. That is one of these, whichever.
    fn turn(&mut self, wanted: Vec<Mark>, next: &[Class]) {
        let same = self.open.iter().zip(&wanted).take_while(|(open, wanted)| open == wanted).count();
        if same == self.open.len() && same == wanted.len() {
            return;
        }
        let closed = self.open[same..].iter().rev().cloned().map(Delimiter::Closes);
        let opened = wanted[same..].iter().cloned().map(Delimiter::Opens);
        let delimiters: Vec<Delimiter> = closed.chain(opened).collect();
        let before = self.last.as_ref().map_or(self.class, |last| match last.escape {
            Escape::No => class(last.char),
            Escape::Backslash | Escape::Reference => Class::Punctuation,
        });
        let ways = [(false, false), (true, false), (false, true), (true, true)];
        let encoded = |class, is_encoded| if is_encoded { Class::Punctuation } else { class };
        let fits = |(last, first): &(bool, bool)| {
            let before = encoded(before, *last);
            next.iter().all(|next| are_seen(&delimiters, before, encoded(*next, *first)))
        };
        let (encode_last, encode_next) = ways.into_iter().find(fits).unwrap_or((true, true));
        let opens_link = delimiters.iter().any(|it| matches!(it, Delimiter::Opens(Mark::Link(_))));
        if let Some(last) = &mut self.last
            && (encode_last || !is_plain(last.char) || opens_link && last.char == '!')
        {
            last.escape = Escape::Reference;
        }
        self.put_char_whole();
        self.encode_next = encode_next;
        for delimiter in delimiters {
            self.raw(&match delimiter {
                Delimiter::Opens(Mark::Link(_)) => "[".to_owned(),
                Delimiter::Closes(Mark::Link(url)) => {
                    format!("]({})", destination(harmless(&url).unwrap_or_default()))
                }
                Delimiter::Opens(mark) | Delimiter::Closes(mark) => mark.sign().to_owned(),
            });
            self.start = Start::Past;
        }
        self.open = wanted;
    }

    fn char(&mut self, char: char) {
        let is_first = self.last.is_none();
        self.put_char();
        // Nobody can write it in Markdown.
        let char = if char == '\0' { char::REPLACEMENT_CHARACTER } else { char };
        let is_beside_delimiter = is_first && !self.out.is_empty();
        let at_start = self.start;
        self.start = match (at_start, char) {
            (Start::Nothing | Start::Digits, '0'..='9') => Start::Digits,
            _ => Start::Past,
        };
        let escape = match char {
            _ if std::mem::take(&mut self.encode_next) => Escape::Reference,
            '`' => Escape::Reference,
            '|' if self.place == Place::Cell => Escape::Reference,
            char if char.is_control() => Escape::Reference,
            char if at_start == Start::Nothing && char.is_whitespace() => Escape::Reference,
            char if is_beside_delimiter && !is_plain(char) => Escape::Reference,
            '^' if self.out.ends_with('[') => Escape::Reference,
            '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '~' | '|' => Escape::Backslash,
            '#' | '+' | '-' | '=' | ':' if at_start == Start::Nothing => Escape::Backslash,
            '.' | ')' if at_start == Start::Digits => Escape::Backslash,
            '#' if self.place == Place::Heading => Escape::Backslash,
            _ => Escape::No,
        };
        self.last = Some(Last { char, escape });
    }

    /// Writes the last character, which another one follows.
    fn put_char(&mut self) {
        let Some(Last { char, escape }) = self.last.take() else { return };
        match escape {
            Escape::No => self.out.push(char),
            Escape::Backslash => self.out.extend(['\\', char]),
            Escape::Reference => self.out.push_str(&reference(char)),
        }
    }

    /// Writes the last character, which something else follows.
    fn put_char_whole(&mut self) {
        self.put_char();
        self.class = Class::Punctuation;
    }

    fn raw(&mut self, text: &str) {
        self.out.push_str(text);
        (self.class, self.start) = (Class::Punctuation, Start::Past);
    }
}

impl Mark {
    const fn sign(&self) -> &'static str {
        match self {
            Self::Link(_) => "",
            Self::Bold => "**",
            Self::Italic => "_",
            Self::Strike => "~~",
        }
    }
}

/// Marks from the outermost on, always in one order: so no delimiter stands beside another of its kind.
fn marked(marks: &Marks) -> Vec<Mark> {
    let link = marks.link.clone().map(Mark::Link);
    let bold = marks.bold.then_some(Mark::Bold);
    let italic = marks.italic.then_some(Mark::Italic);
    let strike = marks.strike.then_some(Mark::Strike);
    link.into_iter().chain(bold).chain(italic).chain(strike).collect()
}

/// Returns whether delimiters between these are taken for what they are.
fn are_seen(delimiters: &[Delimiter], before: Class, next: Class) -> bool {
    delimiters.iter().enumerate().all(|(at, delimiter)| {
        let before = if at > 0 { Class::Punctuation } else { before };
        let next = if at + 1 < delimiters.len() { Class::Punctuation } else { next };
        let (inside, outside, mark) = match delimiter {
            Delimiter::Opens(mark) => (next, before, mark),
            Delimiter::Closes(mark) => (before, next, mark),
        };
        match mark {
            Mark::Link(_) => true,
            Mark::Bold | Mark::Strike => {
                inside != Class::Space && (inside != Class::Punctuation || outside != Class::Letter)
            }
            Mark::Italic => inside != Class::Space && outside != Class::Letter,
        }
    })
}

fn class(char: char) -> Class {
    match char {
        ' ' => Class::Space,
        char if char.is_alphanumeric() => Class::Letter,
        // Whatever else it is, it will be written as a reference.
        _ => Class::Punctuation,
    }
}

/// Returns whether everyone agrees on what a character is to a delimiter.
fn is_plain(char: char) -> bool {
    char == ' ' || char.is_ascii_punctuation() || char.is_alphanumeric()
}

fn reference(char: char) -> String {
    format!("&#{};", u32::from(char))
}

fn reference_or(char: char, odd: &str) -> String {
    if char.is_control() || odd.contains(char) { reference(char) } else { char.to_string() }
}

/// Writes an address so that it ends where it ends.
fn destination(url: &str) -> String {
    let mut written = String::with_capacity(url.len());
    for char in url.chars() {
        if char.is_control() || char.is_whitespace() || "<>()\\`|\"[]*_~".contains(char) {
            let mut bytes = [0; 4];
            char.encode_utf8(&mut bytes).bytes().for_each(|byte| written.push_str(&format!("%{byte:02X}")));
        } else if char == '&' {
            written.push_str("&amp;");
        } else {
            written.push(char);
        }
    }
    written
}
