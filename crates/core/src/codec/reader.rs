//! Reading bytes that someone else wrote.

use alloc::vec::Vec;

use super::{Codec, DecodeError};

/// Reads values from the front of a byte string.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Returns a reader at the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Takes the next `len` bytes.
    ///
    /// # Errors
    /// [`DecodeError::End`] if there are fewer.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let taken = self.bytes[self.at..].get(..len).ok_or(DecodeError::End { at: self.bytes.len() })?;
        self.at += len;
        Ok(taken)
    }

    /// Takes the next byte.
    ///
    /// # Errors
    /// [`DecodeError::End`] if there is none.
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        self.take(1).map(|taken| taken[0])
    }

    /// Takes 8 bytes as a number, most significant first.
    ///
    /// # Errors
    /// [`DecodeError::End`] if there are fewer.
    pub fn fixed(&mut self) -> Result<u64, DecodeError> {
        Ok(self.take(8)?.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// Takes a number of 7 bits a byte.
    ///
    /// # Errors
    /// [`DecodeError::Number`] if it is larger than `u64::MAX` or longer than need be.
    pub fn var(&mut self) -> Result<u64, DecodeError> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let (bits, goes_on) = (u64::from(byte & 0x7f), byte & 0x80 != 0);
            let is_padding = byte == 0 && shift > 0;
            let is_too_large = shift == 63 && byte > 1;
            if is_padding || is_too_large {
                break;
            }
            number |= bits << shift;
            if !goes_on {
                return Ok(number);
            }
        }
        Err(DecodeError::Number { at: self.at })
    }

    /// Takes a count of items of at least `bytes_min` bytes each.
    ///
    /// # Errors
    /// [`DecodeError::Count`] if the bytes left cannot hold so many; [`DecodeError::Number`] as for [`var`](Self::var).
    pub fn count(&mut self, bytes_min: usize) -> Result<usize, DecodeError> {
        let count = self.var()?;
        let most = self.bytes_left() / bytes_min.max(1);
        usize::try_from(count)
            .ok()
            .filter(|&count| count <= most)
            .ok_or(DecodeError::Count { at: self.at, count })
    }

    /// Takes a value that must come after `last` in its order, as keys do.
    ///
    /// # Errors
    /// [`DecodeError::Order`] if it does not; and the errors of the value itself.
    pub fn after<T: Codec + Ord>(&mut self, last: Option<&T>) -> Result<T, DecodeError> {
        let value = T::decode(self)?;
        if last.is_none_or(|last| *last < value) {
            Ok(value)
        } else {
            Err(DecodeError::Order { at: self.at })
        }
    }

    /// Ends reading.
    ///
    /// # Errors
    /// [`DecodeError::Rest`] if anything is left.
    pub const fn finish(self) -> Result<(), DecodeError> {
        match self.bytes_left() {
            0 => Ok(()),
            count => Err(DecodeError::Rest { count }),
        }
    }

    /// Returns how many bytes have been taken.
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Returns how many bytes are left.
    #[must_use]
    pub const fn bytes_left(&self) -> usize {
        self.bytes.len() - self.at
    }
}

/// Appends a number of 7 bits a byte.
pub fn write_var(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        let check = |bytes: &[u8], want: Result<u64, DecodeError>| {
            assert_eq!(Reader::new(bytes).var(), want, "{bytes:?}");
            if let Ok(number) = want {
                let mut written = Vec::new();
                write_var(number, &mut written);
                assert_eq!(written, bytes);
            }
        };
        check(&[0], Ok(0));
        check(&[0x7f], Ok(127));
        check(&[0x80, 1], Ok(128));
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], Ok(u64::MAX));
        check(
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2],
            Err(DecodeError::Number { at: 10 }),
        );
        check(&[0xff; 11], Err(DecodeError::Number { at: 10 }));
        check(&[0x80, 0], Err(DecodeError::Number { at: 2 }));
        check(&[0x80], Err(DecodeError::End { at: 1 }));
    }

    #[test]
    fn a_count_is_checked_against_the_bytes_left() {
        let check = |bytes: &[u8], bytes_min, want| assert_eq!(Reader::new(bytes).count(bytes_min), want);
        check(&[2, 0, 0], 1, Ok(2));
        check(&[2, 0, 0], 2, Err(DecodeError::Count { at: 1, count: 2 }));
        check(&[1, 0, 0], 0, Ok(1));
    }
}
