//! Scan of lib0's `Any`, the values that shared types hold.
//!
//! ```text
//! 127 undefined     123 f64, 8 bytes       119 string
//! 126 null          122 bigint, 8 bytes    118 object: var_uint n, n x (string, any)
//! 125 var_int       121 false              117 array: var_uint n, n x any
//! 124 f32, 4 bytes  120 true               116 buf
//! ```
//!
//! yrs decodes, encodes and drops such values by recursion, two bytes a level: at 8,000 levels the stack is gone
//! and the process with it. This scan has a stack of fixed size and refuses more than
//! [`VALUE_DEPTH_MAX`] containers within each other.

use super::{Malformed, Reader};
use crate::limits::VALUE_DEPTH_MAX;

/// Tag of an object.
pub(super) const TAG_OBJECT: u8 = 118;

const TAG_ARRAY: u8 = 117;

/// A container that is being read.
#[derive(Clone, Copy)]
struct Container {
    /// Values still to come.
    left: u64,
    /// Whether a key precedes each of them.
    keyed: bool,
}

/// Moves `reader` past one `Any`.
///
/// # Errors
/// [`Malformed::ValueTag`] and [`Malformed::Depth`], besides what [`Reader`] finds.
pub fn scan_any(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    // Most values are not containers and need no stack.
    match scan_head(reader)? {
        None => Ok(()),
        Some(outermost) => scan_contents(reader, outermost),
    }
}

/// Moves `reader` past what is in `outermost`.
fn scan_contents(reader: &mut Reader<'_>, outermost: Container) -> Result<(), Malformed> {
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
        if let Some(container) = scan_head(reader)? {
            *open.get_mut(depth).ok_or(Malformed::Depth { at })? = container;
            depth += 1;
        }
    }
    Ok(())
}

/// Moves `reader` past one value, or past the head of a container, which is returned.
#[inline]
fn scan_head(reader: &mut Reader<'_>) -> Result<Option<Container>, Malformed> {
    let at = reader.position();
    match reader.u8()? {
        120 | 121 | 126 | 127 => {}
        125 => drop(reader.var_int()?),
        124 => drop(reader.take(4)?),
        122 | 123 => drop(reader.take(8)?),
        119 => drop(reader.var_string()?),
        116 => drop(reader.buf()?),
        TAG_OBJECT => return Ok(Some(Container { left: reader.count(2)?, keyed: true })),
        TAG_ARRAY => return Ok(Some(Container { left: reader.count(1)?, keyed: false })),
        tag => return Err(Malformed::ValueTag { at, tag }),
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
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
