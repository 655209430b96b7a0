//! Scan of JSON text: RFC 8259, strictly, with bounded depth.
//!
//! JSON is in awareness states and, in a V1 update, in embeds and in the values of formats. serde_json, which yrs
//! reads the latter with, recurses; this scan keeps its nesting in the bits of one integer.

use super::{Fidelity, Malformed};
use crate::limits::VALUE_DEPTH_MAX;

/// What a JSON text may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonRules {
    /// All that RFC 8259 allows.
    Rfc8259,
    /// All of that but `\u` escapes of half a surrogate pair, which are no text.
    Text,
    /// Only what yrs 0.28 reads without error: no whole numbers from 2^63 to 2^64 - 1, no numbers too large for
    /// an `f64`, no `\u` escape of half a surrogate pair.
    ///
    /// yrs reads JSON with serde_json, which must have its feature `float_roundtrip`: without it floats are read a
    /// unit or two off, change each time that a document is stored, and the greatest become unreadable.
    Yrs,
}

/// Is told what a scan finds, in the order of the text. Offsets are in bytes from its start.
pub trait JsonSink {
    /// A number, a string, `true`, `false` or `null` lies there; of objects keys and values take turns.
    fn scalar(&mut self, start: usize, end: usize);
    /// An array or object begins.
    fn open(&mut self, start: usize);
    /// The array or object that began last and has not ended ends before `end`.
    fn close(&mut self, end: usize);
}

impl JsonSink for () {
    fn scalar(&mut self, _start: usize, _end: usize) {}
    fn open(&mut self, _start: usize) {}
    fn close(&mut self, _end: usize) {}
}

// The nesting is kept in the bits of a u64.
const _: () = assert!(VALUE_DEPTH_MAX <= 64);

/// Longest number that is handed to a float parser, in bytes; the greatest `f64` has 309 digits. Beyond some
/// thousands of digits the standard library and serde_json no longer agree on exponents.
const FLOAT_BYTES_MAX: usize = 400;

/// Checks that `text`, which begins at byte `at` of the message, is one JSON value.
///
/// # Errors
/// [`Malformed::Json`], [`Malformed::Depth`] and, but under [`JsonRules::Rfc8259`], [`Malformed::JsonValue`].
pub fn scan_json(text: &str, at: usize, rules: JsonRules) -> Result<(), Malformed> {
    scan_json_into(text, at, rules, &mut ())
}

/// As [`scan_json`], and tells `sink` what it finds on the way.
///
/// # Errors
/// As for [`scan_json`]; by then the sink has been told of what comes before.
pub fn scan_json_into(
    text: &str,
    at: usize,
    rules: JsonRules,
    sink: &mut impl JsonSink,
) -> Result<(), Malformed> {
    Scan { text, next: 0, at, rules, fidelity: Fidelity::Kept, sink }.document()
}

/// As [`scan_json`] with [`JsonRules::Yrs`], and returns whether yrs writes the value as it is: of -0 it makes 0.
pub(super) fn scan_json_of_yrs(text: &str, at: usize) -> Result<Fidelity, Malformed> {
    let mut scan = Scan { text, next: 0, at, rules: JsonRules::Yrs, fidelity: Fidelity::Kept, sink: &mut () };
    scan.document()?;
    Ok(scan.fidelity)
}

/// A scan under way.
struct Scan<'a, S> {
    text: &'a str,
    /// Offset of the next byte in `text`.
    next: usize,
    /// Offset of `text` in the message.
    at: usize,
    rules: JsonRules,
    fidelity: Fidelity,
    sink: &'a mut S,
}

/// What has been read of a value.
enum Value {
    Whole,
    /// The head of an array that is not empty.
    Array,
    /// The head of an object that is not empty, with its first key and colon.
    Object,
}

