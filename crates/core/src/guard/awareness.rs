//! Scan of awareness messages.
//!
//! ```text
//! awareness  var_uint n, n x (var_uint client, var_uint clock, string of JSON, `null` = gone)
//! ```
//!
//! After `applyAwarenessUpdate` of y-protocols 1.0.

use alloc::vec::Vec;

use super::{JsonRules, Malformed, Reader, scan_json};
use crate::id::ClientId;

/// What a message says of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AwarenessEntry<'a> {
    /// The client.
    pub client: ClientId,
    /// The number of this state among those of the client, at most 53 bits.
    pub clock: u64,
    /// Its state as JSON, of any length; `None` if it is gone.
    pub state: Option<&'a str>,
}

/// Reads an awareness message, in its order. A client may occur more than once.
///
/// # Errors
/// [`Malformed`] says what is wrong, and where.
pub fn scan_awareness(bytes: &[u8]) -> Result<Vec<AwarenessEntry<'_>>, Malformed> {
    let mut reader = Reader::new(bytes);
    let mut entries = Vec::new();
    // Two numbers, a length and a digit.
    for _ in 0..reader.count(4)? {
        let client = ClientId(reader.var_uint()?);
        let clock = reader.var_uint()?;
        let json = reader.var_string()?;
        scan_json(json, reader.position() - json.len(), JsonRules::Rfc8259)?;
        let is_null = json.trim_matches([' ', '\t', '\n', '\r']) == "null";
        entries.push(AwarenessEntry { client, clock, state: (!is_null).then_some(json) });
    }
    reader.finish()?;
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::{write_string, write_var_uint};

    fn message(entries: &[(u64, u64, &str)]) -> Vec<u8> {
        let mut out = Vec::new();
        write_var_uint(&mut out, entries.len() as u64);
        for &(client, clock, json) in entries {
            write_var_uint(&mut out, client);
            write_var_uint(&mut out, clock);
            write_string(&mut out, json);
        }
        out
    }

    #[test]
    fn states_and_their_end() {
        let long = format!("\"{}\"", "x".repeat(100_000));
        // Half a surrogate pair and a number above 2^63: yrs could not hold them, and need not.
        let odd = r#"["\ud83d",18446744073709551615]"#;
        let bytes = message(&[
            (1, 1 << 40, r#"{"n":"A"}"#),
            (2, 0, "null"),
            (1, 3, " null\n"),
            (4, 5, &long),
            (5, 1, odd),
        ]);
        let entry = |client, clock, state| AwarenessEntry { client: ClientId(client), clock, state };
        let want = [
            entry(1, 1 << 40, Some(r#"{"n":"A"}"#)),
            entry(2, 0, None),
            entry(1, 3, None),
            entry(4, 5, Some(&*long)),
            entry(5, 1, Some(odd)),
        ];
        assert_eq!(scan_awareness(&bytes).as_deref(), Ok(&want[..]));
    }

    #[test]
    fn what_is_refused() {
        let check = |bytes: &[u8], want: Malformed| assert_eq!(scan_awareness(bytes), Err(want), "{bytes:?}");
        check(&message(&[(1, 1, "")]), Malformed::Count { at: 0, declared: 1, left: 3 });
        check(&message(&[(1, 1, "{}"), (2, 1, "{}}")]), Malformed::Json { at: 11 });
        check(&message(&[(1, 1, &"[".repeat(100_000))]), Malformed::Depth { at: 70 });
        check(&[1, 1, 1, 1, 0xff], Malformed::Utf8 { at: 4 });
        check(&[1, 1, 1, 1, b'0', 0], Malformed::Trailing { at: 5, left: 1 });
        check(&[0xff, 0xff, 0xff, 0x7f], Malformed::Count { at: 0, declared: (1 << 28) - 1, left: 0 });
    }
}
