//! What is said of a file that is wrong: where, and what belongs there, and never what stands there. A secret may stand at the wrong
//! place.

use toml::{Table, Value, de::Error};

/// What the errors of serde begin with that show a value. What belongs there follows.
const SHOWING: [&str; 3] = ["invalid type: ", "invalid value: ", "unknown variant "];

/// What those begin with that show keys alone.
const OF_KEYS: [&str; 3] = ["unknown field ", "missing field ", "duplicate field "];

/// What is said where nothing else can be said.
const UNFIT: &str = "what stands there does not belong there";

/// Returns the line at which a file is wrong, counted from 1, and what is wrong with it.
pub(super) fn told(text: &str, error: &Error) -> (usize, String) {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let there = error.span().and_then(|span| text.get(span)).unwrap_or_default();
    let why = without_values(text, there, error.message());
    match key_before(before) {
        Some(key) => (line, format!("`{key}`: {why}")),
        None => (line, why),
    }
}

/// Returns the key whose value begins here, if the line begins with it.
fn key_before(before: &str) -> Option<&str> {
    let line = before.rsplit('\n').next()?;
    let key = line.trim_end().strip_suffix('=')?.trim();
    let is_key = |key: &str| key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    Some(key).filter(|key| is_key(key))
}

/// Returns what a message says without the value that is there; where none is, as in the head of a table, without those of the file.
fn without_values(text: &str, there: &str, message: &str) -> String {
    if SHOWING.iter().any(|showing| message.starts_with(showing)) {
        // The value comes first, whatever is in it.
        let expected = message.rsplit_once("expected ").map(|(_, expected)| format!("expected {expected}"));
        return expected.unwrap_or_else(|| UNFIT.to_owned());
    }
    if OF_KEYS.iter().any(|of_keys| message.starts_with(of_keys)) {
        return message.to_owned();
    }
    // Our own say what belongs there, but for a few. What is no TOML has no values, and its errors show none.
    let values = format!("there = {there}").parse::<Table>().or_else(|_| text.parse::<Table>());
    let shows = values.is_ok_and(|table| shows_one_of(message, table.values()));
    if shows { UNFIT.to_owned() } else { message.to_owned() }
}

fn shows_one_of<'a>(message: &str, mut values: impl Iterator<Item = &'a Value>) -> bool {
    values.any(|value| match value {
        Value::String(text) => !text.is_empty() && message.contains(text.as_str()),
        Value::Array(values) => shows_one_of(message, values.iter()),
        Value::Table(table) => shows_one_of(message, table.values()),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error may stand at the head of a table, and be about a value in it.
    #[test]
    fn what_is_said_of_a_table_shows_none_of_its_values() {
        let text = "[types.note]\nrule = 'canary'\n";
        assert_eq!(without_values(text, "[types.note]", "no rule is `canary`"), UNFIT);
        assert_eq!(without_values(text, "'canary'", "no rule is `canary`"), UNFIT);
        assert_eq!(
            without_values(text, "'weekly'", "a rule is `canary` or none"),
            "a rule is `canary` or none"
        );
    }
}
