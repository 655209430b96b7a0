//! WebSocket frames as a client writes and reads them ([RFC 6455], section 5.2), with no copy on the way in.
//!
//! [RFC 6455]: https://www.rfc-editor.org/rfc/rfc6455

/// A frame at the start of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    /// Whether the message ends with it; a server may send a long one in fragments.
    pub(crate) is_last: bool,
    /// Where the payload starts; what comes before is the header.
    pub(crate) payload: usize,
    /// Where the next frame starts.
    pub(crate) end: usize,
}

/// What the fragments after the first say.
pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
/// A client must mask, and says with what; masking with zeros changes nothing and costs nothing.
const MASK: [u8; 4] = [0; 4];

/// Appends a payload, given in parts, as one frame.
pub(crate) fn write(out: &mut Vec<u8>, opcode: u8, parts: &[&[u8]]) {
    out.push(FIN | opcode);
    match parts.iter().map(|part| part.len()).sum() {
        len @ 0..126 => out.push(MASKED | len as u8),
        len @ 126..0x1_0000 => {
            out.push(MASKED | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(MASKED | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(MASK);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

/// Returns the frame at the start of `bytes`, or none if it is not all there yet.
pub(crate) fn read(bytes: &[u8]) -> Option<Frame> {
    let (opcode, is_last) = (bytes.first()? & 0x0f, bytes.first()? & FIN != 0);
    let (payload, len) = match bytes.get(1)? & 0x7f {
        126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        len => (2, u64::from(len)),
    };
    let end = payload + usize::try_from(len).ok()?;
    (end <= bytes.len()).then_some(Frame { opcode, is_last, payload, end })
}
