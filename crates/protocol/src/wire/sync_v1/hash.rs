//! The content hash of an op: what tells a retry from another op under the same number.
//!
//! It is the first 8 bytes of the SHA-256 of the op as it came, without its members `meta` and `from_n`, in the form of RFC 8785
//! with one difference. That form writes the nearest double of a number; here numbers are exact, so the digits are those of the
//! number itself, laid out as ECMAScript lays out doubles. For each number that a double holds to its last digit both forms are
//! the same text, and two numbers that a double cannot tell apart have two hashes. A number beyond the range of
//! [`Decimal`] stays as it is written; the op that holds it is refused, and its retry has the same hash all the same.

use std::cmp::Ordering;

use sha2::{Digest, Sha256};
use syncline_core::entity::Decimal;

use super::json::{Kind, Node};
use super::write::{list, object, string};
use crate::ledger::ContentHash;

/// Members of an op that may differ between its retries.
const APART: [&str; 2] = ["meta", "from_n"];

pub(super) fn content_hash(op: Node<'_>) -> ContentHash {
    let mut text = String::with_capacity(op.raw().len());
    members(&mut text, op, &APART);
    let digest = Sha256::digest(text.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    ContentHash(first)
}

fn canonical(out: &mut String, node: Node<'_>) {
    match node.kind() {
        Kind::Null | Kind::Bool(_) => out.push_str(node.raw()),
        Kind::Number => number(out, node.raw()),
        Kind::Text => string(out, &node.text().unwrap_or_default()),
        Kind::List => list(out, node.items(), canonical),
        Kind::Map => members(out, node, &[]),
    }
}

fn members(out: &mut String, node: Node<'_>, apart: &[&str]) {
    let mut members: Vec<_> = node.members().filter(|(key, _)| !apart.contains(&key.as_ref())).collect();
    members.sort_unstable_by(|(a, _), (b, _)| by_utf16(a, b));
    object(out, |o| members.iter().for_each(|(key, it)| canonical(o.key(key), *it)));
}

/// The order of RFC 8785, which differs from that of UTF-8 beyond the basic plane.
fn by_utf16(a: &str, b: &str) -> Ordering {
    // In ASCII both orders are one.
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// Lays out a number as `Number::toString` of ECMA-262 does.
fn number(out: &mut String, literal: &str) {
    if literal.len() <= 21 && literal.bytes().all(|byte| byte.is_ascii_digit()) {
        return out.push_str(literal);
    }
    let Ok(number) = Decimal::parse(literal) else { return out.push_str(literal) };
    let (coefficient, exponent) = number.parts();
    let digits = coefficient.unsigned_abs().to_string();
    let count = digits.len() as i32;
    // The point is behind this many digits.
    let point = count + exponent;
    if coefficient < 0 {
        out.push('-');
    }
    let zeros = |count: i32| "0".repeat(count.unsigned_abs() as usize);
    match point {
        _ if coefficient == 0 => out.push('0'),
        1..=21 if count <= point => *out += &(digits + &zeros(point - count)),
        1..=21 => {
            let (whole, decimals) = digits.split_at(point.unsigned_abs() as usize);
            *out += &format!("{whole}.{decimals}");
        }
        -5..=0 => *out += &format!("0.{}{digits}", zeros(point)),
        _ => {
            let (first, rest) = digits.split_at(1);
            let dot = if rest.is_empty() { "" } else { "." };
            *out += &format!("{first}{dot}{rest}e{:+}", point - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::json::Json;
    use super::*;

    fn form(text: &str) -> String {
        let json = Json::parse(text.as_bytes()).expect("it is JSON");
        let mut out = String::new();
        canonical(&mut out, json.root());
        out
    }

    fn hash(text: &str) -> String {
        let json = Json::parse(text.as_bytes()).expect("it is JSON");
        let ContentHash(bytes) = content_hash(json.root());
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn numbers_are_laid_out_as_ecmascript_does() {
        for (text, want) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("24.50", "24.5"),
            ("100000000000000000000", "100000000000000000000"),
            ("1e21", "1e+21"),
            ("123e19", "1.23e+21"),
            ("-1.5e300", "-1.5e+300"),
            ("0.000001", "0.000001"),
            ("1.25E-6", "0.00000125"),
            ("0.0000001", "1e-7"),
            ("-49e-325", "-4.9e-324"),
            ("0.1234567890123456789", "0.1234567890123456789"),
            ("123456789012345678901.5", "123456789012345678901.5"),
            ("1e999999999", "1e999999999"),
        ] {
            assert_eq!(form(text), want, "{text}");
        }
    }

    /// The order of keys and the escapes are those of the examples of RFC 8785.
    #[test]
    fn keys_and_strings_are_those_of_rfc_8785() {
        let keys = r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#;
        let names: Vec<String> = form(keys).split("\":\"").map(str::to_owned).collect();
        let wanted = ["Carriage Return", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"];
        assert!(names[1..].iter().zip(wanted).all(|(name, want)| name.starts_with(want)), "{names:?}");
        let text = r#" { "b" : [ true , null ] , "a" : "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/" } "#;
        assert_eq!(form(text), "{\"a\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\",\"b\":[true,null]}");
    }

    #[test]
    fn hashes_are_those_of_the_vectors() {
        for (text, want) in [
            ("{}", "44136fa355b3678a"),
            (
                r#"{"n":"42","op":"update","type":"inventory","id":"inv_9","set":{"qty":24.5}}"#,
                "5889b3dc4057f82e",
            ),
        ] {
            assert_eq!(hash(text), want, "{text}");
        }
        let op = r#"{"n":"1","set":{"a":1}}"#;
        assert_eq!(hash(op), hash(r#"{"set":{"a":1.0},"meta":{"x":[]},"\u006e":"1","from_n":"1"}"#));
        assert_ne!(hash(op), hash(r#"{"n":"1","set":{"a":1,"meta":0}}"#));
        assert_ne!(hash(op), hash(r#"{"n":"1","set":{"a":"1"}}"#));
        // A double cannot tell these apart.
        assert_ne!(hash("{\"a\":9007199254740993}"), hash("{\"a\":9007199254740992}"));
    }

    proptest! {
        /// The form is JSON that means the same, and is its own form.
        #[test]
        fn the_form_of_a_number_is_that_number(coefficient in any::<i64>(), exponent in -380..380_i32) {
            let text = format!("{coefficient}e{exponent}");
            let once = form(&text);
            prop_assert_eq!(Decimal::parse(&once), Decimal::parse(&text));
            prop_assert_eq!(form(&once), once);
        }
    }
}
