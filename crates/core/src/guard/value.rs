//! Scan of lib0's `Any`, the values that shared types hold.
//!
//! ```text
//! 127 undefined     123 f64, 8 bytes       119 string
//! 126 null          122 bigint, 8 bytes    118 object: var_uint n, n x (string, any)
//! 125 var_int       121 false              117 array: var_uint n, n x any
//! 124 f32, 4 bytes  120 true               116 buf
//! ```
//!
//! What yrs 0.28 reads of such a value it writes as the same value, in other bytes perhaps, but for two: a `BigInt`
//! that an `f64` holds is written as a number, and -0, which lib0 writes as a var_int with a sign, as 0. Objects come out
//! with their keys in another order. [`Fidelity`] says so of each value.
//!
//! yrs decodes, encodes and drops such values by recursion, two bytes a level: at 8,000 levels the stack is gone
//! and the process with it. This scan has a stack of fixed size and refuses more than
//! [`VALUE_DEPTH_MAX`] containers within each other.

use super::{Malformed, Reader};
use crate::limits::VALUE_DEPTH_MAX;

/// Tag of an object.
pub(super) const TAG_OBJECT: u8 = 118;

const TAG_ARRAY: u8 = 117;

/// Whether a reader of what yrs writes finds what was written to yrs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fidelity {
    /// The same value.
    #[default]
    Kept,
    /// Another value, or a part of it.
    Lost,
}

impl Fidelity {
    /// Returns what holds of two values together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self == Self::Kept { other } else { self }
    }
}

/// A container that is being read.
#[derive(Clone, Copy)]
struct Container {
    /// Values still to come.
    left: u64,
    /// Whether a key precedes each of them.
    keyed: bool,
}

/// Moves `reader` past one `Any`, and returns whether yrs writes it as it is.
///
/// # Errors
/// [`Malformed::ValueTag`] and [`Malformed::Depth`], besides what [`Reader`] finds.
pub fn scan_any(reader: &mut Reader<'_>) -> Result<Fidelity, Malformed> {
    let mut fidelity = Fidelity::Kept;
    // Most values are not containers and need no stack.
    if let Some(outermost) = scan_head(reader, &mut fidelity)? {
        scan_contents(reader, outermost, &mut fidelity)?;
    }
    Ok(fidelity)
}

/// Moves `reader` past what is in `outermost`.
fn scan_contents(
    reader: &mut Reader<'_>,
    outermost: Container,
    fidelity: &mut Fidelity,
) -> Result<(), Malformed> {
    let mut open = [outermost; VALUE_DEPTH_MAX];
    let mut depth = 1;
    while depth > 0 {
        let innermost = &mut open[depth - 1];
        if innermost.left == 0 {
            depth -= 1;
            continue;
        }
        innermost.left -= 1;
        if innermost.keyed {
            reader.var_string()?;
        }
        let at = reader.position();
        if let Some(container) = scan_head(reader, fidelity)? {
            *open.get_mut(depth).ok_or(Malformed::Depth { at })? = container;
            depth += 1;
        }
    }
    Ok(())
}

/// Moves `reader` past one value, or past the head of a container, which is returned. Notes what is lost.
#[inline]
fn scan_head(reader: &mut Reader<'_>, fidelity: &mut Fidelity) -> Result<Option<Container>, Malformed> {
    let at = reader.position();
    match reader.u8()? {
        120 | 121 | 126 | 127 => {}
        125 => {
            if reader.sign_and_magnitude()? == (true, 0) {
                *fidelity = Fidelity::Lost;
            }
        }
        124 => drop(reader.take(4)?),
        123 => drop(reader.take(8)?),
        122 => *fidelity = fidelity.and(bigint(reader.take(8)?)),
        119 => drop(reader.var_string()?),
        116 => drop(reader.buf()?),
        TAG_OBJECT => return Ok(Some(Container { left: reader.count(2)?, keyed: true })),
        TAG_ARRAY => return Ok(Some(Container { left: reader.count(1)?, keyed: false })),
        tag => return Err(Malformed::ValueTag { at, tag }),
    }
    Ok(None)
}

