//! Who someone says they are: the field `user` of a presence, as editors with a Yjs binding show it.

mod named;

use serde_json::Value;

pub use self::named::with_name;
use crate::limits::PERSON_NAME_CHARS_MAX;

/// A name and a colour that one client gave itself. Nobody has checked them; both are safe to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person {
    /// At most [`PERSON_NAME_CHARS_MAX`] characters, none of which controls anything; empty if there was none.
    pub name: String,
    /// `#` and three to eight hexadecimal digits, in lower case.
    pub color: Option<String>,
}

impl Person {
    /// Reads the person out of an awareness state, or nothing if it holds none. What is no name or no colour is left out.
    #[must_use]
    pub fn of_state(json: &str) -> Option<Self> {
        let state: Value = serde_json::from_str(json).ok()?;
        let user = state.get("user")?.as_object()?;
        let text = |key: &str| user.get(key).and_then(Value::as_str);
        Some(Self { name: text("name").map(tame).unwrap_or_default(), color: text("color").and_then(color) })
    }
}

fn tame(name: &str) -> String {
    let shown: String =
        name.trim().chars().filter(|&c| !c.is_control() && !directs(c)).take(PERSON_NAME_CHARS_MAX).collect();
    shown.trim().to_owned()
}

/// Returns whether a character changes the direction of the text after it, which would reach beyond the name.
fn directs(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn color(text: &str) -> Option<String> {
    let digits = text.strip_prefix('#')?;
    let valid = (3..=8).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    valid.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, want: Option<(&str, Option<&str>)>) {
        let want = want.map(|(name, color)| Person { name: name.into(), color: color.map(Into::into) });
        assert_eq!(Person::of_state(json), want, "{json}");
    }

    #[test]
    fn editors_say_who_is_there() {
        check(
            r##"{"user":{"name":"Ada","color":"#30BCED","colorLight":"#30bced33"}}"##,
            Some(("Ada", Some("#30bced"))),
        );
        check(
            r##"{"user":{"name":" Zoë 🙂 ","color":"#abc"},"cursor":null}"##,
            Some(("Zoë 🙂", Some("#abc"))),
        );
        check(r#"{"user":{}}"#, Some(("", None)));
        check(r#"{"user":"Ada"}"#, None);
        check("{}", None);
        check("null", None);
        check("[", None);
    }

    #[test]
    fn what_would_not_be_safe_to_show_is_left_out() {
        check(r#"{"user":{"name":7,"color":"red"}}"#, Some(("", None)));
        for color in ["", "#", "#ab", "#123456789", "#00000g", "123456", "#fff;position:fixed", "#ﬀf"] {
            check(&format!(r#"{{"user":{{"name":"x","color":"{color}"}}}}"#), Some(("x", None)));
        }
        check(r#"{"user":{"name":"a\u202eb\u0000c\n"}}"#, Some(("abc", None)));
        let long = "é".repeat(PERSON_NAME_CHARS_MAX + 1);
        let json = format!(r#"{{"user":{{"name":"{long}"}}}}"#);
        check(&json, Some((&"é".repeat(PERSON_NAME_CHARS_MAX), None)));
    }
}
