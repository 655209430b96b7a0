//! From CBOR (RFC 8949) to messages.

use bytes::Bytes;
use minicbor::{data::Type, decode::Decoder};

use super::{DOCUMENT_BYTES_MAX, Incoming, Message, is_document_name};
use crate::wire::base58;

/// Keys that a map of a client's may have. Clients write at most 7.
const KEYS_MAX: usize = 32;

/// Longest name or text of a client's, in bytes.
const TEXT_BYTES_MAX: usize = 1_024;

/// Values inside of each other that are left out.
const DEPTH_MAX: usize = 16;

/// Why a frame is none. Its sender is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// It is not CBOR, or not one map with text keys.
    #[error("not a map in cbor")]
    Cbor,
    /// Something follows the map.
    #[error("bytes after the map")]
    Trailing,
    /// There are too many keys, or too deep values.
    #[error("too many keys, or too deep values")]
    TooMuch,
    /// A text is longer than anyone's.
    #[error("a text is too long")]
    TooLong,
    /// A key is missing, or its value is of another type.
    #[error("`{key}` is missing or of another type")]
    Key {
        /// The key.
        key: &'static str,
    },
}

impl FrameError {
    /// Returns a short stable word for close reasons.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Cbor => "cbor",
            Self::Trailing => "trailing-bytes",
            Self::TooMuch => "too-much",
            Self::TooLong => "too-long",
            Self::Key { key } => key,
        }
    }
}

impl From<minicbor::decode::Error> for FrameError {
    fn from(_: minicbor::decode::Error) -> Self {
        Self::Cbor
    }
}

/// What a map may say that matters.
#[derive(Debug, Default)]
struct Fields {
    kind: Option<String>,
    sender: Option<String>,
    document: Option<Result<String, String>>,
    data: Option<Bytes>,
    count: Option<u64>,
    session: Option<String>,
    versions: Option<Vec<String>>,
}

/// Parses a frame from a client.
///
/// # Errors
/// [`FrameError`] says what is wrong.
pub fn decode(frame: &Bytes) -> Result<Incoming, FrameError> {
    let fields = Fields::read(frame)?;
    let kind = fields.kind.as_deref().ok_or(FrameError::Key { key: "type" })?;
    match kind {
        "join" => Ok(Incoming::Join {
            sender: fields.sender.ok_or(FrameError::Key { key: "senderId" })?,
            speaks_ours: fields.versions.is_none_or(|versions| versions.iter().any(|version| version == "1")),
        }),
        "sync" | "request" => {
            let wants = kind == "request";
            let data = fields.data.clone().ok_or(FrameError::Key { key: "data" })?;
            fields.message(Message::Sync { data, wants })
        }
        "doc-unavailable" => fields.message(Message::Unavailable),
        "ephemeral" => {
            let message = Message::Ephemeral {
                count: fields.count.ok_or(FrameError::Key { key: "count" })?,
                session: fields.session.clone().ok_or(FrameError::Key { key: "sessionId" })?,
                data: fields.data.clone().ok_or(FrameError::Key { key: "data" })?,
            };
            fields.message(message)
        }
        _unknown => Ok(Incoming::Other),
    }
}

impl Fields {
    fn read(frame: &Bytes) -> Result<Self, FrameError> {
        let mut decoder = Decoder::new(frame);
        let mut fields = Self::default();
        let announced = decoder.map()?;
        let mut keys = 0;
        while announced.map_or_else(|| !at_break(&mut decoder), |announced| keys < announced) {
            keys += 1;
            if keys > KEYS_MAX as u64 {
                return Err(FrameError::TooMuch);
            }
            let key = text(&mut decoder)?;
            fields.value(&key, frame, &mut decoder)?;
        }
        if decoder.position() != frame.len() {
            return Err(FrameError::Trailing);
        }
        Ok(fields)
    }

    fn value(&mut self, key: &str, frame: &Bytes, decoder: &mut Decoder<'_>) -> Result<(), FrameError> {
        match key {
            "type" => self.kind = Some(text(decoder)?),
            "senderId" => self.sender = Some(text(decoder)?),
            "sessionId" => self.session = Some(text(decoder)?),
            "documentId" => self.document = Some(document(decoder)?),
            "data" => self.data = Some(bytes(frame, decoder)?),
            "count" => self.count = Some(count(decoder)?),
            "supportedProtocolVersions" => self.versions = versions(decoder)?,
            _ => skip(decoder)?,
        }
        Ok(())
    }

