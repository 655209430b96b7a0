//! Checked reading, and writing, of lib0's primitives: numbers, texts and byte strings.
//!
//! ```text
//! var_uint    7 bits a byte, lowest first; high bit = another byte follows; at most 53 bits
//! var_int     first byte: 0x80 another follows, 0x40 negative, 6 bits; then 7 bits a byte
//! buf         var_uint length, bytes
//! string      buf of UTF-8
//! ```
//!
//! After lib0 0.2 `encoding.js` and `decoding.js`. Padded numbers (`80 00` for 0) are read, as lib0 and yrs read
//! them, up to 10 bytes: with more, yrs shifts beyond the width of its integers.

use alloc::vec::Vec;

use super::Malformed;

/// Greatest number on the wire: JavaScript's `Number.MAX_SAFE_INTEGER`.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Longest encoding of a number, in bytes.
const NUMBER_BYTES_MAX: u32 = 10;

/// Reads lib0 primitives from bytes without allocating, and checks every length against what is left.
///
/// After an error the position is unspecified.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Starts at byte `at` of `bytes`, or at their end if that is before it.
    #[must_use]
    pub fn starting_at(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at: at.min(bytes.len()) }
    }

    /// Reads one byte.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] at the end.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        let Some(&byte) = self.bytes.get(self.at) else { return Err(self.truncated(1)) };
        self.at += 1;
        Ok(byte)
    }

    /// Reads an unsigned number of at most 53 bits.
    ///
    /// # Errors
    /// [`Malformed::Number`] if it is greater or too long, [`Malformed::Truncated`] if it does not end.
    #[inline]
    pub fn var_uint(&mut self) -> Result<u64, Malformed> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => {
                let start = self.at;
                self.groups(start, 0, 0)
            }
        }
    }

    /// Reads a signed number of at most 53 bits and a sign. `-0` reads as 0.
    ///
    /// # Errors
    /// As [`Self::var_uint`].
    pub fn var_int(&mut self) -> Result<i64, Malformed> {
        let (is_negative, magnitude) = self.sign_and_magnitude()?;
        // SUBTLE: at most 53 bits, so the cast is exact.
        let magnitude = magnitude as i64;
        Ok(if is_negative { -magnitude } else { magnitude })
    }

    /// Reads a signed number as whether it is negative, which 0 may be too, and its magnitude of at most 53 bits.
    pub(super) fn sign_and_magnitude(&mut self) -> Result<(bool, u64), Malformed> {
        let start = self.at;
        let first = self.u8()?;
        let mut magnitude = u64::from(first & 0x3f);
        if first & 0x80 != 0 {
            magnitude = self.groups(start, magnitude, 6)?;
        }
        Ok((first & 0x40 != 0, magnitude))
    }

    /// Reads `len` bytes.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] if fewer are left.
    #[inline]
    pub fn take(&mut self, len: u64) -> Result<&'a [u8], Malformed> {
        let left = &self.bytes[self.at..];
        match usize::try_from(len).ok().and_then(|len| left.get(..len)) {
            Some(taken) => {
                self.at += taken.len();
                Ok(taken)
            }
            None => Err(self.truncated(len)),
        }
    }

    /// Reads a byte string.
    ///
    /// # Errors
    /// As [`Self::var_uint`] and [`Self::take`].
    #[inline]
    pub fn buf(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.var_uint()?;
        self.take(len)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// [`Malformed::Utf8`] if it is not UTF-8, else as [`Self::buf`].
    #[inline]
    pub fn var_string(&mut self) -> Result<&'a str, Malformed> {
        let buf = self.buf()?;
        let start = self.at - buf.len();
        core::str::from_utf8(buf).map_err(|e| Malformed::Utf8 { at: start + e.valid_up_to() })
    }

    /// Reads how many entries of at least `entry_bytes_min` bytes follow.
    ///
    /// # Errors
    /// [`Malformed::Count`] if the bytes left cannot hold them, else as [`Self::var_uint`].
    #[inline]
    pub fn count(&mut self, entry_bytes_min: u64) -> Result<u64, Malformed> {
        let at = self.at;
        let declared = self.var_uint()?;
        let left = self.left();
        if declared.saturating_mul(entry_bytes_min) > left as u64 {
            return Err(Malformed::Count { at, declared, left });
        }
        Ok(declared)
    }

    /// Checks that nothing is left.
    ///
    /// # Errors
    /// [`Malformed::Trailing`] if something is.
    pub fn finish(&self) -> Result<(), Malformed> {
        match self.left() {
            0 => Ok(()),
            left => Err(Malformed::Trailing { at: self.at, left }),
        }
    }

    /// Returns the offset of the next byte.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Returns the number of bytes left.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Reads the remaining groups of 7 bits of a number that began at `start`, above its lowest `shift` bits.
    fn groups(&mut self, start: usize, low: u64, mut shift: u32) -> Result<u64, Malformed> {
        let mut value = low;
        while shift < 7 * NUMBER_BYTES_MAX - 1 {
            let byte = self.u8()?;
            let group = u64::from(byte & 0x7f);
            // A group above bit 53 may only be padding.
            if group != 0 && (shift > 52 || group << shift > NUMBER_MAX) {
                return Err(Malformed::Number { at: start });
            }
            value |= if group == 0 { 0 } else { group << shift };
            if byte < 0x80 {
                return Ok(value);
            }
            shift += 7;
        }
        Err(Malformed::Number { at: start })
    }

    #[cold]
    fn truncated(&self, needed: u64) -> Malformed {
        Malformed::Truncated { at: self.at, needed, left: self.left() }
    }
}

