//! Names with a checksum, as Automerge writes them (Base58Check, after Bitcoin): the bytes and the first four of their SHA-256
//! taken twice, as a number in base 58 without the digits that look alike.

use sha2::{Digest, Sha256};

const DIGITS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

const CHECKSUM_BYTES: usize = 4;

/// Writes bytes with their checksum.
#[must_use]
pub(crate) fn encode(bytes: &[u8]) -> String {
    let checked = [bytes, &checksum(bytes)].concat();
    let mut digits: Vec<u8> = Vec::new();
    for &byte in &checked {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    let zeros = checked.iter().take_while(|byte| **byte == 0).count();
    digits.extend(std::iter::repeat_n(0, zeros));
    digits.iter().rev().map(|digit| char::from(DIGITS[usize::from(*digit)])).collect()
}

/// Reads at most `max` bytes whose checksum is right.
#[must_use]
pub(crate) fn decode(text: &str, max: usize) -> Option<Vec<u8>> {
    // A byte takes 1.37 digits.
    if text.len() > (max + CHECKSUM_BYTES) * 2 {
        return None;
    }
    let mut bytes: Vec<u8> = Vec::new();
    for digit in text.bytes() {
        let mut carry = DIGITS.iter().position(|known| *known == digit)? as u32;
        for byte in &mut bytes {
            carry += u32::from(*byte) * 58;
            *byte = carry as u8;
            carry >>= 8;
        }
        while carry > 0 {
            bytes.push(carry as u8);
            carry >>= 8;
        }
    }
    let zeros = text.bytes().take_while(|digit| *digit == DIGITS[0]).count();
    bytes.extend(std::iter::repeat_n(0, zeros));
    bytes.reverse();
    let at = bytes.len().checked_sub(CHECKSUM_BYTES)?;
    let found = bytes.split_off(at);
    (bytes.len() <= max && found == checksum(&bytes)).then_some(bytes)
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let twice = Sha256::digest(Sha256::digest(bytes));
    [twice[0], twice[1], twice[2], twice[3]]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_real_documents() {
        let check = |text: &str, bytes: Option<usize>| {
            assert_eq!(decode(text, 64).map(|bytes| bytes.len()), bytes, "{text}");
            if let Some(bytes) = decode(text, 64) {
                assert_eq!(encode(&bytes), text);
            }
        };
        check("2yh5UZx7idRCxjy3C4tiUeBEMQmE", Some(16));
        check("4NMNnkMhL8jXrdJ9jamS58PAVdXu", Some(16));
        check("4NMNnkMhL8jXrdJ9jamS58PAVdXv", None);
        check("4NMNnkMhL8jXrdJ9jamS58PAVdX0", None);
        check("1111", None);
        check("", None);
        check(&"z".repeat(1_000), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes in proptest::collection::vec(any::<u8>(), 0..=64)) {
            prop_assert_eq!(decode(&encode(&bytes), 64), Some(bytes));
        }
    }
}