    fn message(self, message: Message) -> Result<Incoming, FrameError> {
        Ok(Incoming::Message {
            sender: self.sender.ok_or(FrameError::Key { key: "senderId" })?,
            document: self.document.ok_or(FrameError::Key { key: "documentId" })?,
            message,
        })
    }
}

/// Reads the end of what has no announced length, if it comes next.
fn at_break(decoder: &mut Decoder<'_>) -> bool {
    let ends = matches!(decoder.datatype(), Ok(Type::Break));
    if ends {
        decoder.set_position(decoder.position() + 1);
    }
    ends
}

fn text(decoder: &mut Decoder<'_>) -> Result<String, FrameError> {
    let text = decoder.str()?;
    if text.len() > TEXT_BYTES_MAX { Err(FrameError::TooLong) } else { Ok(text.to_owned()) }
}

/// Reads bytes, with or without the tag for an array of bytes.
fn bytes(frame: &Bytes, decoder: &mut Decoder<'_>) -> Result<Bytes, FrameError> {
    if decoder.datatype()? == Type::Tag {
        decoder.tag()?;
    }
    Ok(frame.slice_ref(decoder.bytes()?))
}

/// Reads a document's name, which old clients send as bytes.
fn document(decoder: &mut Decoder<'_>) -> Result<Result<String, String>, FrameError> {
    if matches!(decoder.datatype()?, Type::Bytes) {
        let bytes = decoder.bytes()?;
        return Ok(if (1..=DOCUMENT_BYTES_MAX).contains(&bytes.len()) {
            Ok(base58::encode(bytes))
        } else {
            Err(String::new())
        });
    }
    let name = text(decoder)?;
    Ok(if is_document_name(&name) { Ok(name) } else { Err(name) })
}

fn count(decoder: &mut Decoder<'_>) -> Result<u64, FrameError> {
    match decoder.datatype()? {
        Type::F16 | Type::F32 | Type::F64 => {
            let count = decoder.f64()?;
            let whole = count.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&count);
            if whole { Ok(count as u64) } else { Err(FrameError::Key { key: "count" }) }
        }
        _ => Ok(decoder.u64()?),
    }
}

fn versions(decoder: &mut Decoder<'_>) -> Result<Option<Vec<String>>, FrameError> {
    if matches!(decoder.datatype()?, Type::Undefined | Type::Null) {
        skip(decoder)?;
        return Ok(None);
    }
    let announced = decoder.array()?;
    let mut versions = Vec::new();
    while announced.map_or_else(|| !at_break(decoder), |announced| (versions.len() as u64) < announced) {
        if versions.len() == KEYS_MAX {
            return Err(FrameError::TooMuch);
        }
        versions.push(text(decoder)?);
    }
    Ok(Some(versions))
}

/// What is left of a container that is being left out.
enum Open {
    Items(u64),
    UntilBreak,
}

/// Leaves a value out, whatever is in it.
fn skip(decoder: &mut Decoder<'_>) -> Result<(), FrameError> {
    let mut open = vec![Open::Items(1)];
    while let Some(innermost) = open.last_mut() {
        match innermost {
            Open::Items(0) => {
                open.pop();
                continue;
            }
            Open::Items(left) => *left -= 1,
            Open::UntilBreak if at_break(decoder) => {
                open.pop();
                continue;
            }
            Open::UntilBreak => {}
        }
        let inside = match decoder.datatype()? {
            Type::Map | Type::MapIndef => {
                decoder.map()?.map(|pairs| pairs.saturating_mul(2)).map(Open::Items)
            }
            Type::Array | Type::ArrayIndef => decoder.array()?.map(Open::Items),
            Type::Tag => {
                decoder.tag()?;
                Some(Open::Items(1))
            }
            Type::BytesIndef | Type::StringIndef => {
                decoder.set_position(decoder.position() + 1);
                None
            }
            Type::Break => return Err(FrameError::Cbor),
            _ => {
                scalar(decoder)?;
                continue;
            }
        };
        if open.len() == DEPTH_MAX {
            return Err(FrameError::TooMuch);
        }
        open.push(inside.unwrap_or(Open::UntilBreak));
    }
    Ok(())
}

fn scalar(decoder: &mut Decoder<'_>) -> Result<(), FrameError> {
    match decoder.datatype()? {
        Type::Bytes => drop(decoder.bytes()?),
        Type::String => drop(decoder.str()?),
        _ => decoder.skip()?,
    }
    Ok(())
}
