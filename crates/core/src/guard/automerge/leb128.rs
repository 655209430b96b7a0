//! Checked reading of LEB128 numbers, hashes and lengths.
//!
//! ```text
//! uleb    7 bits a byte, lowest first; high bit = another byte follows; at most 64 bits
//! sleb    the same, sign-extended from the last of them
//! ```

use crate::guard::Malformed;

/// Longest encoding of a number of 64 bits.
const NUMBER_BYTES_MAX: usize = 10;

/// Length of a hash.
const HASH_BYTES: usize = 32;

/// Reads without allocating, and checks every length against what is left.
#[derive(Clone, Debug)]
pub(crate) struct Leb128<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the first of the bytes is in what is scanned as a whole: errors name places there.
    base: usize,
}

impl<'a> Leb128<'a> {
    pub(crate) const fn new(bytes: &'a [u8], base: usize) -> Self {
        Self { bytes, at: 0, base }
    }

    pub(crate) fn at(&self) -> usize {
        self.base + self.at
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn uleb(&mut self) -> Result<u64, Malformed> {
        let (value, _, _) = self.groups()?;
        Ok(value)
    }

    pub(crate) fn sleb(&mut self) -> Result<i64, Malformed> {
        let (value, bits, last) = self.groups()?;
        let negative = last & 0x40 != 0 && bits < 64;
        let extended = if negative { value | (u64::MAX << bits) } else { value };
        Ok(extended.cast_signed())
    }

    /// Reads the groups of a number: their bits, how many these are, and the last byte.
    fn groups(&mut self) -> Result<(u64, u32, u8), Malformed> {
        let start = self.at();
        let mut value = 0;
        for n in 0..NUMBER_BYTES_MAX {
            let byte = self.u8()?;
            let shift = 7 * n as u32;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let too_large = shift == 63 && !matches!(byte, 0 | 1 | 0x7f);
                return if too_large {
                    Err(Malformed::Number { at: start })
                } else {
                    Ok((value, shift + 7, byte))
                };
            }
        }
        Err(Malformed::Number { at: start })
    }

    /// Reads how many things follow, each of at least `least` bytes, at most `max`.
    pub(crate) fn count(&mut self, least: u64, max: u64) -> Result<u64, Malformed> {
        let at = self.at();
        let declared = self.uleb()?;
        let left = self.rest().len();
        if declared > max || declared.saturating_mul(least) > left as u64 {
            return Err(Malformed::Count { at, declared, left });
        }
        Ok(declared)
    }

    pub(crate) fn take(&mut self, len: u64) -> Result<&'a [u8], Malformed> {
        let left = self.rest().len();
        let Some(end) = usize::try_from(len).ok().filter(|&len| len <= left).map(|len| self.at + len) else {
            return Err(Malformed::Truncated { at: self.at(), needed: len, left });
        };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    /// Reads bytes with their length before them.
    pub(crate) fn prefixed(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.uleb()?;
        self.take(len)
    }

    /// Reads at most `max` hashes.
    pub(crate) fn hashes(&mut self, max: u64) -> Result<&'a [[u8; HASH_BYTES]], Malformed> {
        let count = self.count(HASH_BYTES as u64, max)?;
        let (hashes, _) = self.take(count * HASH_BYTES as u64)?.as_chunks();
        Ok(hashes)
    }

    pub(crate) fn finish(&self) -> Result<(), Malformed> {
        let left = self.rest().len();
        if left > 0 { Err(Malformed::Trailing { at: self.at(), left }) } else { Ok(()) }
    }
}
