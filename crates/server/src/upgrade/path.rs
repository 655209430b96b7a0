//! What a URL says: the name of a room, and parameters.

const PREFIX: &str = "/yjs/";

/// Returns the name in a raw path: all that follows `/yjs/`, percent-decoded once. An escape that is malformed, or part
/// of bytes that are not UTF-8, stands for itself. Returns nothing if the name is missing.
pub(super) fn room_name(path: &str) -> Option<String> {
    let raw = path.strip_prefix(PREFIX)?;
    (!raw.is_empty()).then(|| percent_decode(raw))
}

/// Returns the name in a raw path of y-sweet's: its clients append it to `/d/{name}/ws`, or to the older `/doc/ws`. Returns nothing if
/// the name is missing, or the two differ.
pub(super) fn y_sweet_name(path: &str) -> Option<String> {
    let (name, again) = match path.strip_prefix("/d/") {
        Some(rest) => {
            let (name, rest) = rest.split_once('/')?;
            (Some(name), rest.strip_prefix("ws/")?)
        }
        None => (None, path.strip_prefix("/doc/ws/")?),
    };
    let again = percent_decode(again);
    let is_one = name.is_none_or(|name| percent_decode(name) == again);
    (is_one && !again.is_empty()).then_some(again)
}

/// Returns the first parameter of this name in a raw query, percent-decoded.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| percent_decode(value))
}

fn percent_decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (literal, escapes) = rest.split_at(at);
        out.push_str(literal);
        let bytes: Vec<u8> = escapes.as_bytes().chunks(3).map_while(escaped_byte).collect();
        if bytes.is_empty() {
            out.push('%');
            rest = &escapes[1..];
            continue;
        }
        let (run, after) = escapes.split_at(3 * bytes.len());
        push_decoded(&mut out, run, &bytes);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Returns the byte that three characters stand for, if they are an escape.
fn escaped_byte(escape: &[u8]) -> Option<u8> {
    let &[b'%', high, low] = escape else { return None };
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// Appends the text of a run of escapes, whose bytes are `bytes`, with what is not UTF-8 as it was written.
fn push_decoded(out: &mut String, run: &str, bytes: &[u8]) {
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        at += chunk.valid().len();
        let invalid = chunk.invalid().len();
        out.push_str(&run[3 * at..3 * (at + invalid)]);
        at += invalid;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_the_path_is_decoded_once() {
        let check = |path: &str, want: Option<&str>| assert_eq!(room_name(path).as_deref(), want, "{path}");
        check("/yjs/notes", Some("notes"));
        check("/yjs/a/b//c", Some("a/b//c"));
        check("/yjs/a%2Fb", Some("a/b"));
        check("/yjs/%23%3F%20", Some("#? "));
        check("/yjs/%C3%BC-%F0%9F%99%82", Some("ü-🙂"));
        check("/yjs/%2541", Some("%41"));
        check("/yjs/", None);
        check("/other/notes", None);
    }

    #[test]
    fn a_document_of_y_sweet_is_named_once_or_twice() {
        let check =
            |path: &str, want: Option<&str>| assert_eq!(y_sweet_name(path).as_deref(), want, "{path}");
        check("/d/plan/ws/plan", Some("plan"));
        check("/d/team%2Fplan/ws/team/plan", Some("team/plan"));
        check("/d/a%20b/ws/a%20b", Some("a b"));
        check("/d/ws/ws/ws", Some("ws"));
        check("/d/plan/ws/other", None);
        check("/d/plan/ws/", None);
        check("/d/plan/other/plan", None);
        check("/d/plan", None);
        check("/doc/ws/plan", Some("plan"));
        check("/doc/ws/team/plan", Some("team/plan"));
        check("/doc/ws/", None);
        check("/yjs/plan", None);
    }

    #[test]
    fn a_parameter_is_found_by_its_name() {
        let check = |query: &str, want: Option<&str>| {
            assert_eq!(parameter(query, "token").as_deref(), want, "{query}");
        };
        check("token=a%2Fb", Some("a/b"));
        check("x=1&token=a&token=b", Some("a"));
        check("tokens=a&token", None);
        check("", None);
    }

    #[test]
    fn what_is_no_escape_stands_for_itself() {
        let check = |raw: &str, want: &str| assert_eq!(percent_decode(raw), want, "{raw}");
        check("100%", "100%");
        check("100%2", "100%2");
        check("%zz%41", "%zzA");
        check("%%41", "%A");
        check("%ü", "%ü");
        check("%C3", "%C3");
        check("%FFa%41%FE", "%FFaA%FE");
        check("%C3%BC%C3%28", "ü%C3(");
    }
}