impl<S: JsonSink> Scan<'_, S> {
    fn document(&mut self) -> Result<(), Malformed> {
        // Bit `i` says whether the container at depth `i` is an object.
        let mut objects = 0u64;
        let mut depth = 0;
        loop {
            let value = self.value(depth)?;
            if let Value::Array | Value::Object = value {
                objects = objects & !(1 << depth) | u64::from(matches!(value, Value::Object)) << depth;
                depth += 1;
                continue;
            }
            loop {
                self.space();
                if depth == 0 {
                    return if self.next == self.text.len() { Ok(()) } else { self.refuse(self.next) };
                }
                let is_object = objects >> (depth - 1) & 1 == 1;
                match (self.byte()?, is_object) {
                    (b',', true) => self.key()?,
                    (b',', false) => {}
                    (b'}', true) | (b']', false) => {
                        depth -= 1;
                        self.sink.close(self.next);
                        continue;
                    }
                    _ => return self.refuse(self.next - 1),
                }
                break;
            }
        }
    }

    /// Reads a value without its contents, within `depth` containers.
    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.space();
        let start = self.next;
        match self.byte()? {
            b'"' => self.string()?,
            b't' => self.literal(b"rue")?,
            b'f' => self.literal(b"alse")?,
            b'n' => self.literal(b"ull")?,
            b'-' | b'0'..=b'9' => self.number(start)?,
            b'{' | b'[' if depth == VALUE_DEPTH_MAX => return Err(Malformed::Depth { at: self.at + start }),
            b'{' => {
                self.sink.open(start);
                self.space();
                if !self.eat(b'}') {
                    self.key()?;
                    return Ok(Value::Object);
                }
                self.sink.close(self.next);
                return Ok(Value::Whole);
            }
            b'[' => {
                self.sink.open(start);
                self.space();
                if !self.eat(b']') {
                    return Ok(Value::Array);
                }
                self.sink.close(self.next);
                return Ok(Value::Whole);
            }
            _ => return self.refuse(start),
        }
        self.sink.scalar(start, self.next);
        Ok(Value::Whole)
    }

    /// Reads the key of a member, and its colon.
    fn key(&mut self) -> Result<(), Malformed> {
        self.space();
        let start = self.next;
        if !self.eat(b'"') {
            return self.refuse(self.next);
        }
        self.string()?;
        self.sink.scalar(start, self.next);
        self.space();
        if self.eat(b':') { Ok(()) } else { self.refuse(self.next) }
    }

    /// Reads the rest of a string after its opening quote.
    fn string(&mut self) -> Result<(), Malformed> {
        loop {
            match self.byte()? {
                b'"' => return Ok(()),
                b'\\' => self.escape()?,
                0..0x20 => return self.refuse(self.next - 1),
                _ => {}
            }
        }
    }

    /// Reads the rest of an escape after its backslash.
    fn escape(&mut self) -> Result<(), Malformed> {
        let start = self.next - 1;
        match self.byte()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => return Ok(()),
            b'u' => {}
            _ => return self.refuse(self.next - 1),
        }
        let unit = self.hex()?;
        if self.rules == JsonRules::Rfc8259 || !(0xd800..0xe000).contains(&unit) {
            return Ok(());
        }
        // A low half may only follow a high half, and a high half must be followed by a low one.
        let paired = unit < 0xdc00
            && self.eat(b'\\')
            && self.eat(b'u')
            && matches!(self.hex(), Ok(low) if (0xdc00..0xe000).contains(&low));
        if paired { Ok(()) } else { Err(Malformed::JsonValue { at: self.at + start }) }
    }

    /// Reads four hexadecimal digits.
    fn hex(&mut self) -> Result<u32, Malformed> {
        let mut unit = 0;
        for _ in 0..4 {
            match char::from(self.byte()?).to_digit(16) {
                Some(digit) => unit = unit << 4 | digit,
                None => return self.refuse(self.next - 1),
            }
        }
        Ok(unit)
    }

    /// Reads the rest of a number that began at `start` with a minus or a digit.
    fn number(&mut self, start: usize) -> Result<(), Malformed> {
        self.next = start;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        let mut is_whole = true;
        if self.eat(b'.') {
            is_whole = false;
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            is_whole = false;
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        let number = &self.text[start..self.next];
        if self.rules == JsonRules::Yrs {
            if !yrs_holds(number, is_whole) {
                return Err(Malformed::JsonValue { at: self.at + start });
            }
            if number.starts_with('-') && number.parse() == Ok(0.0) {
                self.fidelity = Fidelity::Lost;
            }
        }
        Ok(())
    }

    /// Reads one digit or more.
    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.next;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.next += 1;
        }
        if self.next > start { Ok(()) } else { self.refuse(start) }
    }

    fn literal(&mut self, rest: &[u8]) -> Result<(), Malformed> {
        rest.iter().try_for_each(|&want| if self.eat(want) { Ok(()) } else { self.refuse(self.next) })
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.next += 1;
        }
    }

    fn eat(&mut self, want: u8) -> bool {
        let eaten = self.peek() == Some(want);
        self.next += usize::from(eaten);
        eaten
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let Some(byte) = self.peek() else { return self.refuse(self.next) };
        self.next += 1;
        Ok(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.next).copied()
    }

    #[cold]
    fn refuse<T>(&self, next: usize) -> Result<T, Malformed> {
        Err(Malformed::Json { at: self.at + next })
    }
}

