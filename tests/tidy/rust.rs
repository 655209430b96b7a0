//! What the rules need to know of a Rust source: its functions, its words, and which part of it is tests.

use std::path::Path;

use super::mask::mask;
use super::tree;

/// A source file without its comments and literals.
pub(super) struct Code(String);

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    /// The line of its `fn`, from 1.
    pub(super) line: usize,
    /// From the line of `fn` to that of the closing brace.
    pub(super) lines: usize,
}

impl Code {
    pub(super) fn parse(source: &str) -> Self {
        Self(mask(source))
    }

    /// Splits into what ships and what is compiled for tests only; both keep their line numbers.
    pub(super) fn split_tests(&self) -> (Self, Self) {
        let (mut shipped, mut tests) = (self.0.clone(), blank(&self.0));
        for attribute in ["#[cfg(test)]", "#[test]"] {
            for (start, _) in self.0.match_indices(attribute) {
                let end = item_end(&self.0, start + attribute.len());
                shipped.replace_range(start..end, &blank(&self.0[start..end]));
                tests.replace_range(start..end, &self.0[start..end]);
            }
        }
        (Self(shipped), Self(tests))
    }

    /// Returns the lines on which `pattern` stands, from 1; where it begins or ends with a letter it must be a whole word.
    pub(super) fn lines_with(&self, pattern: &str) -> Vec<usize> {
        let found = self.0.match_indices(pattern).filter(|(at, _)| is_whole(&self.0, *at, pattern.len()));
        let mut lines: Vec<usize> = found.map(|(at, _)| line_of(&self.0, at)).collect();
        lines.dedup();
        lines
    }

    /// Returns each place of each pattern as a breach to report: `src/lib.rs:7: `tokio``.
    pub(super) fn places_of(&self, path: &Path, patterns: &[&str]) -> Vec<String> {
        let lines = patterns
            .iter()
            .flat_map(|&pattern| self.lines_with(pattern).into_iter().map(move |line| (line, pattern)));
        lines.map(|(line, pattern)| format!("{}:{line}: `{pattern}`", tree::shown(path))).collect()
    }

    /// Returns the functions with a body, in order.
    pub(super) fn functions(&self) -> Vec<Function> {
        let code = &self.0;
        let keywords = code.match_indices("fn ").filter(|(at, _)| is_whole(code, *at, 2));
        let found = keywords.filter_map(|(at, _)| {
            let name: String = code[at + 3..].trim_start().chars().take_while(|&c| is_word(c)).collect();
            let end = item_end(code, at);
            let is_function = !name.is_empty() && code[..end].ends_with('}');
            let line = line_of(code, at);
            is_function.then(|| Function { name, line, lines: line_of(code, end - 1) - line + 1 })
        });
        found.collect()
    }
}

/// Returns the end of the item that goes on at `from`: its closing brace, or the semicolon of one without a body.
fn item_end(code: &str, from: usize) -> usize {
    let (mut braces, mut others) = (0_u32, 0_u32);
    for (at, c) in code[from..].char_indices() {
        match c {
            '(' | '[' => others += 1,
            ')' | ']' => others = others.saturating_sub(1),
            '{' => braces += 1,
            '}' if braces <= 1 => return from + at + 1,
            '}' => braces -= 1,
            ';' if braces == 0 && others == 0 => return from + at + 1,
            _ => {}
        }
    }
    code.len()
}

fn blank(code: &str) -> String {
    // Byte for byte, so that ranges in one text hold in the other.
    code.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

fn is_whole(code: &str, at: usize, len: usize) -> bool {
    let joins = |a: Option<char>, b: Option<char>| a.is_some_and(is_word) && b.is_some_and(is_word);
    let (before, pattern, after) = (&code[..at], &code[at..at + len], &code[at + len..]);
    let starts_inside = joins(before.chars().next_back(), pattern.chars().next());
    let ends_inside = joins(pattern.chars().next_back(), after.chars().next());
    !starts_inside && !ends_inside
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
fn short() -> [u8; 2] {
    \"}\"; '{'
}
trait T { fn no_body(&self); }
#[cfg(test)]
mod tests {
    fn helper() { tokio::spawn() }
}
fn last() {}
";

    #[test]
    fn functions_have_their_lines() {
        let found = Code::parse(SOURCE).functions();
        let found: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.line, f.lines)).collect();
        assert_eq!(found, [("short", 1, 3), ("helper", 7, 1), ("last", 9, 1)]);
    }

    #[test]
    fn tests_are_split_off() {
        let code = Code::parse(SOURCE);
        let (shipped, tests) = code.split_tests();
        assert_eq!(code.lines_with("tokio"), [7]);
        assert_eq!(shipped.lines_with("tokio"), [0; 0]);
        assert_eq!(tests.lines_with("tokio"), [7]);
        assert_eq!(shipped.lines_with("last"), [9]);
    }

    #[test]
    fn words_are_whole() {
        let code = Code::parse("operand\nrand::rng()\nfsync\nstd::fs::read\n");
        assert_eq!(code.lines_with("rand"), [2]);
        assert_eq!(code.lines_with("fs::"), [4]);
    }
}
