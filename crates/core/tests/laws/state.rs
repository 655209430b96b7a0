//! Laws of states, whatever they are.

use std::fmt::Debug;

use syncline_core::codec::{DecodeError, Wire};
use syncline_core::crdt::{Delta, DeltaCrdt};

use super::subject::{Breach, Subject};

/// Checks all laws on three states, which may be equal.
///
/// # Errors
/// Names the law that does not hold.
pub(crate) fn check<S: Subject>(a: &S::State, b: &S::State, c: &S::State) -> Result<(), Breach> {
    let on = || format!("\n  a = {a:?}\n  b = {b:?}\n  c = {c:?}");
    let join = |a: &S::State, b: &S::State| {
        let mut joined = a.clone();
        S::merge(&mut joined, b);
        joined
    };
    let (ab, bc) = (join(a, b), join(b, c));
    Breach::unless(ab == join(b, a), "a + b = b + a", on)?;
    Breach::unless(join(&ab, c) == join(a, &bc), "(a + b) + c = a + (b + c)", on)?;
    Breach::unless(join(a, a) == *a, "a + a = a", on)?;
    Breach::unless(join(&ab, b) == ab && join(&ab, a) == ab, "a + b holds a and b", on)?;
    Breach::unless(join(a, &S::State::default()) == *a, "a + nothing = a", on)?;
    S::more_laws(a, b)
}

/// Checks the laws of digests and bytes, for types of ours.
///
/// # Errors
/// Names the law that does not hold.
pub(crate) fn check_wire<T>(a: &T, b: &T) -> Result<(), Breach>
where
    T: DeltaCrdt + Wire + Debug,
    T::Digest: Wire,
{
    let on = || format!("\n  a = {a:?}\n  b = {b:?}");
    Breach::unless(a.delta_since(&a.digest()).is_bottom(), "nothing since a's own digest", on)?;
    let mut whole = a.clone();
    whole.merge(b);
    let mut by_delta = a.clone();
    by_delta.merge_delta(&b.delta_since(&a.digest()));
    Breach::unless(by_delta == whole, "a + b.since(a) = a + b", on)?;
    let bytes = a.to_bytes();
    Breach::unless(T::from_bytes(&bytes).as_ref() == Ok(a), "decode(encode(a)) = a", on)?;
    Breach::unless((bytes == b.to_bytes()) == (a == b), "equal states, equal bytes", on)?;
    let digest = a.digest();
    let read = T::Digest::from_bytes(&digest.to_bytes());
    Breach::unless(read.as_ref() == Ok(&digest), "decode(encode(digest)) = digest", on)?;
    let delta = a.delta_since(&b.digest());
    let read = Delta::<T>::from_bytes(&delta.to_bytes());
    Breach::unless(read.as_ref() == Ok(&delta), "decode(encode(delta)) = delta", on)?;
    check_mangled::<T>(&bytes, &on)
}

/// Checks that bytes near those of a state are refused or canonical.
fn check_mangled<T: Wire>(bytes: &[u8], on: &impl Fn() -> String) -> Result<(), Breach> {
    // A place and a value that vary from state to state, without chance.
    let sum = bytes.iter().fold(bytes.len(), |sum, &byte| sum.wrapping_mul(31) ^ usize::from(byte));
    let at = sum % bytes.len();
    let mut mangled = bytes.to_vec();
    mangled[at] = mangled[at].wrapping_add(1 + (sum >> 8) as u8 % 4);
    for bytes in [mangled.as_slice(), &bytes[..at]] {
        Breach::unless(is_canonical::<T>(bytes), "what is decoded encodes to the same bytes", on)?;
    }
    Ok(())
}

/// Returns whether bytes are refused, or are those that their value has.
pub(crate) fn is_canonical<T: Wire>(bytes: &[u8]) -> bool {
    let read: Result<T, DecodeError> = T::from_bytes(bytes);
    read.is_err() || read.is_ok_and(|value| value.to_bytes() == bytes)
}
