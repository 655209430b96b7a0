//! Scan of columns: how many rows they stand for.
//!
//! ```text
//! columns   uleb n, n x (uleb specification, uleb length of the data)
//! spec      number of the column << 4 | packed << 3 | type
//! run       sleb n: n > 0 one value n times; n < 0 that many values; 0 uleb k, k times nothing
//! data      by type: 0 group, 1 actor, 2 integer, 6 length and kind of a value: runs of uleb
//!           3 delta: runs of sleb; 5 text: runs of (uleb length, bytes)
//!           4 boolean: uleb lengths of runs of false and true in turn; 7 value: bytes
//! ```

use alloc::vec::Vec;

use super::leb128::Leb128;
use crate::guard::Malformed;

/// Columns that one list may have. Automerge writes at most 14.
const COLUMNS_MAX: u64 = 64;

const PACKED: u64 = 0b1000;

#[derive(Debug)]
pub(super) struct Columns(Vec<Column>);

#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// What it holds.
    pub(super) spec: u64,
    /// Length of its data, in bytes.
    pub(super) len: u64,
}

impl Columns {
    /// Reads which columns there are.
    pub(super) fn announced(reader: &mut Leb128<'_>, may_be_packed: bool) -> Result<Self, Malformed> {
        let mut columns: Vec<Column> = Vec::new();
        for _ in 0..reader.count(2, COLUMNS_MAX)? {
            let at = reader.at();
            let column = Column { spec: reader.uleb()?, len: reader.uleb()? };
            let in_order = columns.last().is_none_or(|last| last.spec & !PACKED < column.spec & !PACKED);
            let fits = column.spec <= u64::from(u32::MAX) && (may_be_packed || !column.is_packed());
            if !in_order || !fits {
                return Err(Malformed::Column { at, column: column.spec });
            }
            columns.push(column);
        }
        Ok(Self(columns))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Column> {
        self.0.iter()
    }
}

impl Column {
    pub(super) fn is_packed(&self) -> bool {
        self.spec & PACKED != 0
    }

    /// Returns for how many rows the column stands, or a group's children.
    pub(super) fn rows(&self, reader: &mut Leb128<'_>) -> Result<u64, Malformed> {
        match self.spec & 0b111 {
            0 => {
                let mut children: u64 = 0;
                let rows = runs(reader, |reader, times| {
                    children = children.saturating_add(reader.uleb()?.saturating_mul(times));
                    Ok(())
                })?;
                Ok(rows.max(children))
            }
            3 => runs(reader, |reader, _| reader.sleb().map(drop)),
            4 => {
                let mut rows: u64 = 0;
                while !reader.is_empty() {
                    rows = rows.saturating_add(reader.uleb()?);
                }
                Ok(rows)
            }
            5 => runs(reader, |reader, _| {
                let text = reader.prefixed()?;
                match core::str::from_utf8(text) {
                    Ok(_) => Ok(()),
                    Err(_) => Err(Malformed::Utf8 { at: reader.at() - text.len() }),
                }
            }),
            7 => Ok(0),
            _ => runs(reader, |reader, _| reader.uleb().map(drop)),
        }
    }
}

/// Reads runs to the end. `value` reads one value, which stands there so many times.
fn runs<'a>(
    reader: &mut Leb128<'a>,
    mut value: impl FnMut(&mut Leb128<'a>, u64) -> Result<(), Malformed>,
) -> Result<u64, Malformed> {
    let mut rows: u64 = 0;
    while !reader.is_empty() {
        let length = reader.sleb()?;
        let times = length.unsigned_abs();
        if length > 0 {
            value(reader, times)?;
        } else if length < 0 {
            for _ in 0..times {
                value(reader, 1)?;
            }
        }
        rows = rows.saturating_add(if length == 0 { reader.uleb()? } else { times });
    }
    Ok(rows)
}

/// The rows of a column that was accepted before, one by one.
pub(super) struct Rows<'a, T> {
    reader: Leb128<'a>,
    value: fn(&mut Leb128<'a>) -> Result<T, Malformed>,
    /// Rows of the run that are left, and their value; or values that follow one by one.
    run: (u64, Option<T>),
    values: u64,
}

impl<'a, T: Copy> Rows<'a, T> {
    pub(super) fn new(reader: Leb128<'a>, value: fn(&mut Leb128<'a>) -> Result<T, Malformed>) -> Self {
        Self { reader, value, run: (0, None), values: 0 }
    }

    /// Returns the value of the next row, which may be none; nothing at the end, where none are left out.
    pub(super) fn next_row(&mut self) -> Result<Option<Option<T>>, Malformed> {
        while self.run.0 == 0 {
            if self.values > 0 {
                self.values -= 1;
                self.run = (1, Some((self.value)(&mut self.reader)?));
            } else if self.reader.is_empty() {
                return Ok(None);
            } else {
                match self.reader.sleb()? {
                    0 => self.run = (self.reader.uleb()?, None),
                    run @ 1.. => self.run = (run.unsigned_abs(), Some((self.value)(&mut self.reader)?)),
                    values => self.values = values.unsigned_abs(),
                }
            }
        }
        self.run.0 -= 1;
        Ok(Some(self.run.1))
    }
}