/// Returns whether yrs reads `number`, which obeys the grammar.
///
/// yrs keeps whole numbers as `i64` and refuses those that serde_json hands it as a `u64` above that; still larger
/// ones come as floats.
fn yrs_holds(number: &str, is_whole: bool) -> bool {
    // 18 digits and a minus are below 2^63.
    if is_whole && number.len() <= 19 {
        return number.len() <= 18 || number.starts_with('-') || number.parse::<i64>().is_ok();
    }
    if is_whole && number.parse::<u64>().is_ok() {
        return number.parse::<i64>().is_ok();
    }
    number.len() <= FLOAT_BYTES_MAX && number.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_accepted() {
        let good = [
            "null",
            " true ",
            "\t\r\nfalse",
            "0",
            "-0",
            "-0.5e-7",
            "1E+2",
            "10",
            r#""""#,
            r#""a\"\\\/\b\f\n\r\t\u00e9""#,
            "[]",
            "[ ]",
            "[1,2 , [] ]",
            "{}",
            "{ }",
            r#"{"a":1}"#,
            r#"{ "a" : { "" : [ ] } , "b":null }"#,
            "\"ü🙂\"",
            r#""\ud83d\ude42""#,
            "\"\u{7f}\"",
        ];
        for text in good {
            assert_eq!(scan_json(text, 0, JsonRules::Rfc8259), Ok(()), "{text}");
            assert_eq!(scan_json(text, 0, JsonRules::Yrs), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_outside_the_grammar_is_refused_where_it_leaves_it() {
        let bad = [
            ("", 0),
            (" ", 1),
            ("undefined", 0),
            ("nul", 3),
            ("nulL", 3),
            ("True", 0),
            ("NaN", 0),
            ("01", 1),
            ("-", 1),
            ("1.", 2),
            (".5", 0),
            ("1e", 2),
            ("1e+", 3),
            ("+1", 0),
            ("\"", 1),
            ("\"\n\"", 1),
            (r#""\x""#, 2),
            (r#""\u00g0""#, 5),
            ("[", 1),
            ("[1", 2),
            ("[1,]", 3),
            ("[1 2]", 3),
            ("[1}", 2),
            ("]", 0),
            ("{", 1),
            ("{1:2}", 1),
            (r#"{"a"}"#, 4),
            (r#"{"a":}"#, 5),
            (r#"{"a":1,}"#, 7),
            (r#"{"a":1]"#, 6),
            ("1 2", 2),
            ("null,", 4),
            ("\u{feff}1", 0),
            ("'a'", 0),
            ("/**/1", 0),
        ];
        for (text, at) in bad {
            assert_eq!(
                scan_json(text, 7, JsonRules::Rfc8259),
                Err(Malformed::Json { at: 7 + at }),
                "{text:?}"
            );
        }
    }

    #[test]
    fn what_yrs_cannot_hold() {
        let check = |text: &str, yrs: bool| {
            assert_eq!(scan_json(text, 0, JsonRules::Rfc8259), Ok(()), "{text}");
            let want = if yrs { Ok(()) } else { Err(Malformed::JsonValue { at: 1 }) };
            assert_eq!(scan_json(&format!("[{text}]"), 0, JsonRules::Yrs), want, "{text}");
        };
        check("9223372036854775807", true);
        check("9223372036854775808", false);
        check("18446744073709551615", false);
        check("18446744073709551616", true);
        check("-9223372036854775808", true);
        check("-9223372036854775809", true);
        check("-18446744073709551616", true);
        check("9223372036854775808.0", true);
        check("1e308", true);
        check("1.7976931348623157e+308", true);
        check("-1.7976931348623157e308", true);
        check("1.7976931348623158e308", true);
        check("1.7976931348623159e308", false);
        check("1e309", false);
        check("1e-999", true);
        check("0e999", true);
        check(&"9".repeat(309), false);
        check(&format!("0.{}1", "0".repeat(1000)), false);
    }

    #[test]
    fn halves_of_surrogate_pairs() {
        for text in [
            r#""\ud83d""#,
            r#""\ude42""#,
            r#""\ud83d\n""#,
            r#""\ud83d\ud83d""#,
            r#""\ude42\ud83d""#,
            r#""\ude42\ude42""#,
        ] {
            assert_eq!(scan_json(text, 0, JsonRules::Rfc8259), Ok(()), "{text}");
            for rules in [JsonRules::Text, JsonRules::Yrs] {
                assert_eq!(scan_json(text, 0, rules), Err(Malformed::JsonValue { at: 1 }), "{text}");
            }
        }
    }

    #[test]
    fn depth_is_bounded() {
        let check =
            |text: &str, want: Result<(), Malformed>| assert_eq!(scan_json(text, 0, JsonRules::Yrs), want);
        let arrays = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        check(&arrays(VALUE_DEPTH_MAX), Ok(()));
        check(&arrays(VALUE_DEPTH_MAX + 1), Err(Malformed::Depth { at: VALUE_DEPTH_MAX }));
        check(&arrays(1_000_000), Err(Malformed::Depth { at: VALUE_DEPTH_MAX }));
        let mixed = |depth: usize| r#"[{"a":"#.repeat(depth) + "1" + &"}]".repeat(depth);
        check(&mixed(VALUE_DEPTH_MAX / 2), Ok(()));
        check(&mixed(VALUE_DEPTH_MAX / 2 + 1), Err(Malformed::Depth { at: 6 * VALUE_DEPTH_MAX / 2 }));
    }

    /// Goal: as `value::tests::what_yrs_writes_as_it_read_it`, for JSON.
    #[cfg(feature = "yjs")]
    #[test]
    fn what_yrs_writes_as_it_read_it() {
        let bits = |text: &str| serde_json::from_str::<f64>(text).expect("a number").to_bits();
        let numbers = [
            "0",
            "-0",
            "-0.0",
            "-0e5",
            "-1e-400",
            "1e-400",
            "-1",
            "-0.5",
            "1.0",
            "1e2",
            "1e21",
            "123456789012345680000",
            "9007199254740991",
            "9007199254740993",
            "-9007199254740993",
            "9223372036854775807",
            "-9223372036854775808",
            "1152921504606846976",
            "0.1",
            "1.7976931348623157e308",
            "5e-324",
        ];
        for number in numbers {
            let fidelity = scan_json_of_yrs(&format!("{{\"a\":[{number}]}}"), 0);
            let mut written = String::new();
            yrs::Any::from_json(number).expect("yrs reads it").to_json(&mut written);
            let want = if bits(number) == bits(&written) { Fidelity::Kept } else { Fidelity::Lost };
            assert_eq!(fidelity, Ok(want), "{number} {written}");
        }
        assert_eq!(scan_json_of_yrs(r#"{"-0":"-0"}"#, 0), Ok(Fidelity::Kept));
    }
}
