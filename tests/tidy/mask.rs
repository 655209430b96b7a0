//! Rust source with its comments and literals blanked out, so that what remains is code.

/// Returns `source` with each character of a comment, a string or a character literal replaced by a space.
///
/// Lines keep their numbers. It knows nested comments, raw strings, escapes, and lifetimes.
pub(super) fn mask(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut masked = String::with_capacity(source.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skipped_until(&chars, at);
        if end == at {
            masked.push(chars[at]);
            at += 1;
        } else {
            masked.extend(chars[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    masked
}

/// Returns the end of the comment or literal that begins at `at`, or `at` if none does.
fn skipped_until(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1).copied();
    match chars[at] {
        '/' if next == Some('/') => position(chars, at, |c| c == '\n'),
        '/' if next == Some('*') => comment_end(chars, at),
        '"' => string_end(chars, at),
        'r' if !continues_word(chars, at) => raw_string_end(chars, at),
        '\'' => char_end(chars, at),
        _ => at,
    }
}

fn position(chars: &[char], from: usize, is_end: impl Fn(char) -> bool) -> usize {
    chars[from..].iter().position(|&c| is_end(c)).map_or(chars.len(), |found| from + found)
}

fn comment_end(chars: &[char], start: usize) -> usize {
    let mut depth = 0_u32;
    let mut at = start;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn string_end(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// The string ends at a quote followed by as many hashes as came before the first; `r#name` is no string.
fn raw_string_end(chars: &[char], start: usize) -> usize {
    let hashes = chars[start + 1..].iter().take_while(|&&c| c == '#').count();
    let quote = start + 1 + hashes;
    if chars.get(quote) != Some(&'"') {
        return start;
    }
    let closes = |at: &usize| {
        let tail = chars.get(at + 1..at + 1 + hashes);
        chars[*at] == '"' && tail.is_some_and(|tail| tail.iter().all(|&c| c == '#'))
    };
    (quote + 1..chars.len()).find(closes).map_or(chars.len(), |at| at + 1 + hashes)
}

/// A quote begins a literal if an escape follows, or one character and the closing quote; else it begins a lifetime.
fn char_end(chars: &[char], start: usize) -> usize {
    match (chars.get(start + 1), chars.get(start + 2)) {
        (Some('\\'), Some(_)) => (position(chars, start + 3, |c| c == '\'') + 1).min(chars.len()),
        (Some(_), Some('\'')) => start + 3,
        _ => start,
    }
}

/// Returns whether the character at `at` goes on a word, with `b` and `c` before a string taken for part of the string.
fn continues_word(chars: &[char], at: usize) -> bool {
    let is_word =
        |back: usize| at.checked_sub(back).is_some_and(|at| chars[at].is_alphanumeric() || chars[at] == '_');
    let is_prefix = at > 0 && matches!(chars[at - 1], 'b' | 'c');
    if is_prefix { is_word(2) } else { is_word(1) }
}

#[test]
fn comments_and_literals_are_blank() {
    for (source, masked) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"f("{ \" }", '{', '\'')"#, "f(        ,    ,     )"),
        ("r##\"a\"# b\"## c br\"d\"", "             c b    "),
        ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
        ("r#fn, for", "r#fn, for"),
    ] {
        assert_eq!(mask(source), masked);
    }
}
