//! One person's typing of a paper, one key at a time: 182,315 characters typed and 77,463 removed, 104,852 left.
//!
//! It is the editing trace of <https://github.com/automerge/automerge-perf> by Martin Kleppmann. `data/automerge-paper.trace` holds it as
//! runs of keys. A run is a header, a position, and for typing the characters:
//!
//! | bytes | what |
//! | --- | --- |
//! | varint | number of keys times 4, plus what they do: 0 types, 1 is backspace, 2 is delete |
//! | varint | where the cursor is when the run begins, relative to where it was left, in zigzag |
//! | ASCII | the characters typed |
//!
//! A varint is little-endian base 128, seven bits a byte, the high bit set if more follow.

/// One key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Edit {
    /// Types a character before the position `at`.
    Insert { at: u32, character: char },
    /// Removes the character at the position `at`.
    Remove { at: u32 },
}

const TYPE: u64 = 0;
const BACKSPACE: u64 = 1;

/// Returns all keys in order.
pub(crate) fn edits() -> Vec<Edit> {
    let mut bytes: &[u8] = include_bytes!("data/automerge-paper.trace");
    let mut edits = Vec::new();
    let mut cursor = 0_u32;
    while !bytes.is_empty() {
        let header = varint(&mut bytes);
        cursor = cursor.wrapping_add_signed(zigzag(varint(&mut bytes)));
        let (keys, action) = ((header >> 2) as usize, header & 3);
        let typed =
            if action == TYPE { bytes.split_off(..keys).expect("a run has its characters") } else { &[] };
        edits.extend(
            typed.iter().zip(cursor..).map(|(&byte, at)| Edit::Insert { at, character: byte.into() }),
        );
        cursor += typed.len() as u32;
        for _ in typed.len()..keys {
            if action == BACKSPACE {
                cursor -= 1;
            }
            edits.push(Edit::Remove { at: cursor });
        }
    }
    edits
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first().expect("the trace is whole");
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn zigzag(value: u64) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}