/// Returns whether yrs writes a `BigInt`, of which these are the bytes, as one. It asks whether an `f64` holds it with
/// this very conversion, which saturates: it finds that one holds 2^63 - 1.
fn bigint(bytes: &[u8]) -> Fidelity {
    let value = bytes.iter().fold(0_i64, |value, &byte| value << 8 | i64::from(byte));
    if value as f64 as i64 == value { Fidelity::Lost } else { Fidelity::Kept }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn scan(bytes: &[u8]) -> Result<(), Malformed> {
        let mut reader = Reader::new(bytes);
        scan_any(&mut reader)?;
        reader.finish()
    }

    #[test]
    fn every_kind_of_value() {
        let check = |bytes: &[u8], want: Result<(), Malformed>| assert_eq!(scan(bytes), want, "{bytes:?}");
        for tag in [120, 121, 126, 127] {
            check(&[tag], Ok(()));
        }
        check(&[125, 0x40], Ok(()));
        check(&[125, 0xff, 0xff, 0xff, 0xff, 0x0f], Ok(()));
        check(&[124, 0, 0, 0, 0], Ok(()));
        check(&[124, 0, 0, 0], Err(Malformed::Truncated { at: 1, needed: 4, left: 3 }));
        check(&[123, 0, 0, 0, 0, 0, 0, 0, 0], Ok(()));
        check(&[122, 255, 255, 255, 255, 255, 255, 255, 255], Ok(()));
        check(&[119, 1, b'a'], Ok(()));
        check(&[119, 1, 0xc3], Err(Malformed::Utf8 { at: 2 }));
        check(&[116, 1, 0xc3], Ok(()));
        check(&[118, 0], Ok(()));
        check(&[118, 2, 1, b'a', 126, 0, 117, 1, 127], Ok(()));
        check(&[118, 1, 1, 0xff, 126], Err(Malformed::Utf8 { at: 3 }));
        check(&[118, 2, 0, 126], Err(Malformed::Count { at: 1, declared: 2, left: 2 }));
        check(&[117, 2, 117, 0, 117, 0], Ok(()));
        check(&[117, 3, 126, 126], Err(Malformed::Count { at: 1, declared: 3, left: 2 }));
        check(&[115], Err(Malformed::ValueTag { at: 0, tag: 115 }));
        check(&[0], Err(Malformed::ValueTag { at: 0, tag: 0 }));
        check(&[], Err(Malformed::Truncated { at: 0, needed: 1, left: 0 }));
    }

    /// Goal: what is said to be kept is, and what is said to be lost is not. Method: yrs reads and writes each value,
    /// alone, in an array and in an object; its JavaScript value is compared.
    #[cfg(feature = "yjs")]
    #[test]
    fn what_yrs_writes_as_it_read_it() {
        use yrs::{Any, encoding::read::Cursor};

        let mut values: Vec<Vec<u8>> = vec![
            vec![120],
            vec![121],
            vec![126],
            vec![127],
            vec![125, 0x40],
            vec![125, 0xc0, 0],
            vec![119, 2, 0xc3, 0xbc],
            vec![116, 2, 0xff, 0],
            vec![118, 2, 1, b'a', 126, 1, b'a', 127],
        ];
        for first in [0, 0x3f, 0x41, 0x7f] {
            values.push(vec![125, first]);
            values.push([&[125, first | 0x80][..], &[0xff; 6], &[0x1f]].concat());
        }
        let floats =
            [0.0, -0.0, 0.1, 1.5, 1e21, 9_007_199_254_740_993.0, f64::MAX, f64::MIN_POSITIVE, 5e-324];
        for float in floats.into_iter().chain([f64::INFINITY, f64::NEG_INFINITY, f64::NAN]) {
            values.push([&[123][..], &float.to_be_bytes()].concat());
            values.push([&[124][..], &(float as f32).to_be_bytes()].concat());
        }
        for power in 0..64 {
            for near in -2..=2_i64 {
                let value = (1_i64 << power).wrapping_add(near);
                values.extend([value, value.wrapping_neg()].map(|v| [&[122][..], &v.to_be_bytes()].concat()));
            }
        }
        for value in &values {
            let nested = [&[117, 2, 126], &value[..]].concat();
            let keyed = [&[118, 1, 1, b'k'], &value[..]].concat();
            for bytes in [value, &nested, &keyed] {
                let mut reader = Reader::new(bytes);
                let fidelity = scan_any(&mut reader).expect("a value");
                reader.finish().expect("one value");
                let mut written = Vec::new();
                Any::decode(&mut Cursor::new(bytes)).expect("a value").encode(&mut written);
                let is_kept = js(&mut Reader::new(bytes)) == js(&mut Reader::new(&written));
                assert_eq!(fidelity == Fidelity::Kept, is_kept, "{bytes:?} {written:?}");
            }
        }
    }

    /// Returns what lib0 makes of a value, in words.
    #[cfg(feature = "yjs")]
    pub(crate) fn js(reader: &mut Reader<'_>) -> String {
        let eight = |reader: &mut Reader<'_>| <[u8; 8]>::try_from(reader.take(8).unwrap()).unwrap();
        match reader.u8().unwrap() {
            125 => match reader.sign_and_magnitude().unwrap() {
                (true, magnitude) => format!("{:?}", -(magnitude as f64)),
                (false, magnitude) => format!("{:?}", magnitude as f64),
            },
            124 => {
                format!("{:?}", f64::from(f32::from_be_bytes(reader.take(4).unwrap().try_into().unwrap())))
            }
            123 => format!("{:?}", f64::from_be_bytes(eight(reader))),
            122 => format!("{}n", i64::from_be_bytes(eight(reader))),
            119 => format!("{:?}", reader.var_string().unwrap()),
            116 => format!("{:?}", reader.buf().unwrap()),
            117 => (0..reader.var_uint().unwrap()).map(|_| format!("{},", js(reader))).collect(),
            118 => {
                let members =
                    (0..reader.var_uint().unwrap()).map(|_| (reader.var_string().unwrap(), js(reader)));
                format!("{:?}", members.collect::<std::collections::BTreeMap<_, _>>())
            }
            tag => tag.to_string(),
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| [[117, 1].repeat(depth), vec![126]].concat();
        assert_eq!(scan(&nested(VALUE_DEPTH_MAX)), Ok(()));
        assert_eq!(scan(&nested(VALUE_DEPTH_MAX + 1)), Err(Malformed::Depth { at: 2 * VALUE_DEPTH_MAX }));
        assert_eq!(scan(&nested(1_000_000)), Err(Malformed::Depth { at: 2 * VALUE_DEPTH_MAX }));
        let objects = |depth: usize| [[118, 1, 0].repeat(depth), vec![126]].concat();
        assert_eq!(scan(&objects(VALUE_DEPTH_MAX)), Ok(()));
        assert_eq!(scan(&objects(VALUE_DEPTH_MAX + 1)), Err(Malformed::Depth { at: 3 * VALUE_DEPTH_MAX }));
    }
}
