//! Reads members of objects as what they are to be. Where one is something else, the request is refused.

use std::borrow::Cow;

use syncline_core::clock::HybridTime;
use syncline_core::entity::{ActorName, EntityId, TypeName};
use syncline_core::time::WallMs;

use super::json::{JsonError, Kind, Node, push_step};
use super::time;

/// Greatest integer that JavaScript holds exactly, plus one.
const SAFE_END: u64 = 1 << 53;

/// Longest of the words that clients make up, in bytes: names of transactions, ids of requests.
const LABEL_BYTES_MAX: usize = 128;

/// Why a body is not the request that it is to be. Who sent it is at fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It is not strict JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A value is missing or is something else.
    #[error("expected {expected}")]
    Shape {
        /// Where, as a JSON pointer (RFC 6901).
        pointer: String,
        /// What is to be there.
        expected: &'static str,
    },
    /// There are too many ops in one request.
    #[error("{count} ops in one request (at most {max} are taken)")]
    TooManyOps {
        /// How many there are.
        count: usize,
        /// The greatest number allowed.
        max: usize,
    },
}

pub(super) type Read<T> = Result<T, RequestError>;

/// Reads a member of an object; one that is `null` is not there.
pub(super) fn may<'a, T>(
    node: Node<'a>,
    name: &str,
    read: impl FnOnce(Node<'a>) -> Read<T>,
) -> Read<Option<T>> {
    let member = map(node)?.member(name).filter(|member| member.kind() != Kind::Null);
    member.map(read).transpose()
}

/// Reads a member that must be there.
pub(super) fn need<'a, T>(node: Node<'a>, name: &str, read: impl FnOnce(Node<'a>) -> Read<T>) -> Read<T> {
    may(node, name, read)?.ok_or_else(|| missing(node, name))
}

/// Reads each item of a member; one that is not there has none.
pub(super) fn each<'a, T>(node: Node<'a>, name: &str, read: impl FnMut(Node<'a>) -> Read<T>) -> Read<Vec<T>> {
    may(node, name, |list| self::list(list)?.items().map(read).collect()).map(Option::unwrap_or_default)
}

pub(super) fn missing(node: Node<'_>, name: &str) -> RequestError {
    let mut pointer = node.root().pointer(node);
    push_step(&mut pointer, name);
    RequestError::Shape { pointer, expected: "a member" }
}

pub(super) fn expected(node: Node<'_>, expected: &'static str) -> RequestError {
    RequestError::Shape { pointer: node.root().pointer(node), expected }
}

pub(super) fn map(node: Node<'_>) -> Read<Node<'_>> {
    if node.kind() == Kind::Map { Ok(node) } else { Err(expected(node, "an object")) }
}

pub(super) fn list(node: Node<'_>) -> Read<Node<'_>> {
    if node.kind() == Kind::List { Ok(node) } else { Err(expected(node, "an array")) }
}

pub(super) fn text(node: Node<'_>) -> Read<Cow<'_, str>> {
    node.text().ok_or_else(|| expected(node, "a string"))
}

pub(super) fn string(node: Node<'_>) -> Read<String> {
    text(node).map(Cow::into_owned)
}

pub(super) fn flag(node: Node<'_>) -> Read<bool> {
    match node.kind() {
        Kind::Bool(is) => Ok(is),
        Kind::Null | Kind::Number | Kind::Text | Kind::List | Kind::Map => {
            Err(expected(node, "`true` or `false`"))
        }
    }
}

/// Reads a decimal string, or a whole number below 2^53.
pub(super) fn number(node: Node<'_>) -> Read<u64> {
    let (text, end) = match node.text() {
        Some(text) => (text, None),
        None => (Cow::Borrowed(node.raw()), Some(SAFE_END)),
    };
    let is_plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = if is_plain { text.parse().ok() } else { None };
    let number = number.filter(|&number| end.is_none_or(|end| number < end));
    number.ok_or_else(|| expected(node, "a whole number, in quotes above 2^53"))
}

pub(super) fn short(node: Node<'_>) -> Read<u32> {
    u32::try_from(number(node)?).map_err(|_| expected(node, "a number below 2^32"))
}

pub(super) fn time(node: Node<'_>) -> Read<WallMs> {
    time::parse(&text(node)?).ok_or_else(|| expected(node, "a time of RFC 3339"))
}

/// Reads the time of a hybrid clock: 16 hexadecimal digits.
pub(super) fn hlc(node: Node<'_>) -> Read<HybridTime> {
    let text = text(node)?;
    let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bits = if is_hex { u64::from_str_radix(&text, 16).ok() } else { None };
    bits.map(HybridTime::from_bits).ok_or_else(|| expected(node, "16 hexadecimal digits"))
}

pub(super) fn device(node: Node<'_>) -> Read<ActorName> {
    ActorName::device(&text(node)?).map_err(|_| expected(node, "the name of a device"))
}

pub(super) fn type_name(node: Node<'_>) -> Read<TypeName> {
    TypeName::new(&text(node)?).map_err(|_| expected(node, "the name of a type"))
}

/// Reads a word that its author made up, of 1 to 128 bytes.
pub(super) fn label(node: Node<'_>) -> Read<String> {
    let label = string(node)?;
    let fits = (1..=LABEL_BYTES_MAX).contains(&label.len());
    if fits { Ok(label) } else { Err(expected(node, "a text of 1 to 128 bytes")) }
}

/// Reads the id of an entity, a key that has one.
pub(super) fn entity_id(text: &str, at: Node<'_>) -> Read<EntityId> {
    EntityId::new(text).map_err(|_| expected(at, "the id of an entity"))
}