/// Appends an unsigned number.
#[inline]
pub fn write_var_uint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        // SUBTLE: the cast keeps the low 7 bits, which is the point.
        out.push(value as u8 & 0x7f | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a byte string.
pub fn write_buf(out: &mut Vec<u8>, buf: &[u8]) {
    write_var_uint(out, buf.len() as u64);
    out.extend_from_slice(buf);
}

/// Appends a text.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    write_buf(out, text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOO_LARGE: Result<u64, Malformed> = Err(Malformed::Number { at: 0 });

    #[test]
    fn unsigned_numbers() {
        let check = |bytes: &[u8], want: Result<u64, Malformed>| {
            assert_eq!(Reader::new(bytes).var_uint(), want, "{bytes:02x?}");
        };
        check(&[0], Ok(0));
        check(&[0x7f], Ok(127));
        check(&[0x80, 0x01], Ok(128));
        check(&[0xff, 0xff, 0xff, 0xff, 0x0f], Ok(u64::from(u32::MAX)));
        check(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f], Ok(NUMBER_MAX));
        check(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10], TOO_LARGE);
        check(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], TOO_LARGE);
        check(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02], TOO_LARGE);
        check(&[0x85, 0x80, 0x00], Ok(5));
        check(&[0x85, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00], Ok(5));
        check(&[0x85, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00], TOO_LARGE);
        check(&[], Err(Malformed::Truncated { at: 0, needed: 1, left: 0 }));
        check(&[0x80], Err(Malformed::Truncated { at: 1, needed: 1, left: 0 }));
    }

    #[test]
    fn signed_numbers() {
        let check = |bytes: &[u8], want: Result<i64, Malformed>| {
            assert_eq!(Reader::new(bytes).var_int(), want, "{bytes:02x?}");
        };
        check(&[0x00], Ok(0));
        check(&[0x40], Ok(0));
        check(&[0x3f], Ok(63));
        check(&[0x7f], Ok(-63));
        check(&[0x80, 0x01], Ok(64));
        check(&[0xc0, 0x01], Ok(-64));
        check(&[0xff, 0xff, 0xff, 0xff, 0x0f], Ok(-((1 << 31) - 1)));
        check(&[0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f], Ok((1 << 53) - 1));
        check(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20], Err(Malformed::Number { at: 0 }));
        // 11 bytes: yrs would shift an i64 by 69.
        check(&[0x80; 11], Err(Malformed::Number { at: 0 }));
    }

    #[test]
    fn numbers_read_as_written() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), NUMBER_MAX] {
            let mut out = Vec::new();
            write_var_uint(&mut out, value);
            let mut reader = Reader::new(&out);
            assert_eq!(reader.var_uint(), Ok(value));
            assert_eq!(reader.finish(), Ok(()));
        }
    }

    #[test]
    fn texts_and_byte_strings() {
        let mut out = Vec::new();
        write_string(&mut out, "ü🙂");
        write_buf(&mut out, &[0xff]);
        let mut reader = Reader::new(&out);
        assert_eq!(reader.var_string(), Ok("ü🙂"));
        assert_eq!(reader.position(), 7);
        assert_eq!(reader.finish(), Err(Malformed::Trailing { at: 7, left: 2 }));
        assert_eq!(reader.clone().var_string(), Err(Malformed::Utf8 { at: 8 }));
        assert_eq!(reader.buf(), Ok(&[0xff][..]));
        assert_eq!(reader.finish(), Ok(()));
        let lie = [0xff, 0xff, 0xff, 0xff, 0x0f, 1];
        let needed = u64::from(u32::MAX);
        assert_eq!(Reader::new(&lie).buf(), Err(Malformed::Truncated { at: 5, needed, left: 1 }));
        assert_eq!(
            Reader::starting_at(&lie, 99).u8(),
            Err(Malformed::Truncated { at: 6, needed: 1, left: 0 })
        );
    }

    #[test]
    fn a_count_fits_the_bytes_left() {
        assert_eq!(Reader::new(&[2, 0, 0, 0, 0]).count(2), Ok(2));
        let want = Malformed::Count { at: 0, declared: 3, left: 4 };
        assert_eq!(Reader::new(&[3, 0, 0, 0, 0]).count(2), Err(want));
    }
}
