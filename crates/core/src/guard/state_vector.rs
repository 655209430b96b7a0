//! Scan of Yjs state vectors.
//!
//! ```text
//! state vector  var_uint n, n x (var_uint client, var_uint clock after its last element)
//! ```
//!
//! yrs allocates for the declared number of clients before it reads the first: 5 bytes take it 500 MB.

use alloc::vec::Vec;

use super::{Malformed, Reader, structs::read_clock};
use crate::{id::ClientId, limits::CLOCK_MAX};

/// Reads a state vector, and returns its clients in ascending order.
///
/// The clients are whatever the peer made up. yrs hashes client ids by identity: a `yrs::StateVector` may only be
/// made of those that the document knows.
///
/// # Errors
/// [`Malformed`] says what is wrong, and where; among it, that a client is named twice.
pub fn scan_state_vector(bytes: &[u8]) -> Result<Vec<(ClientId, u32)>, Malformed> {
    let mut reader = Reader::new(bytes);
    let mut clocks = Vec::new();
    for _ in 0..reader.count(2)? {
        clocks.push((ClientId(reader.var_uint()?), read_clock(&mut reader, CLOCK_MAX)?));
    }
    reader.finish()?;
    clocks.sort_unstable();
    match clocks.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        None => Ok(clocks),
        Some(pair) => Err(Malformed::DuplicateClient { at: 0, client: pair[0].0 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_vector_is_read_in_order() {
        let check = |bytes: &[u8], want: Result<Vec<(ClientId, u32)>, Malformed>| {
            assert_eq!(scan_state_vector(bytes), want, "{bytes:?}");
        };
        check(&[0], Ok(vec![]));
        check(&[1, 1, 17], Ok(vec![(ClientId(1), 17)]));
        check(&[2, 9, 1, 3, 2], Ok(vec![(ClientId(3), 2), (ClientId(9), 1)]));
        check(&[], Err(Malformed::Truncated { at: 0, needed: 1, left: 0 }));
        check(&[2, 1, 1], Err(Malformed::Count { at: 0, declared: 2, left: 2 }));
        check(&[1, 1, 1, 0], Err(Malformed::Trailing { at: 3, left: 1 }));
        check(&[2, 1, 1, 1, 2], Err(Malformed::DuplicateClient { at: 0, client: ClientId(1) }));
        check(&[1, 1, 0xff, 0xff, 0xff, 0xff, 0x07], Ok(vec![(ClientId(1), CLOCK_MAX)]));
        check(&[1, 1, 0x80, 0x80, 0x80, 0x80, 0x08], Err(Malformed::Clock { at: 2, clock: 1 << 31 }));
    }

    #[test]
    fn five_bytes_that_declare_2_to_the_28_clients() {
        let want = Malformed::Count { at: 0, declared: 1 << 28, left: 0 };
        assert_eq!(scan_state_vector(&[0x80, 0x80, 0x80, 0x80, 0x01]), Err(want));
    }
}
